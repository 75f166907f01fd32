#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs clang-tidy with .clang-tidy on the library's sources, a few at a time."""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

import checks

FLAGS = ["-std=gnu11", "-DMI_SHARED=1", "-DMI_OVERRIDE=1", "-DMI_DEBUG=1", "-DMI_SECURE=0"]
FINDING = re.compile(r"^.*: (?:warning|error): .*$", re.MULTILINE)


def findings_of(root, path):
    name = next((n for n in ("clang-tidy-14", "clang-tidy") if shutil.which(n)), None)
    if name is None:
        sys.exit("check_tidy.py: clang-tidy is needed")
    flags = FLAGS if path.endswith(".c") else ["-std=c++17"] + FLAGS[1:]
    command = [name, "--quiet", f"--config-file={checks.ROOT}/.clang-tidy", path, "--"] + flags + ["-Iinclude", "-Isrc"]
    made = subprocess.run(command, cwd=root, capture_output=True, text=True)
    found = [line.replace(root + "/", "") for line in FINDING.findall(made.stdout)]
    if made.returncode != 0 and not found:
        found = [f"{path}: clang-tidy ended with {made.returncode}: {made.stderr.strip()}"]
    return found


def findings_in(root, paths):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        lists = list(pool.map(lambda path: findings_of(root, path), paths))
    return sorted(set(sum(lists, [])))


def check(args):
    return findings_in(checks.ROOT, args.paths or checks.files(checks.ROOT, ["src"], (".c", ".cc")))


def self_test(_):
    head = "int mi__good(int x);\n"
    for text, wanted in [
        (head + "int\nmi__good(int x)\n{\n    return x + 1;\n}\n", None),
        ("int bare(int x);\nint\nbare(int x)\n{\n    return x + 1;\n}\n", "invalid case style for global function 'bare'"),
        (head + "int\nmi__good(int x)\n{\n" + "    x += 2;\n" * 90 + "    return x;\n}\n", "readability-function-size"),
    ]:
        with checks.Planted({"src/a.c": text}) as root:
            checks.expect(text[:40], findings_in(root, ["src/a.c"]), wanted)


if __name__ == "__main__":
    checks.main(__doc__, check, self_test, [(["paths"], {"nargs": "*", "help": "only these files"})])
