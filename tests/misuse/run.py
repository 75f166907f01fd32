#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles and runs every program of this folder, each of which misuses its memory once, and checks what the library says.

    tests/misuse/run.py --lib build/libmimalloc.so [NAME...]

The first lines of a program say what is right:
    // expect: REGEX              found in the one line on stderr; ^$ means that nothing is said
    // exit: 0 | SIGABRT
    // env: NAME=VALUE            as often as needed
"""
import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TIMEOUT_SECONDS = 60
LINE = re.compile(r"^==\d+==ERROR: mimalloc: [a-z-]+: \w+\(0x[0-9a-f]+\): .+$")


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


def check(path, args, scratch):
    """None when the program does as it says, else what is wrong."""
    header = read_header(path)
    if "expect" not in header or header.get("exit") not in ("0", "SIGABRT"):
        return "the header needs `// expect:` and `// exit: 0` or `SIGABRT`"
    program = os.path.join(scratch, os.path.basename(path)[:-2])
    # Warnings off: the compiler sees some of the mistakes too. Built-ins off: it must not drop the calls.
    built = subprocess.run([args.cc, "-std=gnu11", "-O0", "-w", "-fno-builtin", "-o", program, path, "-pthread"],
                           capture_output=True, text=True)
    if built.returncode != 0:
        return built.stderr
    env = {name: value for name, value in os.environ.items() if not name.upper().startswith("MIMALLOC_")}
    env.update(LD_PRELOAD=args.lib, **dict(header["env"]))
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
        if not re.search(header["expect"], run.stderr):
            wrong.append(f"no match for {header['expect']}")
        if len(lines) != 1 or not LINE.match(lines[0]):
            wrong.append("not one line of the right form")
    return "; ".join(wrong) + "\n" + run.stderr if wrong else None


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--lib", default=os.environ.get("LIB"), help="our libmimalloc.so (or LIB in the environment)")
    args.add_argument("--cc", default=os.environ.get("CC", "cc"))
    args.add_argument("names", nargs="*", metavar="NAME", help="only these programs")
    args = args.parse_args()
    if not args.lib or not os.path.exists(args.lib):
        sys.exit(f"run.py: no library {args.lib}")
    args.lib = os.path.abspath(args.lib)

    paths = sorted(os.path.join(HERE, name) for name in os.listdir(HERE)
                   if name.endswith(".c") and (not args.names or name[:-2] in args.names))
    if not paths:
        sys.exit("run.py: no such program")
    failures = 0
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(2) as pool:
        for path, wrong in zip(paths, pool.map(lambda path: check(path, args, scratch), paths)):
            name = os.path.basename(path)[:-2]
            print(f"{'FAIL' if wrong else 'ok':5}{name}" + (f": {wrong.rstrip()}" if wrong else ""))
            failures += wrong is not None
    print(f"{len(paths) - failures} of {len(paths)} right")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
