#!/usr/bin/env python3
"""Fetches consecutive releases of packages drawn at random from benches/random-LIST.txt.

benches/random-corpora.py DIR LIST NUMBER SEED: the same seed draws the same packages, and of each
the same two releases as long as no newer ones are published; where one of these has its files
elsewhere, the next two. Prints a line for each package: OLD, NEW.
"""
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

LATEST = 20  # the releases that are drawn from
STABLE = re.compile(r"\d+(\.\d+)+")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout


def npm_versions(package):
    # In the order of publishing.
    return json.loads(run("npm", "view", package, "versions", "--json"))


def pypi_versions(package):
    found = re.search(r"Available versions: (.*)", run(*PIP, "index", "versions", package))
    return found.group(1).split(", ")[::-1]


def unpack_npm(package, version, into):
    run("npm", "pack", "--silent", f"{package}@{version}", cwd=into)
    with tarfile.open(next(into.glob("*.tgz"))) as archive:
        archive.extractall(into, filter="data")
    return into / "package"


def unpack_pypi(package, version, into):
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(into)]
    run(*PIP, "download", *options, f"{package}=={version}")
    with zipfile.ZipFile(next(into.glob("*.whl"))) as archive:
        archive.extractall(into / "wheel")
    return into / "wheel"


REGISTRIES = {"npm": (npm_versions, unpack_npm), "pypi": (pypi_versions, unpack_pypi)}


def fetch(registry, package, folder, version, target):
    """Whether the release has that folder."""
    if target.exists():
        return True
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        unpacked = REGISTRIES[registry][1](package, version, pathlib.Path(work))
        if not (unpacked / folder).is_dir():
            return False
        shutil.move(unpacked / folder, target)
    return True


def fetch_pair(listed, versions, directory):
    """The names of the first two consecutive releases that have the folder."""
    _, package, folder = listed
    for at in range(max(1, len(versions) - 1)):
        pair = versions[at : at + 2]
        names = [f"{package.strip('@').replace('/', '-')}-{version}" for version in pair]
        if all(fetch(*listed, version, directory / name) for version, name in zip(pair, names)):
            return names
    sys.exit(f"no two consecutive releases of {package} have {folder}")


def main(directory, listing, number, seed):
    lines = pathlib.Path(__file__).with_name(f"random-{listing}.txt").read_text().splitlines()
    packages = [line.split() for line in lines if not line.startswith("#")]
    draw = random.Random(seed)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for listed in draw.sample(packages, int(number)):
        registry, package, _ = listed
        versions = [it for it in REGISTRIES[registry][0](package) if STABLE.fullmatch(it)]
        at = draw.randrange(max(1, min(LATEST, len(versions)) - 1))
        print(*fetch_pair(listed, versions[-LATEST:][at:], directory), flush=True)


if len(sys.argv) != 5:
    sys.exit(__doc__)
main(*sys.argv[1:])
