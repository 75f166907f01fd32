#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes what a release consists of: release.py OUT [REVISION] writes into OUT, the same bytes whenever it runs:

mimalloc-V.tar.gz (the tree), mimalloc-V-single.tar.gz (mimalloc.c and its headers), mimalloc-V.spdx.json (what is in the
tree, file by file), NOTES.md (the version's part of the changelog), SHA256SUMS of all of these. REVISION is HEAD unless
told; its date is the date of everything.
"""
import datetime
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def git(*args):
    return subprocess.run(["git", "-C", ROOT, *args], check=True, stdout=subprocess.PIPE).stdout


def zipped(data):
    """As gzip -n: without a name or a date."""
    out = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(data)
    return out.getvalue()


def packed(folder, prefix, date):
    """A tar file of a folder, whose entries have one owner and one date, in the order of their names."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(os.listdir(folder)):
            entry = tar.gettarinfo(os.path.join(folder, name), f"{prefix}/{name}")
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode = date, 0, 0, "root", "root", 0o644
            with open(os.path.join(folder, name), "rb") as file:
                tar.addfile(entry, file)
    return out.getvalue()


def notes(changelog, version):
    """The section of the version: "## 3.4.3" or "## Unreleased (3.4.3)"."""
    found = re.search(rf"^## [^\n]*\b{re.escape(version)}\b[^\n]*\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not found:
        sys.exit(f"CHANGELOG.md says nothing of {version}")
    return f"# mimalloc {version}\n\n{found.group(1).strip()}\n"


def bill(tar, version, date):
    """SPDX 2.3: the package and its files. It depends on nothing but libc."""
    files = []
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for entry in archive.getmembers():
            if entry.isfile():
                data = archive.extractfile(entry).read()
                files.append({
                    "fileName": "./" + entry.name.split("/", 1)[1],
                    "SPDXID": f"SPDXRef-File-{len(files)}",
                    "checksums": [{"algorithm": name, "checksumValue": hashlib.new(name.lower(), data).hexdigest()}
                                  for name in ("SHA1", "SHA256")],
                    "licenseConcluded": "MIT",
                    "copyrightText": "NOASSERTION",
                })
    sums = sorted(file["checksums"][0]["checksumValue"] for file in files)
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"mimalloc-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/mimalloc-{version}-{hashlib.sha256(tar).hexdigest()}",
        "creationInfo": {"created": datetime.datetime.utcfromtimestamp(date).strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": ["Tool: tools/release.py"]},
        "documentDescribes": ["SPDXRef-Package"],
        "packages": [{
            "name": "mimalloc",
            "SPDXID": "SPDXRef-Package",
            "versionInfo": version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": True,
            "packageVerificationCode": {"packageVerificationCodeValue": hashlib.sha1("".join(sums).encode()).hexdigest()},
            "licenseConcluded": "MIT",
            "licenseDeclared": "MIT",
            "copyrightText": "NOASSERTION",
        }],
        "files": files,
        "relationships": [{"spdxElementId": "SPDXRef-Package", "relationshipType": "CONTAINS",
                           "relatedSpdxElement": file["SPDXID"]} for file in files],
    }


def main(out, revision="HEAD"):
    version = re.search(r"VERSION ([\d.]+)\n", git("show", f"{revision}:CMakeLists.txt").decode()).group(1)
    date = int(git("log", "-1", "--format=%ct", revision))
    name = f"mimalloc-{version}"
    tree = git("-c", "tar.umask=0022", "archive", "--format=tar", f"--prefix={name}/", revision)
    made = {f"{name}.tar.gz": zipped(tree)}
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(fileobj=io.BytesIO(tree)) as archive:
            archive.extractall(scratch)
        source = os.path.join(scratch, name)
        single = os.path.join(scratch, "single")
        subprocess.run([sys.executable, os.path.join(source, "tools", "amalgamate.py"), single], check=True)
        made[f"{name}-single.tar.gz"] = zipped(packed(single, f"{name}-single", date))
        with open(os.path.join(source, "CHANGELOG.md"), encoding="utf-8") as file:
            made["NOTES.md"] = notes(file.read(), version).encode()
    made[f"{name}.spdx.json"] = (json.dumps(bill(tree, version, date), indent=1) + "\n").encode()
    made["SHA256SUMS"] = "".join(f"{hashlib.sha256(made[n]).hexdigest()}  {n}\n" for n in sorted(made)).encode()
    os.makedirs(out, exist_ok=True)
    for path, data in made.items():
        with open(os.path.join(out, path), "wb") as file:
            file.write(data)
        print(os.path.join(out, path))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
