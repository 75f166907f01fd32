#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# label: long
# serial: yes
# timeout: 1200
# The services of examples/languages, for each language that is here: they run, with the library in them; and Python's module
# for the statistics and profiles of the own process says what is so.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need "${PYTHON:=python3}"
examples=$(cd "$here/../../examples/languages" && pwd)

cat >"$scratch/own.py" <<'END_OF_PROGRAM'
import gzip, os, sys
import mimalloc_stats

if not mimalloc_stats.active():
    sys.exit("not active")
folder = sys.argv[1]
def live():
    return mimalloc_stats.get()["malloc_normal"]["current"]
mimalloc_stats.profile_start(10000)
before = live()
kept = [bytes(1000) for _ in range(20000)]
grown = live() - before
assert 20000000 < grown < 24000000, grown
mimalloc_stats.profile_stop()
mimalloc_stats.profile_dump(f"{folder}/heap.pb.gz")
mimalloc_stats.profile_dump(f"{folder}/heap.folded", "folded")
with gzip.open(f"{folder}/heap.pb.gz") as file:
    assert b"inuse_space" in file.read()
with open(f"{folder}/heap.folded") as file:
    profiled = sum(int(line.rsplit(" ", 1)[1]) for line in file)
assert 16000000 < profiled < 30000000, profiled
try:
    mimalloc_stats.profile_dump(f"{folder}/heap.pb.gz")
    sys.exit("wrote over a file")
except FileExistsError:
    pass
del kept
mimalloc_stats.collect()
assert live() - before < 2000000
print("Python's own profile:", profiled // 1000000, "MB of", grown // 1000000)
END_OF_PROGRAM
export PYTHONPATH=$examples PYTHONDONTWRITEBYTECODE=1 PYTHONMALLOC=malloc
LD_PRELOAD=$LIB "$PYTHON" "$scratch/own.py" "$scratch"
if "$PYTHON" "$scratch/own.py" "$scratch" 2>"$scratch/said"; then fail "active without the library"; fi
grep -q 'not active' "$scratch/said" || fail "$(cat "$scratch/said")"
unset PYTHONPATH PYTHONMALLOC

"$PYTHON" "$examples/run.py" "$LIB" >"$scratch/table" 2>"$scratch/left"
cat "$scratch/table" "$scratch/left"
# A row for each language that is not told to be missing.
[ $(($(grep -c '^| [a-z]' "$scratch/table") + $(grep -c 'not installed' "$scratch/left"))) = 6 ] || fail "languages are missing"
