#!/usr/bin/env python3
"""Packs a program as a wheel, which puts it on the PATH of a Python environment.

    wheel.py FOLDER VERSION TAGS PROGRAM LICENCE...
"""

import base64
import hashlib
import os
import pathlib
import sys
import time
import zipfile

NAME = "assetsync"
METADATA = """Metadata-Version: 2.1
Name: assetsync
Version: {version}
Summary: Push compiled web assets to servers: fewer bytes than rsync, all or nothing
License: MIT OR Apache-2.0
Requires-Python: >=3.7
Description-Content-Type: text/markdown

"""


def main():
    folder, version, tags, program, *licences = sys.argv[1:]
    info = f"{NAME}-{version}.dist-info"
    wheel = "Wheel-Version: 1.0\nGenerator: assetsync\nRoot-Is-Purelib: false\n"
    wheel += "".join(f"Tag: py3-none-{tag}\n" for tag in tags.split("."))
    readme = pathlib.Path("README.md").read_text()
    files = [
        (f"{NAME}-{version}.data/scripts/{NAME}", pathlib.Path(program).read_bytes(), 0o755),
        (f"{info}/METADATA", (METADATA.format(version=version) + readme).encode(), 0o644),
        (f"{info}/WHEEL", wheel.encode(), 0o644),
    ]
    for licence in map(pathlib.Path, licences):
        files.append((f"{info}/licenses/{licence.name}", licence.read_bytes(), 0o644))
    record = "".join(f"{name},sha256={digest(content)},{len(content)}\n" for name, content, _ in files)
    files.append((f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode(), 0o644))
    when = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))[:6]
    with zipfile.ZipFile(pathlib.Path(folder, f"{NAME}-{version}-py3-none-{tags}.whl"), "w") as archive:
        for name, content, mode in files:
            entry = zipfile.ZipInfo(name, when)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=9)


def digest(content):
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


main()
