# SPDX-License-Identifier: MIT
"""The samples of a run: medians, ratios, geometric means, and the CSV file that keeps them."""
import csv
import math
import os
import statistics

import allocators
import machine

# What is compared: name, heading, unit. Less is better in all of them.
METRICS = [
    ("wall_s", "time", "s"),
    ("cpu_s", "user and system time", "s"),
    ("peak_kib", "peak memory", "MiB"),
    ("after_kib", "memory after the work", "MiB"),
    ("idle_kib", "memory after 100 ms more", "MiB"),
    ("faults", "page faults", ""),
]
COLUMNS = ["wall_s", "wall_min_s", "wall_max_s", "user_s", "system_s", "cpu_s", "peak_kib", "after_kib", "idle_kib",
           "faults", "operations", "thread_bytes"]


class Series:
    """All runs of one task under one allocator."""

    def __init__(self):
        self.samples, self.failure, self.kept = [], None, None

    def value(self, metric):
        """The median; None where it was not measured."""
        if self.kept is not None:
            return self.kept.get(metric)
        if metric == "cpu_s":
            values = [s["user_s"] + s["system_s"] for s in self.samples if "user_s" in s]
        elif metric in ("wall_min_s", "wall_max_s"):
            values = [s["wall_s"] for s in self.samples]
            return (min if metric == "wall_min_s" else max)(values) if values else None
        else:
            values = [s[metric] for s in self.samples if s.get(metric) is not None]
        return statistics.median(values) if values else None

    def wall(self):
        return self.value("wall_s")

    def runs(self):
        return int(self.kept["runs"]) if self.kept is not None else len(self.samples)

    def spread(self):
        """(longest - shortest) / median of the time."""
        wall = self.wall()
        return (self.value("wall_max_s") - self.value("wall_min_s")) / wall if wall else 0

    def checksum(self):
        if self.kept is not None:
            return self.kept.get("checksum")
        found = sorted({s["checksum"] for s in self.samples if s.get("checksum")})
        return " ".join(found) if found else None


class Result:
    """One task under all allocators."""

    def __init__(self, task, names):
        self.name, self.group, self.text, self.threads = task.name, task.group, task.text, task.threads
        self.series = {name: Series() for name in names}

    def value(self, name, metric):
        series = self.series.get(name)
        return series.value(metric) if series and not series.failure else None

    def ratio(self, over, under, metric):
        """One allocator's figure over another's."""
        a, b = self.value(over, metric), self.value(under, metric)
        return a / b if a and b else None

    def best_peer(self, metric):
        """(name, figure) of the best of the others."""
        found = [(self.value(n, metric), n) for n in self.series if n != allocators.OWN and self.value(n, metric)]
        return (min(found)[1], min(found)[0]) if found else None

    def over_best(self, metric):
        best, own = self.best_peer(metric), self.value(allocators.OWN, metric)
        return own / best[1] if best and own else None

    def nanoseconds(self, name):
        """Time of one operation, for programs that count them."""
        wall, operations = self.value(name, "wall_s"), self.value(name, "operations")
        return wall / operations * 1e9 if wall and operations else None

    def checksums(self):
        return {s.checksum() for s in self.series.values() if s.checksum()}


def geometric_mean(ratios):
    values = [r for r in ratios if r]
    return math.exp(sum(math.log(r) for r in values) / len(values)) if values else None


def names_in(measured):
    """The allocators, in the order of the first result that has most of them."""
    return list(max((r.series for r in measured), key=len)) if measured else []


def write_csv(path, measured, host):
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        for what, text in host.lines:
            file.write(f"# {what}: {text}\n")
        file.write(f"# short: {host.short}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["task", "group", "text", "threads", "allocator", "runs"] + COLUMNS + ["checksum", "failure"])
        for result in measured:
            for name, series in result.series.items():
                row = [series.value(c) for c in COLUMNS]
                row = ["" if v is None else f"{v:.6g}" if isinstance(v, float) and v < 100000 else round(v) for v in row]
                writer.writerow([result.name, result.group, result.text, result.threads, name, series.runs()] + row +
                                [series.checksum() or "", series.failure or ""])


class Kept:
    """What a CSV file knows of a task."""

    def __init__(self, row):
        self.name, self.group, self.text, self.threads = row["task"], row["group"], row["text"], int(row["threads"])


def read_csv(path):
    """(results, machine) of a file that write_csv made."""
    with open(path, encoding="utf-8", newline="") as file:
        lines = file.read().split("\n")
    heads = [line[2:].partition(": ") for line in lines if line.startswith("# ")]
    short = next((text for what, _, text in heads if what == "short"), "")
    host = machine.Machine(short, [(what, text) for what, _, text in heads if what != "short"])
    found = {}
    for row in csv.DictReader(line for line in lines if line and not line.startswith("# ")):
        result = found.setdefault(row["task"], Result(Kept(row), []))
        series = result.series.setdefault(row["allocator"], Series())
        series.kept = {c: float(row[c]) for c in COLUMNS + ["runs"] if row.get(c)}
        series.kept.setdefault("runs", 0)
        series.kept["checksum"] = row["checksum"] or None
        series.failure = row["failure"] or None
    return list(found.values()), host
