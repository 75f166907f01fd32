#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares every C and C++ file with .clang-format; --fix rewrites them."""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

import checks

FOLDERS = ["src", "include", "tests", "bench", "examples", "tools", "tool"]
VERSION = "14"  # layouts differ from one major version to the next
WIDTH = 110
TABLE = re.compile(r"\s*//\s+\|")


def clang_format():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        if shutil.which(name):
            text = subprocess.run([name, "--version"], capture_output=True, text=True).stdout
            if re.search(rf"version {VERSION}\.", text):
                return name
    sys.exit(f"check_format.py: clang-format {VERSION} is needed")


def findings_of(root, path, tool):
    text = checks.read(root, path)
    style = f"--style=file:{os.path.join(checks.ROOT, '.clang-format')}"
    command = [tool, style, f"--assume-filename={path}"]
    made = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    found = []
    if made != text:
        pairs = zip(text.split("\n"), made.split("\n"))
        line = next((i for i, (a, b) in enumerate(pairs, 1) if a != b), 1)
        found.append(f"{path}:{line}: not in the house's format (make format)")
    # Comments are left alone by clang-format, so their width is looked at here; tables in them may be wider.
    return found + [f"{path}:{i}: {len(line)} columns, {WIDTH} at most" for i, line in enumerate(made.split("\n"), 1)
                    if len(line) > WIDTH and not TABLE.match(line)]


def findings_in(root, paths):
    tool = clang_format()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        return sum(pool.map(lambda path: findings_of(root, path, tool), paths), [])


def check(args):
    paths = args.paths or checks.files(checks.ROOT, FOLDERS)
    if args.fix:
        subprocess.run([clang_format(), "--style=file", "-i"] + paths, cwd=checks.ROOT, check=True)
        return []
    return findings_in(checks.ROOT, paths)


def self_test(_):
    good = "int\nf(void)\n{\n    return 1;\n}\n"
    with checks.Planted({"src/a.c": good}) as root:
        checks.expect("clean file", findings_in(root, ["src/a.c"]), None)
    with checks.Planted({"src/a.c": "int f(void) { return 1; }\n"}) as root:
        checks.expect("one-line function", findings_in(root, ["src/a.c"]), "src/a.c:1: not in the house's format")
    with checks.Planted({"src/a.c": "// " + "x" * 110 + "\n" + good}) as root:
        checks.expect("wide comment", findings_in(root, ["src/a.c"]), "src/a.c:1: 113 columns")
    with checks.Planted({"src/a.c": "// | " + "x" * 110 + "\n" + good}) as root:
        checks.expect("wide table", findings_in(root, ["src/a.c"]), None)


if __name__ == "__main__":
    checks.main(__doc__, check, self_test, [
        (["--fix"], {"action": "store_true", "help": "rewrite the files"}),
        (["paths"], {"nargs": "*", "help": "only these files"}),
    ])
