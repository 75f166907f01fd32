#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures this library beside glibc's malloc and every peer that Debian ships, workload by workload.

    bench/run.py                          # everything: about half an hour
    bench/run.py --quick                  # our own programs with less work: two minutes
    bench/run.py larson python3           # these alone; patterns such as 'micro.*' are fine
    bench/run.py --csv --html page.html   # also bench/results/<machine>-<date>.csv, and a page with plots
    bench/run.py --threads 1,2,4,8        # what has threads, once for each count
    bench/run.py --list

The runs of one workload are interleaved (A B C … A B C …), so that a change in the machine's load meets all allocators
alike. What is printed is explained in bench/README.md.
"""
import argparse
import datetime
import fnmatch
import os
import re
import shutil
import sys
import tempfile
import time

import allocators
import machine
import measure
import page
import real
import report
import results
import tasks

ROOT = os.path.dirname(measure.HERE)
RUNS, QUICK_RUNS, QUICK_SCALE, CHECK_SCALE = 5, 3, 0.15, 0.002
# A peer that is this much slower than the fastest, and takes this long, is not run again for that workload.
HOPELESS_FACTOR, HOPELESS_S = 6, 2.0


class Context:
    """What a task needs to know to run."""

    def __init__(self, builder, scratch, scale, idle_ms):
        self.builder, self.scratch, self.scale, self.idle_ms = builder, scratch, scale, idle_ms
        self.launcher = builder.program("launch")


class Progress:
    """One line that is rewritten, on a terminal only."""

    def __init__(self, total):
        self.total, self.done, self.start = total, 0, time.monotonic()
        self.active = sys.stderr.isatty()

    def show(self, text):
        if self.active:
            elapsed = time.monotonic() - self.start
            left = elapsed / self.done * (self.total - self.done) if self.done else 0
            line = f"[{self.done}/{self.total}] {text}  {clock(elapsed)}, about {clock(left)} left"
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[K" + line[:width])
            sys.stderr.flush()

    def clear(self):
        if self.active:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="workloads, by name or pattern (default: all)")
    add("--lib", default=os.path.join(ROOT, "build", "libmimalloc.so"), help="our library (build/libmimalloc.so)")
    add("--with", dest="extra", action="append", default=[], metavar="NAME=PATH[,VARIABLE=VALUE]",
        help="one more peer, or this library with an option set: secure=build/libmimalloc.so,MIMALLOC_SECURE=1")
    add("--peers", metavar="A,B", help="only these peers (glibc, mimalloc2, jemalloc, tcmalloc, tbb, scudo)")
    add("--group", action="append", choices=["workload", "micro", "real"], help="only these groups")
    add("--quick", action="store_true", help="our own programs only, less work, three runs")
    add("--check", action="store_true", help="very little work, glibc beside us; exit 1 unless all results agree")
    add("--runs", type=int, help=f"runs of each ({RUNS})")
    add("--scale", type=float, help="amount of work of our own programs (1)")
    add("--threads", metavar="N,M", help="threads of the workloads that have them (the number of processors)")
    add("--csv", nargs="?", const="", metavar="FILE", help="write the results (bench/results/<machine>-<date>.csv)")
    add("--html", metavar="FILE", help="write a page with plots")
    add("--from-csv", metavar="FILE", help="measure nothing, show what the file holds")
    add("--no-install", action="store_true", help="do not install missing peers")
    add("--install", action="store_true", help="install missing real programs too")
    add("--build-dir", default=os.path.join(ROOT, "build", "bench"), help="where the programs are built")
    add("--cc", default=os.environ.get("CC", "cc"))
    add("--cxx", default=os.environ.get("CXX", "c++"))
    add("--list", action="store_true", help="print the workloads")
    args = parser.parse_args()
    args.runs = args.runs or (1 if args.check else QUICK_RUNS if args.quick else RUNS)
    args.scale = args.scale or (CHECK_SCALE if args.check else QUICK_SCALE if args.quick else 1)
    processors = len(os.sched_getaffinity(0))
    try:
        args.threads = [int(n) for n in (args.threads or str(processors)).split(",")]
    except ValueError:
        parser.error("--threads wants numbers: 1,2,4")
    return args


def choose(args):
    """The tasks that the arguments name."""
    everything = tasks.workloads(args.threads) + real.programs()
    groups = args.group
    if not groups and not args.names and (args.quick or args.check):
        groups = ["workload", "micro"]
    chosen = [t for t in everything if not groups or t.group in groups]
    if args.names:
        for name in args.names:
            if not any(matches(t, name) for t in everything):
                sys.exit(f"run.py: no workload '{name}'; --list prints them")
        chosen = [t for t in chosen if any(matches(t, name) for name in args.names)]
    return chosen


def matches(task, pattern):
    full = [task.name, task.name.split("/")[0], f"{task.group}.{task.name}"]
    return any(fnmatch.fnmatch(name, pattern) for name in full)


def print_list(chosen):
    for task in chosen:
        print(f"{task.group:10}{task.name:18}{task.text}")


def present(chosen, may_install):
    """Those tasks whose programs are installed; a line for each other one."""
    needed = sorted({package for t in chosen if t.missing() for _, package in t.needs})
    if needed and may_install:
        allocators.install(needed)
    found = []
    for task in chosen:
        why = task.missing()
        if why:
            print(f"Left out: {task.name} ({why})", file=sys.stderr)
        else:
            found.append(task)
    return found


def is_hopeless(series, others):
    """After a first run: far behind, and it would take long."""
    best = min((s.wall() for s in others if s.samples), default=None)
    return best is not None and series.samples and series.wall() > HOPELESS_S and series.wall() > HOPELESS_FACTOR * best


def measure_task(task, context, contenders, runs, progress):
    """All runs of one task; a Result."""
    result = results.Result(task, [a.name for a in contenders])
    try:
        task.prepare(context)
    except measure.Failed as failure:
        for series in result.series.values():
            series.failure = str(failure)
        progress.done += runs * len(contenders)
        return result
    for run in range(runs):
        # A different one goes first each time.
        for allocator in contenders[run % len(contenders):] + contenders[:run % len(contenders)]:
            series = result.series[allocator.name]
            progress.show(f"{task.name}  run {run + 1}/{runs}  {allocator.name}")
            progress.done += 1
            if series.failure or (run > 0 and is_hopeless(series, result.series.values())):
                continue
            try:
                series.samples.append(task.run(context, allocator))
            except measure.Failed as failure:
                series.failure = str(failure)
    return result


def measure_all(args, chosen, contenders):
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        os.chmod(scratch, 0o755)  # a server may run as another user
        idle_ms = 0 if args.check or args.quick else 100
        context = Context(measure.Builder(args.build_dir, args.cc, args.cxx), scratch, args.scale, idle_ms)
        for task in chosen:
            if isinstance(task, tasks.Workload):
                task.prepare(context)
        progress = Progress(len(chosen) * len(contenders) * args.runs)
        measured = []
        for task in chosen:
            measured.append(measure_task(task, context, contenders, args.runs, progress))
            progress.clear()
            report.print_line(measured[-1], sys.stderr)
    return measured


def check(measured):
    """Whether all allocators computed the same, and none failed."""
    bad = 0
    for result in measured:
        for name, series in result.series.items():
            if series.failure:
                print(f"{result.name}: {name}: {series.failure}")
                bad += 1
        if len(result.checksums()) > 1:
            print(f"{result.name}: different results: {result.checksums()}")
            bad += 1
    if bad:
        sys.exit(f"run.py: {bad} of the runs went wrong")


def csv_path(host):
    day = datetime.date.today().isoformat()
    return os.path.join(measure.HERE, "results", f"{re.sub(r'[^a-z0-9]+', '-', host.short.lower()).strip('-')}-{day}.csv")


def main():
    args = arguments()
    if args.from_csv:
        measured, host = results.read_csv(args.from_csv)
    else:
        chosen = choose(args)
        if args.list:
            print_list(chosen)
            return
        wanted = [allocators.GLIBC] if args.check and not args.peers else args.peers.split(",") if args.peers else None
        if not os.path.exists(args.lib):
            sys.exit(f"run.py: no library {args.lib}: make build")
        contenders = allocators.collect(args.lib, args.extra, wanted, not args.no_install)
        chosen = present(chosen, args.install)
        if not chosen:
            sys.exit("run.py: nothing to measure")
        host = machine.describe(args)
        started = time.monotonic()
        measured = measure_all(args, chosen, contenders)
        host.minutes = (time.monotonic() - started) / 60
    if args.check:
        check(measured)
        print(f"{len(measured)} workloads, the same results under all allocators")
        return
    report.print_all(measured, host, sys.stdout)
    if args.csv is not None:
        path = args.csv or csv_path(host)
        results.write_csv(path, measured, host)
        print(f"written: {os.path.relpath(path)}")
    if args.html:
        page.write(args.html, measured, host)
        print(f"written: {os.path.relpath(args.html)}")
    check(measured)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nrun.py: interrupted")
