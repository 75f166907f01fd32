#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# profile.py — reads profiles in all forms, and judges them.
#
#   profile.py accuracy PROGRAM LIB RATE RUNS   the sums of profile.c, RUNS times
#   profile.py stacks FILE [ADDR2LINE]          the stacks of profile.c in the text form: exactly its functions
#   profile.py proto FILE                       prints "folded-names values…" of a .pb.gz, after checking it whole
"""A small reader of profile.proto, and what the profile must show."""
import gzip
import math
import os
import subprocess
import sys
import tempfile


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) for each field of a message; a value is an int or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            assert tag & 7 == 2, f"wire type {tag & 7}"
            length, at = varint(data, at)
            assert at + length <= len(data), "a field is cut off"
            value = data[at:at + length]
            at += length
        yield tag >> 3, value


def packed(data):
    at, values = 0, []
    while at < len(data):
        value, at = varint(data, at)
        values.append(value - (1 << 64) if value >> 63 else value)
    return values


def one(message):
    return dict(fields(message))


class Profile:
    def __init__(self, path):
        with gzip.open(path) as file:  # also checks the length and the CRC
            data = file.read()
        everything = list(fields(data))
        get = lambda number: [value for field, value in everything if field == number]
        self.strings = [text.decode() for text in get(6)]
        assert self.strings[0] == ""
        text = lambda number: self.strings[number]
        self.types = [(text(one(t)[1]), text(one(t)[2])) for t in get(1)]
        self.mappings = {}
        for mapping in map(one, get(3)):
            assert mapping[1] not in self.mappings
            self.mappings[mapping[1]] = (mapping[2], mapping[3], mapping.get(4, 0), text(mapping[5]), text(mapping[6]))
        self.locations = {}
        for location in map(one, get(4)):
            assert location[1] not in self.locations, "two locations with one number"
            assert location[1] != 0
            self.locations[location[1]] = (location[3], location.get(2, 0))
            if location.get(2, 0):
                start, end = self.mappings[location[2]][:2]
                assert start <= location[3] < end
        self.samples = []
        for sample in get(2):
            parts = one(sample)
            where = [self.locations[number] for number in packed(parts.get(1, b""))]
            values = packed(parts[2])
            assert len(values) == len(self.types)
            label = one(parts[3])
            assert text(label[1]) == "bytes" and text(label[4]) == "bytes"
            self.samples.append((where, values, label[3]))
        self.period = get(12)[0]
        period_type = one(get(11)[0])
        assert (text(period_type[1]), text(period_type[2])) == ("space", "bytes")
        assert text(get(14)[0]) == "inuse_space"
        self.comments = [text(number) for number in get(13)]
        self.time, self.duration = get(9)[0], get(10)[0] if get(10) else 0

    def column(self, name):
        return [kind for kind, _ in self.types].index(name)

    def folded(self, column, names):
        """Sums of a column by "outer;inner" names of the first mapping's functions."""
        sums = {}
        for where, values, _ in self.samples:
            way = ";".join(names[address] for address, _ in reversed(where) if names.get(address, "??") != "??")
            sums[way] = sums.get(way, 0) + values[self.column(column)]
        return sums

    def names(self):
        """The names of the program's functions, by addr2line."""
        start, _, offset, path, _ = self.mappings[1]
        ours = sorted({address for where, _, _ in self.samples for address, mapping in where if mapping == 1})
        # The file's address: of the segment that the mapping is a part of.
        header = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True, check=True).stdout
        segment = [line.split() for line in header.splitlines() if line.split()[:1] == ["LOAD"]]
        virtual = next(int(s[2], 16) - int(s[1], 16) for s in segment if int(s[1], 16) & ~4095 == offset)
        asked = "\n".join(hex(address - start + offset + virtual) for address in ours)
        told = subprocess.run(["addr2line", "-f", "-e", path], input=asked, capture_output=True, text=True, check=True)
        return dict(zip(ours, told.stdout.splitlines()[::2]))


def run(program, library, **options):
    """The profile of one run of the program, and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, LD_PRELOAD=library, MIMALLOC_PROFILE=os.path.join(folder, "p"))
        environment.update({"MIMALLOC_" + name: value for name, value in options.items()})
        out = subprocess.run([program], env=environment, capture_output=True, text=True, check=True).stdout
        files = os.listdir(folder)
        assert len(files) == 1, files
        return Profile(os.path.join(folder, files[0])), out


def sigma(held, size, rate):
    """The deviation of a plain sample's estimate of `held` bytes in blocks of `size`."""
    chance = 1 - math.exp(-size / rate)
    return math.sqrt(held * size * (1 - chance) / chance)


def accuracy(program, library, rate, runs):
    totals, failed = [], []
    for turn in range(runs):
        profile, out = run(program, library, PROFILE_RATE=str(rate), GUARDED_SAMPLE_SEED=str(turn + 1),
                           GUARDED_SAMPLE_RATE="0")
        names = profile.names()
        held = {}
        for line in out.splitlines():
            way, size, total = line.split()
            held[way] = (int(size), int(total))
        _, known = held.pop("total")
        seen = {way.removeprefix("main;"): value for way, value in profile.folded("inuse_space", names).items()}
        total = sum(seen.values())
        totals.append(total / known)
        if rate < 100000 and abs(total / known - 1) > 0.02:
            failed.append(f"run {turn}: total {total} of {known}")
        for way, (size, value) in held.items():
            if rate < 100000 and value > known / 20:
                found = sum(bytes_ for name, bytes_ in seen.items() if name.endswith(way))
                if abs(found - value) > 3 * sigma(value, size, rate) + 0.01 * value:
                    failed.append(f"run {turn}: {way} {found} of {value}, sigma {sigma(value, size, rate):.0f}")
    mean = sum(totals) / runs
    print(f"{runs} runs at {rate}: total {min(totals):.4f} to {max(totals):.4f} of what is held, mean {mean:.4f}")
    if abs(mean - 1) > 0.01:
        failed.append(f"mean {mean}")
    print("\n".join(failed))
    return not failed


def stacks(path, addr2line):
    """Each stack that begins in a hold_N goes on to a way_N and to main, whatever it was compiled with."""
    lines, _, maps = open(path).read().partition("MAPPED_LIBRARIES:\n")
    found = [[int(pc, 16) for pc in line.split("@")[1].split()] for line in lines.splitlines()[1:] if "@" in line]
    # The program is where most of the innermost frames are.
    mappings = [line.split() for line in maps.splitlines() if line.count("/")]
    first = sorted(way[0] for way in found)[len(found) // 2]
    inside = lambda mapping: int(mapping[0].split("-")[0], 16) <= first < int(mapping[0].split("-")[1], 16)
    program = next(mapping[5] for mapping in mappings if inside(mapping))
    start = next(int(m[0].split("-")[0], 16) for m in mappings if m[5] == program)
    kind = subprocess.run(["readelf", "-hW", program], capture_output=True, text=True, check=True).stdout
    base = 0 if "EXEC (" in kind else start
    good = 0
    for way in found:
        # The first address is in the call already.
        asked = "\n".join(hex(pc - base - (i > 0)) for i, pc in enumerate(way))
        told = subprocess.run([addr2line, "-f", "-e", program], input=asked, capture_output=True, text=True, check=True)
        names = [name for name in told.stdout.splitlines()[::2]]
        if names[0].startswith("hold_"):
            if len(names) < 3 or not names[1].startswith("way_") or names[2] != "main":
                print(f"a stack is wrong: {names}")
                return False
            good += 1
        elif "hold_" in " ".join(names):
            print(f"frames of the library: {names}")
            return False
    print(f"{good} stacks of the program, all right")
    return good > 50


if __name__ == "__main__":
    if sys.argv[1] == "stacks":
        sys.exit(not stacks(sys.argv[2], *(sys.argv[3:] or ["addr2line"])))
    if sys.argv[1] == "accuracy":
        sys.exit(not accuracy(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
    read = Profile(sys.argv[2])
    print(read.types, read.period, read.comments)
    for place, sums, block in read.samples:
        print(len(place), sums, block)
