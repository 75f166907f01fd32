#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the spelling of prose, comments and messages: the words that codespell knows to be mistakes."""
import os
import subprocess

import checks

FOLDERS = ["docs", "src", "include", "rust", "tests", "bench", "examples", "tools", "tool", "cmake", "packaging", ".ci"]
ENDINGS = (".md", ".c", ".h", ".cc", ".py", ".sh", ".bash", ".rs", ".txt", ".cmake", ".html", ".js")
# Words that are right here: Rust's crates, names of two letters (macros of manual pages), an option that a test misspells.
RIGHT = "crate,te,fo,nd,erors"


def findings_in(root):
    paths = [name for name in sorted(os.listdir(root)) if name.endswith(ENDINGS)]
    paths += checks.files(root, FOLDERS, ENDINGS)
    run = subprocess.run(["codespell", "--ignore-words-list", RIGHT, *paths], cwd=root, stdout=subprocess.PIPE, text=True,
                         check=False)
    return [line.replace(" ==> ", " should be ") for line in run.stdout.splitlines()]


def check(_):
    return findings_in(checks.ROOT)


def self_test(_):
    wrong = "reci" + "eve"
    for text, wanted in [("# To receive a crate\n", None), (f"# To {wrong}\n", f"{wrong} should be receive")]:
        with checks.Planted({"README.md": text}) as root:
            checks.expect(text, findings_in(root), wanted)
    with checks.Planted({"README.md": "# Fine\n", "src/a.c": f"// {wrong}\n"}) as root:
        checks.expect("a comment", findings_in(root), f"src/a.c:1: {wrong}")


if __name__ == "__main__":
    checks.main(__doc__, check, self_test)
