#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares allocators under the example web server in Rust (examples/rust-web), one that is built with this one.

    bench/web.py                       # nine runs of each, which take turns: about four minutes
    bench/web.py --runs 3 --peers glibc,jemalloc
    bench/web.py --instructions        # under callgrind: instructions per request, which other work does not change

Each run starts the server, opens its cache to 100 MB, and sends it requests over 32 connections, each one after the answer
to the one before. Then the cache is emptied, and a few requests are sent for two seconds. Medians are printed; memory is
resident memory before, under and after the load. Under LD_PRELOAD is the name `this`; `this (crate)` is the server that
has it as its global allocator.
"""
import argparse
import os
import re
import signal
import statistics
import sys
import tempfile
import time

import allocators
import measure
import servers

ROOT = os.path.dirname(measure.HERE)
CRATE = "this (crate)"


class Web(servers.RustWeb):
    """The server, with the figures of its client and its memory at three moments."""

    def __init__(self, requests):
        self.requests = requests

    def program_for(self, name):
        return os.path.join(self.folder, "web-server-mimalloc" if name == CRATE else "web-server")

    def measured(self, context, allocator):
        port = servers.free_port()
        command = [self.program_for(allocator.name)] + self.command(context, port)[1:]
        with measure.Process(context.launcher, context.scratch, allocator, command) as process:
            servers.wait_for(port, process)
            pid = process.pid()
            before = measure.memory_kib(pid, "Rss")
            seen = self.load(context, port)
            under = measure.memory_kib(pid, "Rss")
            loaded = cpu_seconds(pid)
            self.empty(port)
            after = measure.memory_kib(pid, "Rss")
            process.stop(signal.SIGTERM)
        figures = {name: float(seen[name]) for name in ("rate", "p50_us", "p90_us", "p99_us", "p999_us")}
        figures.update(cpu_us=loaded / float(seen["requests"]) * 1e6, before=before / 1024, under=under / 1024,
                       after=after / 1024)
        return figures, seen["sum"]


    def instructions(self, context, allocator):
        """Instructions of the server for each request, its start included."""
        port = servers.free_port()
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", self.program_for(allocator.name)]
        with measure.Process(context.launcher, context.scratch, allocator, command + self.command(context, port)[1:],
                             program=self.program_for(allocator.name)) as process:
            servers.wait_for(port, process)
            self.put(port, "/budget?bytes=4000000")
            seen = self.requests_of(port, 2000)
            process.stop(signal.SIGTERM)
            counted = re.search(r"Collected : (\d+)", process.errors())
        if not counted:
            raise measure.Failed(f"valgrind: {measure.last_line(process.errors())}")
        return int(counted.group(1)) / float(seen["requests"])


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


class Context:
    def __init__(self, folder, scratch):
        self.builder = measure.Builder(folder, os.environ.get("CC", "cc"), os.environ.get("CXX", "c++"))
        self.launcher, self.scratch = self.builder.program("launch"), scratch


COLUMNS = [("requests/s", "rate", "{:.0f}"), ("processor time, µs", "cpu_us", "{:.1f}"), ("p50, ms", "p50_us", "{:.2f}"),
           ("p90, ms", "p90_us", "{:.2f}"), ("p99, ms", "p99_us", "{:.2f}"), ("p99.9, ms", "p999_us", "{:.1f}"),
           ("before, MB", "before", "{:.1f}"), ("under, MB", "under", "{:.1f}"), ("after, MB", "after", "{:.1f}")]


def table(samples):
    print("| | " + " | ".join(title for title, _, _ in COLUMNS) + " |")
    print("| --- |" + " ---: |" * len(COLUMNS))
    for name, runs in samples.items():
        middle = {field: statistics.median(run[field] for run in runs) for _, field, _ in COLUMNS}
        cells = [text.format(middle[field] / 1000 if field.endswith("_us") and field[0] == "p" else middle[field])
                 for _, field, text in COLUMNS]
        print(f"| {name} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", default=os.path.join(ROOT, "build", "libmimalloc.so"), help="our library, to be preloaded")
    parser.add_argument("--with", dest="extra", action="append", default=[], metavar="NAME=PATH", help="one more peer")
    parser.add_argument("--peers", default="glibc,jemalloc,mimalloc2,tcmalloc", help="only these")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--requests", type=int, default=40000)
    parser.add_argument("--instructions", action="store_true", help="count instructions instead")
    parser.add_argument("--build-dir", default=os.path.join(ROOT, "build", "bench"))
    args = parser.parse_args()
    if not os.path.exists(args.lib):
        sys.exit(f"web.py: no library {args.lib}: make build")
    web = Web(args.requests)
    if web.missing():
        sys.exit(f"web.py: {web.missing()}")
    contenders = [allocators.Allocator(CRATE, "")] + allocators.collect(args.lib, args.extra, args.peers.split(","), False)
    samples, sums = {a.name: [] for a in contenders}, set()
    with tempfile.TemporaryDirectory(prefix="web-") as scratch:
        context = Context(args.build_dir, scratch)
        web.prepare(context)
        if args.instructions:
            for allocator in contenders:
                print(f"{allocator.name:14}{web.instructions(context, allocator):10.0f} instructions per request")
            return
        for run in range(args.runs):
            for allocator in contenders[run % len(contenders):] + contenders[:run % len(contenders)]:
                start = time.monotonic()
                figures, answers = web.measured(context, allocator)
                samples[allocator.name].append(figures)
                sums.add(answers)
                print(f"{run + 1}/{args.runs} {allocator.name}: {figures['rate']:.0f} requests/s "
                      f"({time.monotonic() - start:.1f} s)", file=sys.stderr)
    table(samples)
    if len(sums) != 1:
        sys.exit(f"web.py: different answers: {sums}")


if __name__ == "__main__":
    try:
        main()
    except measure.Failed as failure:
        sys.exit(f"web.py: {failure}")
    except KeyboardInterrupt:
        sys.exit("\nweb.py: interrupted")
