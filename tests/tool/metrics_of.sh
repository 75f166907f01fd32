#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mimalloc metrics: figures from outside agree with what the process says itself; by HTTP, too.
. "$(dirname "$0")/common.bash"
need "$python" gcore

cat >"$scratch/serves.py" <<'END'
import ctypes, os, sys, time
library = ctypes.CDLL(None)
pieces = []
gather = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)(lambda text, arg: pieces.append(text.decode()))
kept = [bytes(i % 5000) for i in range(30000)]
library.mi_metrics_print_out(gather, None)
with open(sys.argv[1] + ".new", "w") as file:
    file.write("".join(pieces))
os.rename(sys.argv[1] + ".new", sys.argv[1])
for i in range(3000):
    more = [bytes(100) for k in range(5000)]
    time.sleep(0.01)
END
PYTHONMALLOC=malloc LD_PRELOAD=$LIB "$python" "$scratch/serves.py" "$scratch/own" &
pid=$!
trap 'kill $pid ${listening:-} 2>/dev/null || true; rm -rf "$scratch"' EXIT
until [ -f "$scratch/own" ]; do
    sleep 0.1
done
"$TOOL" metrics "$pid" >"$scratch/text"
"$TOOL" metrics --classes "$pid" >"$scratch/classes"
"$TOOL" metrics --json "$pid" >"$scratch/json"
# The process answers here, so that all is known.
json "$scratch/json" 'all(value is not None for value in j.values()) and j["commit_call_count"] > 0'
"$python" - "$scratch" <<'END'
import sys
def values(name):
    lines = open(sys.argv[1] + "/" + name).read().splitlines()
    assert lines[-1] == "# EOF"
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line[0] != "#"}
own, seen, classes = values("own"), values("text"), values("classes")
def name(key): return key.partition("{")[0]
assert {name(key) for key in own} == {name(key) for key in seen}, {name(k) for k in own} ^ {name(k) for k in seen}
for key in ("malloc_allocated_bytes", "malloc_active_bytes", "malloc_resident_bytes", "malloc_committed_bytes"):
    assert abs(own[key] - seen[key]) < 0.4 * own[key], (key, own[key], seen[key])  # it has worked on
assert own["malloc_retained_bytes"] == seen["malloc_retained_bytes"]
assert seen["malloc_allocations_total"] >= own["malloc_allocations_total"]
live = sum(value for key, value in classes.items() if name(key) == "malloc_class_allocated_bytes")
assert live == classes["malloc_allocated_bytes"]
print(len(seen), "samples")
END
port=$((20000 + $$ % 20000))
"$TOOL" metrics --listen "$port" "$pid" &
listening=$!
"$python" - "$port" <<'END'
import sys, time, urllib.error, urllib.request
base = "http://127.0.0.1:" + sys.argv[1]
for i in range(50):
    try:
        answer = urllib.request.urlopen(base + "/metrics")
        break
    except urllib.error.URLError:
        time.sleep(0.1)
assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
text = answer.read().decode()
assert text.endswith("# EOF\n") and "\nmalloc_allocated_bytes " in text
try:
    urllib.request.urlopen(base + "/nothing")
    raise SystemExit("FAIL: no 404")
except urllib.error.HTTPError as error:
    assert error.code == 404
END
refused 1 "cannot listen at $port" "$TOOL" metrics --listen "$port" "$pid"
refused 2 "a port is wanted" "$TOOL" metrics --listen here:99999 "$pid"
refused 2 "a port is wanted" "$TOOL" metrics --listen host.name:80 "$pid"
# A process that sleeps does not answer: what only it knows is left out, and is not told as zero.
gcore -o "$scratch/core" "$pid" >/dev/null 2>&1
kill "$pid"
wait "$pid" || true
wait "$listening" || true # it ends with the process
"$TOOL" metrics "$scratch/core.$pid" >"$scratch/dumped"
grep -q '^malloc_allocated_bytes [1-9]' "$scratch/dumped" || fail "a core file has no live bytes"
LD_PRELOAD=$LIB sleep 60 &
pid=$!
sleep 0.3
"$TOOL" metrics --json "$pid" >"$scratch/json"
json "$scratch/json" 'j["purged_bytes"] is None and j["allocated_bytes"] > 0'
"$TOOL" metrics "$pid" >"$scratch/text"
grep -q '^malloc_purged_bytes_total' "$scratch/text" && fail "a figure that is not known is told"
refused 1 "it has no libmimalloc" "$TOOL" metrics $$
LINES_MAX=3 refused 2 "one process or core file" "$TOOL" metrics
says "Examples:" "$TOOL" metrics --help
echo "fine"
