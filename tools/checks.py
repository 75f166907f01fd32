# SPDX-License-Identifier: MIT
"""What the check_*.py programs share: finding files, printing findings, and testing themselves."""
import argparse
import os
import shutil
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAYERS = ["base", "os", "arena", "page", "heap", "alloc", "front"]
SOURCE_ENDINGS = (".c", ".h", ".cc", ".cpp")


def files(root, folders, endings=SOURCE_ENDINGS):
    """Paths below `root`, relative to it, in the given folders, sorted."""
    found = []
    for folder in folders:
        for path, dirs, names in os.walk(os.path.join(root, folder)):
            dirs.sort()
            found += [os.path.relpath(os.path.join(path, name), root) for name in sorted(names) if name.endswith(endings)]
    return found


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def write(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as file:
        file.write(text)


class Planted:
    """A scratch tree of files for a self-test: `with Planted({path: text}) as root`."""

    def __init__(self, tree):
        self.tree = tree

    def __enter__(self):
        self.root = tempfile.mkdtemp(prefix="check-")
        for path, text in self.tree.items():
            write(self.root, path, text)
        return self.root

    def __exit__(self, *_):
        shutil.rmtree(self.root)


def expect(what, findings, wanted):
    """A self-test's claim: `findings` has exactly one entry, which contains `wanted`; none where `wanted` is None."""
    good = findings == [] if wanted is None else len(findings) == 1 and wanted in findings[0]
    if not good:
        sys.exit(f"self-test: {what}: expected {wanted or 'no finding'!r}, got {findings}")


def main(doc, check, self_test, options=()):
    """The command line of a checker: check(args) gives a list of findings, self_test(args) ends the program when it fails."""
    parser = argparse.ArgumentParser(description=doc.strip().split("\n")[0])
    parser.add_argument("--self-test", action="store_true", help="show that planted violations are found")
    for flags, settings in options:
        parser.add_argument(*flags, **settings)
    args = parser.parse_args()
    if args.self_test:
        self_test(args)
        print("self-test passed")
        return
    findings = check(args)
    for finding in findings:
        print(finding)
    if findings:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {len(findings)} to mend")
