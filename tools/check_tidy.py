#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs clang-tidy with .clang-tidy on the library's sources, a few at a time.

The static analyzer takes eight times as long as all other checks together: it is left out, or with --analyzer runs alone.
With --clean DIR a file that was found clean is not looked at again while what the compiler sees of it stays the same."""
import concurrent.futures
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

import checks

FLAGS = ["-std=gnu11", "-DMI_SHARED=1", "-DMI_OVERRIDE=1", "-DMI_DEBUG=1", "-DMI_SECURE=0"]
# States that the analyzer explores in one function, a third of its default: the longest file takes 5 s instead of 16.
ANALYZER = ["-Xclang", "-analyzer-config", "-Xclang", "max-nodes=75000"]
OTHERS = "bugprone cert concurrency misc performance readability".split()
FINDING = re.compile(r"^.*: (?:warning|error): .*$", re.MULTILINE)


def tidy():
    name = next((n for n in ("clang-tidy-14", "clang-tidy") if shutil.which(n)), None)
    if name is None:
        sys.exit("check_tidy.py: clang-tidy is needed")
    return name


def flags_of(path):
    return (FLAGS if path.endswith(".c") else ["-std=c++17"] + FLAGS[1:]) + ["-Iinclude", "-Isrc"]


def without(analyzer):
    """The groups of .clang-tidy that this run leaves out."""
    return "--checks=" + ",".join(f"-{group}-*" for group in (OTHERS if analyzer else ["clang-analyzer"]))


def mark_of(root, path, clean, analyzer):
    """The file that says that `path` was clean, named after all that the answer depends on; None when that is unknown."""
    seen = subprocess.run(["cc", "-E", "-CC"] + flags_of(path) + [path], cwd=root, capture_output=True)
    if clean is None or seen.returncode != 0:
        return None
    rules = pathlib.Path(checks.ROOT, ".clang-tidy").read_bytes() + pathlib.Path(__file__).read_bytes()
    version = subprocess.run([tidy(), "--version"], capture_output=True).stdout
    return pathlib.Path(clean, hashlib.sha256(b"\0".join([seen.stdout, rules, version, without(analyzer).encode()])).hexdigest())


def findings_of(root, path, clean, analyzer):
    mark = mark_of(root, path, clean, analyzer)
    if mark is not None and mark.exists():
        return []
    command = [tidy(), "--quiet", f"--config-file={checks.ROOT}/.clang-tidy", without(analyzer), path, "--"]
    command += flags_of(path) + ANALYZER
    made = subprocess.run(command, cwd=root, capture_output=True, text=True)
    found = [line.replace(root + "/", "") for line in FINDING.findall(made.stdout)]
    if made.returncode != 0 and not found:
        found = [f"{path}: clang-tidy ended with {made.returncode}: {made.stderr.strip()}"]
    if mark is not None and not found:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return found


def findings_in(root, paths, clean=None, analyzer=False):
    largest_first = sorted(paths, key=lambda path: -os.path.getsize(os.path.join(root, path)))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        lists = list(pool.map(lambda path: findings_of(root, path, clean, analyzer), largest_first))
    return sorted(set(sum(lists, [])))


def check(args):
    # The headers of Windows and of macOS are not those of this system.
    paths = args.paths or checks.files(checks.ROOT, ["src"], (".c", ".cc"))
    paths = [path for path in paths if not re.search("_(windows|macos)", path)]
    return findings_in(checks.ROOT, paths, args.clean, args.analyzer)


def self_test(_):
    head = "int mi__good(int x);\n"
    for text, wanted in [
        (head + "int\nmi__good(int x)\n{\n    return x + 1;\n}\n", None),
        ("int bare(int x);\nint\nbare(int x)\n{\n    return x + 1;\n}\n", "invalid case style for global function 'bare'"),
        (head + "int\nmi__good(int x)\n{\n" + "    x += 2;\n" * 90 + "    return x;\n}\n", "readability-function-size"),
    ]:
        with checks.Planted({"src/a.c": text}) as root:
            for _ in range(2):  # what is not clean is found again
                checks.expect(text[:40], findings_in(root, ["src/a.c"], os.path.join(root, "clean")), wanted)
            if wanted is None:
                pathlib.Path(root, "src/a.c").write_text("int bare(int x);\nint\nbare(int x)\n{\n    return x;\n}\n")
                checks.expect("a change is seen", findings_in(root, ["src/a.c"], os.path.join(root, "clean")), "'bare'")
    with checks.Planted({"src/a.c": head + "int\nmi__good(int x)\n{\n    int *p = 0;\n    return x ? 1 : *p;\n}\n"}) as root:
        clean = os.path.join(root, "clean")
        checks.expect("without the analyzer", findings_in(root, ["src/a.c"], clean), None)
        checks.expect("with it", findings_in(root, ["src/a.c"], clean, analyzer=True), "null pointer")


if __name__ == "__main__":
    checks.main(__doc__, check, self_test, [
        (["--clean"], {"metavar": "DIR", "help": "where to remember the files that were clean"}),
        (["--analyzer"], {"action": "store_true", "help": "the static analyzer alone"}),
        (["paths"], {"nargs": "*", "help": "only these files"}),
    ])
