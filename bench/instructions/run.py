#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts instructions per malloc+free pair under callgrind and prints them beside the peers.

    bench/instructions/run.py --lib build/libmimalloc.so            # our library, glibc and the peers installed here
    bench/instructions/run.py --lib … --with other=/path/other.so   # one more peer
    bench/instructions/run.py --lib … --only --check                # our library alone; exit 1 when a target is missed

The count is (instructions of the long run - instructions of the short run) / (pairs of long - pairs of short), so that start-up
cancels out. The loop of pairs.c is included.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

# mode, what it does, instructions at most
MODES = [
    ("lifo", "16 B, last in first out", 44),
    ("batch", "1000 x 64 B, then all freed", 46),
    ("small", "8-1031 B at random", 67),
    ("medium", "1025-17408 B at random", 84),
]

# The first run is long enough for every list and cache to have reached its steady state.
SHORT, LONG = 200_000, 600_000

PEERS = [
    ("jemalloc", "libjemalloc.so.2"),
    ("tcmalloc", "libtcmalloc_minimal.so.4"),
    ("mimalloc2", "libmimalloc.so.2"),
    ("tbb", "libtbbmalloc_proxy.so.2"),
]
LIBRARY_DIRS = ["/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"]


def find_peers():
    """The peers that are installed, as (name, path)."""
    found = []
    for name, soname in PEERS:
        for pattern in LIBRARY_DIRS:
            paths = glob.glob(os.path.join(pattern, soname))
            if paths:
                found.append((name, paths[0]))
                break
    return found


def count(program, mode, pairs, library):
    """Instructions of one whole run."""
    env = dict(os.environ)
    env.pop("LD_PRELOAD", None)
    if library:
        env["LD_PRELOAD"] = library
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, mode, str(pairs)],
        env=env, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found:
        sys.exit(f"run.py: {mode} failed with {library or 'glibc'}:\n{run.stderr}")
    if library and f"object '{library}' from LD_PRELOAD cannot be preloaded" in run.stderr:
        sys.exit(f"run.py: {library} can't be preloaded")
    return int(found.group(1))


def per_pair(program, mode, library):
    return (count(program, mode, LONG, library) - count(program, mode, SHORT, library)) / (LONG - SHORT)


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--lib", required=True, help="our libmimalloc.so")
    args.add_argument("--with", dest="peers", action="append", default=[], metavar="NAME=PATH", help="one more peer")
    args.add_argument("--only", action="store_true", help="no installed peers, no glibc")
    args.add_argument("--mode", action="append", choices=[m[0] for m in MODES], help="only this loop")
    args.add_argument("--check", action="store_true", help="exit 1 when our library misses a target")
    args.add_argument("--cc", default=os.environ.get("CC", "gcc"))
    args = args.parse_args()

    if not shutil.which("valgrind"):
        sys.exit("run.py: valgrind is not installed")
    subjects = [("this", os.path.abspath(args.lib))]
    for peer in args.peers:
        name, _, path = peer.partition("=")
        subjects.append((name, os.path.abspath(path)))
    if not args.only:
        subjects += [("glibc", "")] + find_peers()
    for name, path in subjects:
        if path and not os.path.exists(path):
            sys.exit(f"run.py: no library {path} ({name})")

    missed = 0
    with tempfile.TemporaryDirectory() as scratch:
        program = os.path.join(scratch, "pairs")
        subprocess.run([args.cc, "-O2", "-o", program, os.path.join(HERE, "pairs.c")], check=True)
        print("instructions per malloc+free pair, loop included")
        print(f"{'':30}{'target':>8}" + "".join(f"{name:>11}" for name, _ in subjects))
        for mode, text, target in MODES:
            if args.mode and mode not in args.mode:
                continue
            print(f"{text:30}{target:8}", end="", flush=True)
            for index, (_, path) in enumerate(subjects):
                figure = per_pair(program, mode, path)
                late = index == 0 and figure > target
                missed += late
                print(f"{figure:10.1f}{'!' if late else ' '}", end="", flush=True)
            print()
    if args.check and missed:
        print(f"{missed} of the targets missed (!)")
        sys.exit(1)


if __name__ == "__main__":
    main()
