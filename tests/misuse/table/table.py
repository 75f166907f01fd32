#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every case of cases.txt, a program with one violation each, and compares with what stands there.

    table.py PROGRAM LIBRARY LEVEL      one level of MIMALLOC_SECURE; 0 is the default mode
    table.py PROGRAM LIBRARY --update   writes what happens into cases.txt
    table.py PROGRAM LIBRARY --document FILE   the same cases with the installed peers, as a page

A column of cases.txt says what happens at a level:
    double, interior, none-here, foreign, size, overflow, late-write
                a report with these words (REPORTS); all but foreign and size end the process
    fault       the access that is the mistake is refused
    held        what the case is about can't happen: nothing stale is readable, NULL for impossible sizes
    missed      none of these: the program got to its end, crashed elsewhere, or hung
Where chance decides what lies at an address, the words that may come are joined by "/".
"""
import argparse
import collections
import concurrent.futures
import glob
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "cases.txt")
TIMEOUT_SECONDS = 60
NOT_HERE = 77
HEAD = r"^==\d+==ERROR: mimalloc: "
CALL = r": \w+\(0x[0-9a-f]+\): "
STOPS = r".* The process stops here"
GOES_ON = r".* The call had no effect"
REPORTS = {
    "double": HEAD + "double-free" + CALL + "the block is free already" + STOPS,
    "interior": HEAD + "invalid-free" + CALL + "it points inside a block, not at its start" + STOPS,
    "none-here": HEAD + "invalid-free" + CALL + "it points into the allocator's memory, where no block is now" + STOPS,
    "foreign": HEAD + "invalid-free" + CALL + "(it lies|nothing is mapped there|a small number)" + GOES_ON,
    "size": HEAD + "size-mismatch" + CALL + "the size or alignment given is not" + GOES_ON,
    "overflow": HEAD + "buffer-overflow" + CALL + "bytes behind the block's own were written to" + STOPS,
    "late-write": HEAD + "use-after-free" + CALL + "bytes of the block were written to while it was free" + STOPS,
}
PEERS = [
    ("glibc", [None]),
    ("jemalloc", ["/usr/lib/*/libjemalloc.so.2"]),
    ("tcmalloc", ["/usr/lib/*/libtcmalloc_minimal.so.4"]),
    ("mimalloc 2", ["/usr/lib/*/libmimalloc.so.2"]),
    ("Scudo", ["/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.scudo_standalone-x86_64.so"]),
]
Case = collections.namedtuple("Case", "words expected")
Run = collections.namedtuple("Run", "verdict text")


def read_cases():
    levels, cases = [], []
    with open(CASES, encoding="utf-8") as file:
        for line in file:
            left, _, right = line.partition("|")
            if line.startswith("# case"):
                levels = right.split()
            elif not line.startswith("#") and left.split():
                cases.append(Case(left.split(), dict(zip(levels, right.split()))))
    return levels, cases


def noted(verdict, expected):
    word = verdict if is_stop(verdict) else "missed"
    return expected if word in expected.split("/") else word


def write_cases(levels, cases, found):
    with open(CASES, encoding="utf-8") as file:
        comments = [line for line in file if line.startswith("#") and not line.startswith("# case")]
    with open(CASES, "w", encoding="utf-8") as file:
        file.writelines(comments)
        rows = [(["# case", "size", "offset"], levels)]
        rows += [(case.words + [""] * (3 - len(case.words)), [noted(found[i, level].verdict, case.expected.get(level, "")) for level in levels])
                 for i, case in enumerate(cases)]
        for words, columns in rows:
            left = f"{words[0]:30}{words[1]:>19} {words[2]:>12} | "
            file.write((left + " ".join(f"{column:10}" for column in columns)).rstrip() + "\n")


def judge(run):
    said = run.stderr.splitlines()
    if run.returncode == NOT_HERE:
        return "n/a"
    if run.returncode == -signal.SIGALRM:
        return "hang"
    for verdict, words in REPORTS.items():
        stops = words.endswith(STOPS)
        if said and re.match(words, said[0]) and run.returncode == (-signal.SIGABRT if stops else 0):
            return verdict
    if run.returncode == -signal.SIGABRT and said:
        return "report"
    if run.returncode != 0:
        return "crash"
    return run.stdout.strip() or "nothing"


def run_case(program, words, library, level):
    env = {name: value for name, value in os.environ.items() if not name.upper().startswith("MIMALLOC_")}
    if library is not None:
        env["LD_PRELOAD"] = library
    if level != "0":
        env["MIMALLOC_SECURE"] = level
    try:
        run = subprocess.run([program] + words, env=env, capture_output=True, encoding="utf-8", errors="replace",
                             timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return Run("hang", "")
    return Run(judge(run), run.stderr)


def run_all(program, cases, columns):
    """{(index of the case, column): Run} for columns {name: (library, level)}."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {(i, name): pool.submit(run_case, program, case.words, *column)
                for i, case in enumerate(cases) for name, column in columns.items()}
        return {key: job.result() for key, job in jobs.items()}


def check(cases, found, level):
    """What is missed by design does as it likes: it may even be seen, by chance."""
    wrong = 0
    for i, case in enumerate(cases):
        run = found[i, level]
        allowed = case.expected.get(level, "").split("/")
        if "missed" not in allowed and run.verdict not in allowed:
            wrong += 1
            print(f"{' '.join(case.words)}: {run.verdict}, not {case.expected.get(level)}\n{run.text}")
    print(f"level {level}: {len(cases) - wrong} of {len(cases)} as cases.txt says")
    return wrong


# ---- the page

SHOWN = {"missed": "–", "n/a": "", "crash": "crash", "hang": "hang"}
GOOD = {*REPORTS, "report", "fault", "held"}


def is_stop(verdict):
    return verdict in GOOD


def peer_columns():
    columns = {}
    for name, patterns in PEERS:
        for pattern in patterns:
            paths = [None] if pattern is None else sorted(glob.glob(pattern))
            if paths:
                columns[name] = (paths[-1], "0")
    return columns


def scores(cases, found, column):
    runs = [found[i, column].verdict for i in range(len(cases))]
    counted = [verdict for verdict in runs if verdict != "n/a"]
    return sum(map(is_stop, counted)), len(counted)


def count_line(title, cases, found, columns):
    cells = []
    for column in columns:
        stopped, of = scores(cases, found, column)
        cells.append(f"{stopped}/{of} ({round(100 * stopped / of)}%)" if of else "")
    return f"| **{title}** | | " + " | ".join(cells) + " |\n"


def page(levels, cases, found, columns):
    names = ["default" if column == "0" else f"level {column}" if column in levels else column for column in columns]
    out = [
        "# What misuse does\n\n",
        "Made by `tests/misuse/table/table.py --document` from real runs. Each row is a program with one mistake\n",
        "(`tests/misuse/table/cases.c`), with blocks of the size given. The first columns are this library by\n",
        "`MIMALLOC_SECURE`, the others the allocators that Debian ships.\n\n",
        "A stop is a report with the process ended or the call without effect, a fault at the very access that is the\n",
        "mistake, or *held*: what the case is about can't happen. A dash means that the program got to its end as if\n",
        "nothing were wrong; a crash elsewhere, or a hang, is no stop either.\n\n",
        "| mistake | size | " + " | ".join(names) + " |\n", "| --- | --- |" + " --- |" * len(names) + "\n",
        count_line("stopped", cases, found, columns),
    ]
    for i, case in enumerate(cases):
        cells = [SHOWN.get(found[i, column].verdict, found[i, column].verdict) for column in columns]
        what = case.words[0].replace("_", " ") + (f", {case.words[2]}" if len(case.words) > 2 else "")
        out.append(f"| {what} | {case.words[1]} | " + " | ".join(cells) + " |\n")
    return "".join(out)


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("program", help="the compiled cases.c")
    args.add_argument("library", help="our libmimalloc.so")
    args.add_argument("level", nargs="?")
    args.add_argument("--update", action="store_true")
    args.add_argument("--document", metavar="FILE")
    args = args.parse_args()
    library = os.path.abspath(args.library)
    if not os.path.exists(library) or not os.path.exists(args.program):
        sys.exit("table.py: no such program or library")
    levels, cases = read_cases()
    if args.level is not None:
        if args.level not in levels:
            sys.exit(f"table.py: cases.txt has no level {args.level}")
        sys.exit(check(cases, run_all(args.program, cases, {args.level: (library, args.level)}), args.level) != 0)
    columns = {level: (library, level) for level in levels}
    if args.update:
        write_cases(levels, cases, run_all(args.program, cases, columns))
    if args.document:
        columns.update(peer_columns())
        with open(args.document, "w", encoding="utf-8") as file:
            file.write(page(levels, cases, run_all(args.program, cases, columns), columns))


if __name__ == "__main__":
    main()
