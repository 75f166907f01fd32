# SPDX-License-Identifier: MIT
"""What is measured: real programs, each with a fixed piece of work. One that is not installed is left out with a line."""
import os
import shutil

import measure
import servers

REAL = os.path.join(measure.HERE, "real")
WORKLOADS = os.path.join(measure.HERE, "workloads")


class Program:
    """A program that is started, does its work and ends."""

    group, threads = "real", 1

    def __init__(self, name, needs, text, command, stdin=None, env=None, prepare=None, clean=None):
        self.name, self.needs, self.text = name, needs, text
        self.command, self.stdin, self.env, self.preparation, self.clean = command, stdin, env, prepare, clean

    def missing(self):
        return servers.missing(self.needs)

    def prepare(self, context):
        if self.preparation:
            self.preparation(context.scratch)

    def run(self, context, allocator):
        command = [word.replace("{scratch}", context.scratch) for word in self.command]
        with measure.Process(context.launcher, context.scratch, allocator, command, self.env, context.scratch,
                             self.stdin) as process:
            output, sample = process.finish()
        if self.clean:
            shutil.rmtree(os.path.join(context.scratch, self.clean), ignore_errors=True)
        # A program that prints what it computed must print the same each time.
        if output.strip() and self.name in SAME_OUTPUT:
            sample["checksum"] = f"{hash_of(output):016x}"
        return sample


def hash_of(text):
    h = 14695981039346656037  # FNV-1a
    for byte in text.encode():
        h = (h ^ byte) * 1099511628211 % (1 << 64)
    return h


SAME_OUTPUT = {"python3", "lua", "ruby", "node", "sqlite3", "z3"}


def make_text(scratch):
    """About 50 MB of words in 40 files, the same every time."""
    folder = os.path.join(scratch, "text")
    if os.path.isdir(folder):
        return
    os.makedirs(folder)
    state = 1
    words = []
    for _ in range(4000):
        state = state * 16807 % 2147483647
        words.append("".join(chr(97 + (state >> k) % 26) for k in range(1, 4 + state % 9)))
    for number in range(40):
        lines = []
        for _ in range(16000):
            line = []
            for _ in range(10):
                state = state * 16807 % 2147483647
                line.append(words[state % 4000])
            lines.append(" ".join(line))
        with open(os.path.join(folder, f"{number}.txt"), "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")


def sources(*names):
    return [os.path.join(WORKLOADS, name) for name in names]


def programs():
    return [
        Program("python3", [("/usr/bin/python3", "python3")], "records, JSON and trees with PYTHONMALLOC=malloc",
                ["/usr/bin/python3", f"{REAL}/records.py"], env={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0",
                                                                  "PYTHONDONTWRITEBYTECODE": "1"}),
        Program("lua", [("lua5.4", "lua5.4")], "tables, strings and sorting", ["lua5.4", f"{REAL}/records.lua"]),
        Program("ruby", [("ruby", "ruby")], "hashes, strings and sorting", ["ruby", f"{REAL}/records.rb"]),
        Program("node", [("node", "nodejs")], "JSON, buffers and compression", ["node", f"{REAL}/records.js"]),
        Program("gcc", [("gcc", "gcc")], "compiles seven of these programs at -O2",
                ["gcc", "-O2", "-c"] + sources("factor.c", "minimise.c", "rbtree.c", "micro.c", "larson.c", "mstress.c",
                                               "phases.c")),
        Program("clang", [("clang", "clang")], "compiles a C++ program at -O2",
                ["clang++", "-std=c++17", "-O2", "-c"] + sources("strings.cc")),
        Program("sqlite3", [("sqlite3", "sqlite3")], "a database in memory", ["sqlite3", ":memory:"],
                stdin=f"{REAL}/records.sql"),
        servers.Redis(),
        Program("z3", [("z3", "z3")], "a product's factors and a schedule", ["z3", f"{REAL}/solve.smt2"]),
        Program("gs", [("gs", "ghostscript")], "forty pages of text, curves and shades",
                ["gs", "-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-sDEVICE=ppmraw", "-r72", "-sOutputFile=/dev/null",
                 f"{REAL}/page.ps"]),
        Program("rocksdb", [("db_bench", "rocksdb-tools")], "db_bench: fill and read at random",
                ["db_bench", "--benchmarks=fillrandom,readrandom,readseq", "--num=150000", "--value_size=300", "--seed=1",
                 "--threads=1", "--disable_wal=1", "--compression_type=none", "--cache_size=8388608",
                 "--db={scratch}/rocksdb"], clean="rocksdb"),
        Program("ripgrep", [("rg", "ripgrep")], "a pattern in 50 MB of text",
                ["rg", "--no-config", "-j", "2", "-c", r"\b(\w+)a\w* [b-k]\w+ng\w*\b", "{scratch}/text"],
                prepare=make_text),
        servers.Memcached(),
        servers.Nginx(),
        servers.Postgres(),
        servers.RustWeb(),
    ]
