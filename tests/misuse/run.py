#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one misuse program preloaded and compares how it ends with what its source says.

    run.py <source> <library> <program>

The source says `// expect: <regex>`, searched in the standard error (several lines: all of them), and `// exit: <status
or signal name>`; `// env: NAME=value …` sets options, `// reject: <regex>` must not be found.
"""
import os
import re
import signal
import subprocess
import sys


def notes(source):
    """The settings in the comments of the source, as name → list of values."""
    found = {"expect": [], "exit": [], "env": [], "reject": []}
    with open(source, encoding="utf-8") as file:
        for line in file:
            match = re.match(r"//\s*(expect|exit|env|reject):\s*(.*\S)", line)
            if match:
                found[match.group(1)].append(match.group(2))
    return found


def status_text(code):
    return signal.Signals(-code).name if code < 0 else str(code)


def main():
    source, library, program = sys.argv[1:]
    wanted = notes(source)
    if len(wanted["exit"]) != 1 or not wanted["expect"] + wanted["reject"]:
        sys.exit(f"{source}: it has to say `// expect:` and `// exit:`")
    env = dict(os.environ, LD_PRELOAD=library)
    for pair in " ".join(wanted["env"]).split():
        name, _, value = pair.partition("=")
        env[name] = value
    run = subprocess.run([program], env=env, capture_output=True, text=True, errors="replace", timeout=60)
    wrong = []
    if status_text(run.returncode) != wanted["exit"][0]:
        wrong.append(f"ended with {status_text(run.returncode)}, not {wanted['exit'][0]}")
    wrong += [f"did not say {regex!r}" for regex in wanted["expect"] if not re.search(regex, run.stderr)]
    wrong += [f"said {regex!r}" for regex in wanted["reject"] if re.search(regex, run.stderr)]
    if wrong:
        sys.exit(f"{os.path.basename(source)}: {'; '.join(wrong)}\n--- standard error:\n{run.stderr}")


if __name__ == "__main__":
    main()
