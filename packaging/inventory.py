#!/usr/bin/env python3
"""Lists the third-party software in the program: as a text with all licences, and as an SBOM (CycloneDX 1.5).

    inventory.py NOTICES SBOM

From `cargo metadata` and the packages' sources, which cargo has fetched. What is listed is what any of the released
platforms contains.
"""

import json
import os
import pathlib
import subprocess
import sys

TARGETS = [
    f"{machine}-{system}"
    for machine in ("x86_64", "aarch64")
    for system in ("unknown-linux-gnu", "unknown-linux-musl", "apple-darwin")
]
# How files with a licence are called, also those of C libraries that a package brings (zstd/LICENSE, libssh2/COPYING).
# The GPL of liblzma's package is that of programs which are not built.
LICENCES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT", "UNLICENSE")
# Not packages: what the compiler adds.
RUNTIME = """The Rust standard library (MIT or Apache-2.0): https://github.com/rust-lang/rust
musl, in the static programs and the agents (MIT): https://musl.libc.org, Copyright 2005-2020 Rich Felker, et al.
"""


def metadata(target):
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--features", "vendored-openssl"]
    return json.loads(subprocess.check_output([*command, "--filter-platform", target]))


def contained(graph):
    """The packages that are compiled into the command and the agent. `openssl-src` and others that a build script
    compiles are build dependencies, so these are followed too, but for those that only run while building."""
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    packages = {package["id"]: package for package in graph["packages"]}
    roots = [package["id"] for package in packages.values() if package["name"] in ("assetsync", "assetsync-agent")]
    seen = set()
    while roots:
        name = roots.pop()
        if name in seen:
            continue
        seen.add(name)
        for dependency in nodes[name]["deps"]:
            kinds = {kind["kind"] for kind in dependency["dep_kinds"]}
            brings_source = packages[dependency["pkg"]]["name"].endswith("-src")
            if None in kinds or ("build" in kinds and brings_source):
                roots.append(dependency["pkg"])
    return [packages[name] for name in seen if packages[name]["source"]]


def licence_files(package):
    root = pathlib.Path(package["manifest_path"]).parent
    depth = len(root.parts)
    for folder, folders, files in os.walk(root):
        folders.sort()
        if len(pathlib.Path(folder).parts) - depth >= 2:
            folders.clear()
        for name in sorted(files):
            is_of_tools = "GPL" in name or name.endswith(".sh")
            if name.upper().split(".")[0].split("-")[0] in LICENCES and not is_of_tools:
                path = pathlib.Path(folder, name)
                yield path.relative_to(root), path.read_text(errors="replace").strip()


def notices(packages):
    """Each text once, with all packages that have it."""
    users = {}
    for package in packages:
        for path, text in licence_files(package):
            users.setdefault(text, []).append(f"{package['name']} {package['version']} ({path})")
    listed = [
        f"{package['name']} {package['version']} ({package['license']}): {package['repository'] or package['name']}"
        for package in packages
    ]
    rule = "=" * 72
    parts = [
        "assetsync contains this software of others:\n\n" + RUNTIME + "\n".join(listed),
        *("\n".join(sorted(names)) + "\n\n" + text for text, names in users.items()),
    ]
    return f"\n\n{rule}\n\n".join(parts) + "\n"


def checksums():
    """By package and version, as Cargo.lock has them."""
    found, name, version = {}, None, None
    for line in pathlib.Path("Cargo.lock").read_text().splitlines():
        key, _, value = line.partition(" = ")
        value = value.strip('"')
        if key == "name":
            name = value
        elif key == "version":
            version = value
        elif key == "checksum":
            found[name, version] = value
    return found


def sbom(packages, version):
    sums = checksums()
    components = [
        {
            "type": "library",
            "name": package["name"],
            "version": package["version"],
            "purl": f"pkg:cargo/{package['name']}@{package['version']}",
            "licenses": [{"expression": (package["license"] or "NOASSERTION").replace("/", " OR ")}],
            "hashes": [{"alg": "SHA-256", "content": sums[package["name"], package["version"]]}],
        }
        for package in packages
    ]
    program = {
        "type": "application",
        "name": "assetsync",
        "version": version,
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
    }
    head = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": program}}
    return json.dumps({**head, "components": components}, indent=2, ensure_ascii=False) + "\n"


def main():
    found = {}
    for target in TARGETS:
        graph = metadata(target)
        for package in contained(graph):
            found[package["name"], package["version"]] = package
    packages = [found[key] for key in sorted(found)]
    version = next(package["version"] for package in graph["packages"] if package["name"] == "assetsync")
    for path, text in zip(sys.argv[1:], (notices(packages), sbom(packages, version)), strict=True):
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


main()
