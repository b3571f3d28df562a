#!/usr/bin/env python3
"""Fetches consecutive releases of packages drawn at random from benches/random-corpora.txt.

benches/random-corpora.py DIR NUMBER SEED: the same seed draws the same packages, and of each the same
two releases as long as no newer ones are published. Prints a line for each: OLD, NEW.
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
    if target.exists():
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        unpacked = REGISTRIES[registry][1](package, version, pathlib.Path(work))
        shutil.move(unpacked / folder, target)


def main(directory, number, seed):
    listed = pathlib.Path(__file__).with_name("random-corpora.txt").read_text().splitlines()
    packages = [line.split() for line in listed if not line.startswith("#")]
    draw = random.Random(seed)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for registry, package, folder in draw.sample(packages, int(number)):
        versions = [it for it in REGISTRIES[registry][0](package) if STABLE.fullmatch(it)]
        at = draw.randrange(max(1, min(LATEST, len(versions)) - 1))
        names = []
        for version in versions[-LATEST:][at : at + 2]:
            names.append(f"{package.strip('@').replace('/', '-')}-{version}")
            fetch(registry, package, folder, version, directory / names[-1])
        print(*names, flush=True)


if len(sys.argv) != 4:
    sys.exit(__doc__)
main(*sys.argv[1:])
