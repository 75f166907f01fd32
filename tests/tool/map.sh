#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mimalloc map: what it tells of a process and of its core file is what the process says itself; the page is complete.
. "$(dirname "$0")/common.bash"
need "$python" gcore

begin_outside
gcore -o "$scratch/core" "$pid" >"$scratch/gcore.out" 2>&1
core=$scratch/core.$pid
blocks=$(wc -l <"$scratch/told")
bytes=$(awk '{ sum += $2 } END { print sum }' "$scratch/told")
for target in "$pid" "$core"; do
    "$TOOL" map --json "$target" >"$scratch/json"
    # libc has some blocks of its own.
    json "$scratch/json" "$blocks <= j['live_blocks'] <= $blocks + 40 and $bytes <= j['live_bytes'] <= $bytes + 100000"
    json "$scratch/json" 'sum(c["live_bytes"] for c in j["classes"]) == sum(o["live_bytes"] for o in j["owners"]) == j["live_bytes"]'
    json "$scratch/json" 'sum(c["pages"] for c in j["classes"]) == sum(o["pages"] for o in j["owners"]) == j["pages"]'
    json "$scratch/json" 'j["live_bytes"] < j["page_bytes"] < j["committed_bytes"] < j["reserved_bytes"]'
    json "$scratch/json" 'j["page_bytes"] + j["free_bytes"] <= j["committed_bytes"] and j["purgeable_bytes"] <= j["free_bytes"]'
    json "$scratch/json" 'sum(o["kind"] == "thread" for o in j["owners"]) == 3 and any(o["kind"] == "thread that has ended" for o in j["owners"])'
    "$TOOL" map "$target" >"$scratch/text"
    grep -qE '^live +[0-9.]+ MiB in [0-9]+ blocks$' "$scratch/text" || fail "no line about live blocks"
    grep -qE "^ +larger +$(awk '$2 > 65536' "$scratch/told" | wc -l) " "$scratch/text" || fail "no row of large blocks"
    grep -qE '^[#0-9.-]{64}$' "$scratch/text" || fail "no picture"
    "$TOOL" map -o "$scratch/map.html" "$target"
    "$python" - "$scratch/map.html" "$scratch/json" "$target" <<'END'
import json, re, sys
page = open(sys.argv[1]).read()
told = json.load(open(sys.argv[2]))
data = json.loads(re.search(r"const data = (\{.*?\n\})\n;", page, re.DOTALL).group(1))
cells = [cell for region in data["regions"] for cell in region["cells"]]
size = data["slice"]
assert sum(cell[4] for cell in cells) * size == told["page_bytes"]
assert sum(cell[7] for cell in cells) == told["live_blocks"]
# Between the two looks a process may give memory back.
assert sys.argv[3].isdigit() or sum(cell[1] for cell in cells if cell[2] == -2) * size == told["purgeable_bytes"]
for region in data["regions"]:
    at = 0
    for cell in region["cells"]:
        assert cell[0] == at, (cell, at)
        at += cell[1]
    assert at == region["slices"]
    assert all(0 <= first and count > 0 and first + count <= at for first, count in region["huge"])
if data["knows_huge"]:
    assert sum(count for region in data["regions"] for _, count in region["huge"]) * size == data["huge"]
assert "http" not in re.sub(r"http://www.w3.org\S*", "", page), "the page needs a network"
assert sum(row[3] for row in data["classes"]) == told["pages"]
print(len(page), "bytes,", len(cells), "cells")
END
done
"$TOOL" map --json "$pid" >"$scratch/json"
json "$scratch/json" '0 < sum(c["resident_bytes"] for c in j["classes"]) <= j["page_bytes"]'

# Huge pages, where this system gives them and tells which.
PYTHONMALLOC=malloc MIMALLOC_ALLOW_THP=2 LD_PRELOAD=$LIB "$python" -c '
import time
kept = [bytes(1000) for i in range(100000)]
print("ready", flush=True)
time.sleep(600)' >"$scratch/said" &
large=$!
until grep -q ready "$scratch/said"; do
    kill -0 "$large" || fail "the program ended by itself"
    sleep 0.1
done
"$TOOL" map -o "$scratch/huge.html" "$large"
sum=$(awk '/^AnonHugePages:/ { sum += $2 * 1024 } END { print sum }' "/proc/$large/smaps")
kill "$large"
"$python" - "$scratch/huge.html" "$sum" <<'END'
import json, re, sys
data = json.loads(re.search(r"const data = (\{.*?\n\})\n;", open(sys.argv[1]).read(), re.DOTALL).group(1))
ranges = [r for region in data["regions"] for r in region["huge"]]
print(data["huge"], "bytes in huge pages,", sys.argv[2], "by smaps,", len(ranges), "ranges")
assert not ranges or data["knows_huge"]
assert data["huge"] <= int(sys.argv[2]) + (16 << 20)  # the system may make more meanwhile, or fewer
END

# Core files that are not whole: a line, never a crash.
size=$(stat -c %s "$core")
for part in 1 63 64 100 1000 5000 $((size / 10)) $((size / 2)) $((size / 10 * 9)); do
    head -c "$part" "$core" >"$scratch/cut"
    status=0
    "$TOOL" map "$scratch/cut" >"$scratch/out" 2>"$scratch/err" || status=$?
    [ "$status" -le 1 ] || fail "exit status $status for a core file of $part bytes"
    grep -qE 'not a core file|cut off' "$scratch/err" || fail "a core file of $part bytes: $(head -1 "$scratch/err")"
done
# A process that changes all the time.
PYTHONMALLOC=malloc LD_PRELOAD=$LIB "$python" -c '
import threading
def work():
    while True:
        kept = [bytes(i * 7 % 3000) for i in range(2000)]
for i in range(4):
    threading.Thread(target=work).start()' &
busy=$!
sleep 0.5
for i in $(seq 30); do
    "$TOOL" map --json "$busy" >"$scratch/json" || fail "a busy process"
    json "$scratch/json" '0 < j["live_bytes"] <= j["page_bytes"]'
done
kill -9 "$busy"
wait "$busy" || true
refused 1 "there is no process $busy" "$TOOL" map "$busy"
refused 1 "it has no libmimalloc" "$TOOL" map $$
refused 1 "not a core file" "$TOOL" map "$TOOL"
refused 1 "cannot be written" "$TOOL" map -o /nowhere/map.html "$pid"
refused 2 "from 1 to 1000" "$TOOL" map "$pid" -w 0
refused 2 "from 1 to 1000" "$TOOL" map "$pid" --width=10.5
LINES_MAX=3 refused 2 "one process or core file" "$TOOL" map
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    cp "$TOOL" "$scratch/tool"
    chmod 755 "$scratch" "$scratch/tool"
    refused 1 "another user's" setpriv --reuid=65534 --regid=65534 --clear-groups "$scratch/tool" map "$pid"
fi
says "Examples:" "$TOOL" map --help
echo "fine"
