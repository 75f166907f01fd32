#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutation testing: makes one small mistake at a time in a copy of the sources, and expects a test to fail.

    tests/mutation/run.py [--count N] [--seed N] [--jobs N] [--only TEXT] [--least PERCENT] [FOLDER ...]

FOLDERs are those of src/ (page and heap). The mistakes are a sample, the same for the same seed and sources: comparisons
and sums off by one, conditions turned around or cut short, statements left out, other results. What only orders memory is
left alone (tests/concurrent/mutants.py), as are the library's own checks, which are on. What survives is printed; what makes
no difference stands in NO_DIFFERENCE, with the reason, and is counted apart. Exits with 1 when fewer than PERCENT of the
others are found.
"""
import argparse
import multiprocessing.pool
import os
import queue
import random
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLACE = os.path.join(ROOT, "build", "mutation")
TEST_SECONDS = 60
EQUIVALENT = "-" # in place of the test that finds a mistake
# After the unit test of the file's own name, from quick and near to slow and far.
TESTS = ["test_page", "test_thread_heap", "test_remote", "test_registry", "test_held", "test_trim", "test_samples",
         "test_sampling", "test_heap", "test_blockmap", "test_seal", "test_census", "test_stats", "test_free", "test_alloc", "test_realloc",
         "test_aligned", "test_estimate", "test_guard", "test_registry_fork", "test_away", "test_spin", "test_api_basic",
         "test_api_heap", "test_api_walk", "test_api_aligned", "test_api_realloc", "test_api_subproc", "test_api_heap_stats",
         "test_api_process", "test_api_arena", "fuzz-operations"]
SECURE = ["test_api_basic", "test_api_walk", "test_api_heap", "test_api_realloc"]

# Pairs of what stands there and what comes in its place.
SWAPS = [(" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "), (" == ", " != "), (" != ", " == "), (" + ", " - "),
         (" - ", " + "), (" && ", " || "), (" || ", " && "), (" += ", " -= "), (" -= ", " += "), ("return true;", "return false;"),
         ("return false;", "return true;"), (" + 1", ""), (" - 1", ""), (" & ", " | "), ("continue;", "break;")]
CHECKS = re.compile(r"\b(ASSERT|VERIFY|REQUIRE|_Static_assert|static_assert|TRACKING|MI_\w+)\b|memory_order|^\s*#")
STATEMENT = re.compile(r"^ {4,}(?!return|break|continue|goto|case|default|else|static|do\b)[A-Za-z_(*][^{}]*;\s*(//.*)?$")
DECLARATION = re.compile(r"^ +(const |unsigned |struct |volatile )*\w+(_t)? \**\w+( =.*|\[.*\])?;")
CONDITION = re.compile(r"\b(if|while) \((.*)\) \{$")

# Code of builds with MI_TRACK_* alone, which tests/build/track.sh tests.
OTHER_BUILDS = {"page/cell.c"}
# The line as the mistake leaves it, and why that is as good.
NO_DIFFERENCE = {
    "first = blocks <= first ? blocks : first;": "both are the same then",
}


@dataclass
class Mutant:
    path: str  # below src/
    line: int
    new: str   # the whole line
    what: str


def mutants_of_line(path, number, line):
    code = re.sub(r'"(\\.|[^"\\])*"', lambda found: "\0" * len(found.group()), line.split("//")[0])
    if CHECKS.search(code):
        return
    for old, new in SWAPS:
        for found in re.finditer(re.escape(old), code):
            changed = line[:found.start()] + new + line[found.end():]
            yield Mutant(path, number, changed, f"{old.strip()} becomes {new.strip() or 'nothing'}")
    condition = CONDITION.search(code)
    if condition:
        inner = line[condition.start(2):condition.end(2)]
        yield Mutant(path, number, line[:condition.start(2)] + f"!({inner})" + line[condition.end(2):], "the condition is turned around")
    if STATEMENT.match(line) and not DECLARATION.match(line) and code.count("(") == code.count(")"):
        yield Mutant(path, number, re.sub(r"\S.*", ";", line, count=1), "left out")


def all_mutants(folders):
    for folder in folders:
        base = os.path.join(ROOT, "src", folder)
        for name in sorted(os.listdir(base)):
            path = f"{folder}/{name}"
            if path in OTHER_BUILDS:
                continue
            with open(os.path.join(base, name), encoding="utf-8") as file:
                lines = file.read().split("\n")
            before = ";"
            for number, line in enumerate(lines):
                whole = before.rstrip().endswith((";", "{", "}", ":")) or before.strip().startswith("//") or not before.strip()
                for mutant in mutants_of_line(path, number, line):
                    # The second line of a statement can't be left out alone.
                    if whole or mutant.what != "left out":
                        yield mutant
                before = line.split("//")[0] if line.split("//")[0].strip() else line


class Tree:
    """A copy of the sources, and a build of it in which every check is on."""

    def __init__(self, number, programs):
        self.root = os.path.join(PLACE, str(number))
        self.build = os.path.join(self.root, "build")
        for part in ("src", "include", "tests", "cmake", "tools", "packaging", "tool"):
            target = os.path.join(self.root, part)
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(os.path.join(ROOT, part), target)
        shutil.copy(os.path.join(ROOT, "CMakeLists.txt"), self.root)
        made = subprocess.run(["cmake", "-G", "Ninja", "-S", self.root, "-B", self.build, "-DCMAKE_BUILD_TYPE=Debug", "-DMI_DEBUG_FULL=ON",
                               "-DMI_BUILD_SHARED=OFF", "-DMI_BUILD_STATIC=OFF", "-DMI_BUILD_OBJECT=OFF", "-DMI_INSTALL=OFF",
                               "-DCMAKE_C_FLAGS=-O1 -w"], capture_output=True, text=True, check=False)
        if made.returncode != 0 or not self.make(programs):
            sys.exit(f"mutation: no build in {self.build}: {made.stderr[-2000:]}")

    def make(self, programs):
        return subprocess.run(["ninja", "-C", self.build, *programs], capture_output=True, check=False).returncode == 0

    def fails(self, program, secure=False):
        corpus = [os.path.join(self.root, "tests/fuzz/corpus/operations")] if program.startswith("fuzz") else []
        env = {**os.environ, "MIMALLOC_GUARDED_SAMPLE_RATE": "0", **({"MIMALLOC_SECURE": "4"} if secure else {})}
        # In a session of its own: what it leaves running ends with it.
        with subprocess.Popen([os.path.join(self.build, "tests", program), *corpus], cwd=self.build, env=env, start_new_session=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as run:
            try:
                return run.wait(TEST_SECONDS) != 0
            except subprocess.TimeoutExpired:
                return True
            finally:
                try:
                    os.killpg(run.pid, 9)
                except ProcessLookupError:
                    pass

    def judge(self, mutant, programs):
        """What found the mistake; "" when nothing did, None when it is no program."""
        path = os.path.join(self.root, "src", mutant.path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        lines = text.split("\n")
        lines[mutant.line] = mutant.new
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        try:
            own = "test_" + os.path.basename(mutant.path).split(".")[0]
            for program in sorted(programs, key=lambda name: name != own):
                if not self.make([program]):
                    return None
                if self.fails(program) or (program in SECURE and self.fails(program, secure=True)):
                    return program
            return ""
        finally:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=["page", "heap"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1))
    parser.add_argument("--least", type=float, default=0)
    parser.add_argument("--only", default="", help="mistakes in lines of which path:number contains this")
    args = parser.parse_args()
    mutants = [mutant for mutant in all_mutants(args.folders) if args.only in f"{mutant.path}:{mutant.line + 1}"]
    sample = random.Random(args.seed).sample(mutants, min(args.count, len(mutants)))
    trees = queue.Queue()
    for number in range(args.jobs):
        tree = Tree(number, TESTS)
        programs = [name for name in TESTS if not (tree.fails(name) or (name in SECURE and tree.fails(name, secure=True)))]
        trees.put((tree, programs))
        if programs != TESTS:
            print(f"fail without a mistake, and are left out: {' '.join(sorted(set(TESTS) - set(programs)))}")

    def judge(mutant):
        tree, programs = trees.get()
        try:
            found = tree.judge(mutant, programs)
        finally:
            trees.put((tree, programs))
        if found == "" and mutant.new.strip() in NO_DIFFERENCE:
            found = EQUIVALENT
        if found is not None:
            said = {"": "SURVIVES", EQUIVALENT: f"makes no difference ({NO_DIFFERENCE.get(mutant.new.strip())})"}.get(found, f"found by {found}")
            print(f"{said}: {mutant.path}:{mutant.line + 1}: {mutant.what}: {mutant.new.strip()}", flush=True)
        return found

    with multiprocessing.pool.ThreadPool(args.jobs) as pool:
        results = [found for found in pool.map(judge, sample, chunksize=1) if found is not None]
    real = [found for found in results if found != EQUIVALENT]
    killed = sum(found != "" for found in real)
    percent = 100 * killed / max(1, len(real))
    print(f"{killed} of {len(real)} mistakes found ({percent:.0f}%), a sample of {len(mutants)} that could be made; "
          f"{len(results) - len(real)} others make no difference, {len(sample) - len(results)} were no programs")
    return percent < args.least


if __name__ == "__main__":
    sys.exit(main())
