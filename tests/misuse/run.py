#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs programs that misuse their memory once each, and checks what the library says.

    tests/misuse/run.py SOURCE.c LIBRARY [PROGRAM]      one program; compiled here when none is given
    tests/misuse/run.py FOLDER LIBRARY                  every program of a folder

The first lines of a program say what is right:
    // expect: REGEX              found in the first line on stderr; ^$ means that nothing is said
    // exit: 0 | SIGABRT
    // env: NAME=VALUE            as often as needed
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile

TIMEOUT_SECONDS = 60
LINE = re.compile(r"^==\d+==ERROR: mimalloc: [a-z-]+: \w+\(0x[0-9a-f]+\): .+$")
FRAME = re.compile(r"^    #\d+ 0x[0-9a-f]+( \(.+\+0x[0-9a-f]+\)( \(BuildId: [0-9a-f]+\))?)?$|^    \(no stack\)$")
SUMMARY = re.compile(r"^SUMMARY: mimalloc: [a-z-]+( \(.+\+0x[0-9a-f]+\))?$")


def read_header(path):
    header = {"env": []}
    with open(path, encoding="utf-8") as file:
        for line in file:
            found = re.match(r"// (expect|exit|env): (.*)$", line)
            if not found:
                break
            key, value = found.groups()
            if key == "env":
                header["env"].append(value.split("=", 1))
            else:
                header[key] = value
    return header


def build(source, cc, scratch):
    program = os.path.join(scratch, os.path.basename(source)[:-2])
    # Warnings off: the compiler sees some of the mistakes too. Built-ins off: it must not drop the calls.
    subprocess.run([cc, "-std=gnu11", "-O0", "-w", "-fno-builtin", "-o", program, source, "-pthread"], check=True)
    return program


def check(source, library, program):
    """None when the program does as it says, else what is wrong."""
    header = read_header(source)
    if "expect" not in header or header.get("exit") not in ("0", "SIGABRT"):
        return "the header needs `// expect:` and `// exit: 0` or `SIGABRT`"
    env = {name: value for name, value in os.environ.items() if not name.upper().startswith("MIMALLOC_")}
    env.update({"LD_PRELOAD": library, "MIMALLOC_GUARDED_SAMPLE_RATE": "0", **dict(header["env"])})
    try:
        run = subprocess.run([program], env=env, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return f"still running after {TIMEOUT_SECONDS} s"
    expected = 0 if header["exit"] == "0" else -signal.SIGABRT
    wrong = []
    if run.returncode != expected:
        wrong.append(f"exit {run.returncode}, not {expected}")
    lines = run.stderr.splitlines()
    if header["expect"] == "^$":
        if lines:
            wrong.append("something is said")
    else:
        if not lines or not re.search(header["expect"], lines[0]):
            wrong.append(f"no match for {header['expect']}")
        if len(lines) < 3 or not LINE.match(lines[0]) or not SUMMARY.match(lines[-1]):
            wrong.append("not a line of the right form, a stack and a summary")
        wrong += [f"no frame: {line}" for line in lines[1:-1] if not FRAME.match(line)]
    return "; ".join(wrong) + "\n" + run.stderr if wrong else None


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("source", help="a program's source, or a folder of them")
    args.add_argument("library", help="our libmimalloc.so")
    args.add_argument("program", nargs="?", help="the compiled source")
    args.add_argument("--cc", default=os.environ.get("CC", "cc"))
    args = args.parse_args()
    library = os.path.abspath(args.library)
    if not os.path.exists(library):
        sys.exit(f"run.py: no library {library}")

    sources = [args.source]
    if os.path.isdir(args.source):
        sources = sorted(os.path.join(args.source, name) for name in os.listdir(args.source) if name.endswith(".c"))
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        for source in sources:
            wrong = check(source, library, args.program or build(source, args.cc, scratch))
            name = os.path.basename(source)[:-2]
            print(f"{'FAIL' if wrong else 'ok':5}{name}" + (f": {wrong.rstrip()}" if wrong else ""), flush=True)
            failures += wrong is not None
    print(f"{len(sources) - failures} of {len(sources)} right")
    sys.exit(1 if failures or not sources else 0)


if __name__ == "__main__":
    main()
