#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mimalloc profile, leaks and diff: of processes, core files, programs and files; what others read; what is refused.
# timeout: 600
. "$(dirname "$0")/common.bash"
need "$python" gcore g++ gzip

cp "$here/../../examples/leaky/service.cc" "$scratch/service.cc"
(cd "$scratch" && g++ -O2 -g -o service service.cc -pthread)
cat >"$scratch/steady.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((noinline)) void *keep(size_t size) { void *volatile p = malloc(size); return p; }
__attribute__((noinline)) void idle(void) { for (;;) pause(); }
int main(int argc, char **argv)
{
    (void)argv;
    for (int i = 0; i < 20000; i++) keep(1000);
    if (argc > 1) puts("ready");
    if (argc > 1) fflush(stdout), idle();
    return 0;
}
END
"$CC" -O1 -g -fno-builtin -o "$scratch/steady" "$scratch/steady.c"
trap 'kill $service $idle 2>/dev/null || true; rm -rf "$scratch"' EXIT
until_ready() {
    until grep -q ready "$scratch/said"; do
        kill -0 "$idle" || fail "the program ended by itself"
        sleep 0.1
    done
}
idle=
: >"$scratch/said"
MIMALLOC_PROFILE_RATE=8K LD_PRELOAD=$LIB "$scratch/service" &
service=$!
until "$TOOL" metrics "$service" >/dev/null 2>&1; do # it may still be the shell
    kill -0 "$service" || fail "the service ended by itself"
    sleep 0.1
done
leak='any(f["function"] == "Audit::record" and f["file"].endswith("service.cc") and f["line"] == 52 for f in s["frames"])'
# The line that leaks holds most of what was allocated meanwhile and still lives. How much that is, depends on how often
# the process gets the processor: beside it are at most 100 sessions.
most="sum(s['inuse_space'] for s in j['stacks'] if $leak) > max(50_000, 0.15 * j['totals']['inuse_space'])"
sed -n 52p "$scratch/service.cc" | grep 'entries_.push_back' >/dev/null || fail "another line leaks"

# ---- a process: it is started, read and stopped
"$TOOL" profile --seconds 3 --json "$service" >"$scratch/json"
json "$scratch/json" "$most"
# Moments meanwhile.
json "$scratch/json" '2 <= len(j["timeline"]) <= 240 and j["timeline"][0]["seconds"] == 0'
json "$scratch/json" 'all(a["seconds"] < b["seconds"] for a, b in zip(j["timeline"], j["timeline"][1:]))'
json "$scratch/json" 'all(0 < m["live_bytes"] <= m["page_bytes"] and m["resident_bytes"] > 0 for m in j["timeline"])'
json "$scratch/json" 'j["period"] == 8192 and 0 < j["totals"]["inuse_space"] < j["totals"]["alloc_space"]'
json "$scratch/json" 'sum(s["inuse_space"] for s in j["stacks"] if any(f["function"] == "main" for f in s["frames"])) > 0.9 * j["totals"]["inuse_space"]'
"$TOOL" profile "$service" -s 0.5 >"$scratch/text" # options may come behind
grep -qE ' [0-9.]+ [KM]iB +[0-9.]+%  main .*service.cc:[0-9]+$' "$scratch/text" ||
    fail "no line of main: $(head "$scratch/text")"
"$TOOL" leaks -s 1 -n 3 "$service" >"$scratch/text"
grep -qE '^[0-9.]+ [KM]iB in about [0-9]+ blocks of [0-9.]+ .*B, [0-9.]+%, allocated at$' "$scratch/text" || fail "no leak"
grep -qE '#[0-9]+ Audit::record .*service\.cc:52$' "$scratch/text" || fail "not the line that leaks"

# ---- files of each kind, and back
# While samples are taken their pages count where the blocks were taken from, and the map tells the calls.
"$TOOL" profile -s 3 "$service" >/dev/null &
sleep 1.5
"$TOOL" map -o "$scratch/map.html" "$service"
"$TOOL" map --json "$service" >"$scratch/json"
json "$scratch/json" 'j["sampled_bytes"] > 0 and j["huge_bytes"] <= j["committed_bytes"]'
json "$scratch/json" 'sum(c["pages"] for c in j["classes"]) == j["pages"]'
"$python" - "$scratch/map.html" <<'END'
import json, re, sys
page = open(sys.argv[1]).read()
data = json.loads(re.search(r"const data = (\{.*?\n\})\n;", page, re.DOTALL).group(1))
assert any("Audit::record" in site for site in data["sites"]), data["sites"]
cells = [cell for region in data["regions"] for cell in region["cells"]]
assert any(cell[2] == -4 for cell in cells) and any(cell[9] > 0 for cell in cells)
assert all(cell[9] <= len(data["sites"]) for cell in cells)
END
wait %%
for kind in pb.gz html folded json txt; do
    "$TOOL" profile -s 1 -o "$scratch/first.$kind" "$service"
    [ -s "$scratch/first.$kind" ] || fail "no first.$kind"
done
if grep -vE '^[^; ]+(;[^; ]+)* -?[0-9]+$' "$scratch/first.folded"; then
    fail "no folded stacks"
fi
"$TOOL" profile --json "$scratch/first.pb.gz" >"$scratch/json"
json "$scratch/json" "$most"
"$TOOL" profile -o "$scratch/again.pb.gz" "$scratch/first.pb.gz"
"$TOOL" profile --json "$scratch/again.pb.gz" | sed '/"subject"/d; s/"module": .*/"module"/' >"$scratch/b"
sed '/"subject"/d; s/"module": .*/"module"/' "$scratch/json" | cmp - "$scratch/b" || fail "a file that was read and written differs"
if command -v go >/dev/null; then
    GOCACHE=$scratch/go HOME=$scratch go tool pprof -top "$scratch/first.pb.gz" >"$scratch/top" 2>&1 || fail "pprof: $(cat "$scratch/top")"
    grep -q 'Audit::record' "$scratch/top" || fail "pprof finds no names"
fi
sleep 1
"$TOOL" profile -s 1 -o "$scratch/second.pb.gz" "$service"
"$TOOL" diff "$scratch/first.pb.gz" "$scratch/second.pb.gz" >"$scratch/text"
grep -qE '^first.pb.gz → second.pb.gz: inuse_space \+[0-9.]+ [KM]iB in all' "$scratch/text" || fail "no growth: $(head -1 "$scratch/text")"
grep -qE '^\+[0-9.]+ [KM]iB, allocated at$' "$scratch/text" || fail "no stack that grew"
"$TOOL" diff -o "$scratch/diff.html" "$scratch/first.pb.gz" "$scratch/second.pb.gz"
"$TOOL" diff --json "$scratch/first.pb.gz" "$scratch/first.pb.gz" >"$scratch/json"
json "$scratch/json" 'all(s["inuse_space"] == s["before inuse_space"] for s in j["stacks"])'
"$python" - "$scratch/first.html" "$scratch/diff.html" <<'END'
import json, re, sys
for path in sys.argv[1:]:
    page = open(path).read()
    data = json.loads(re.search(r"const data = (\{.*?\n\})\n;", page, re.DOTALL).group(1))
    nodes, values = data["nodes"], data["values"]
    assert all(len(v) == len(nodes) for v in values) and len(values) == len(data["types"])
    assert all(parent < i or i == 0 for i, (parent, frame) in enumerate(nodes))
    assert any(data["frames"][frame][0] == "Audit::record" for _, frame in nodes[1:])
    # A node has at least what is below it.
    for v in values:
        if min(v) >= 0:
            below = [0] * len(nodes)
            for i, (parent, _) in list(enumerate(nodes))[1:]:
                below[parent] += v[i]
            assert all(b <= a for a, b in zip(v, below))
    assert "http" not in re.sub(r"http://www.w3.org\S*", "", page), "the page needs a network"
    assert data["diff"] == ("diff" in path) and len(page) < 5 << 20
END

# ---- core files, and a process that does nothing any more
gcore -o "$scratch/core" "$service" >"$scratch/gcore.out" 2>&1
"$TOOL" leaks --json "$scratch/core.$service" >"$scratch/json"
json "$scratch/json" "$most"
size=$(stat -c %s "$scratch/core.$service")
for part in 1 64 1000 $((size / 10)) $((size / 2)) $((size / 10 * 9)); do
    head -c "$part" "$scratch/core.$service" >"$scratch/cut"
    status=0
    "$TOOL" profile "$scratch/cut" >"$scratch/out" 2>"$scratch/err" || status=$?
    [ "$status" -le 1 ] || fail "exit status $status for a core file of $part bytes: $(cat "$scratch/err")"
    [ "$status" = 0 ] || grep -qE 'cut off|damaged' "$scratch/err" || fail "a core file of $part bytes: $(cat "$scratch/err")"
done
MIMALLOC_PROFILE=$scratch/p MIMALLOC_PROFILE_RATE=16K LD_PRELOAD=$LIB "$scratch/steady" idle >"$scratch/said" &
idle=$!
until_ready
kill -STOP "$idle"
"$TOOL" profile --json "$idle" >"$scratch/json"
# 1200 samples: three in a hundred are its deviation.
json "$scratch/json" '16_000_000 < sum(s["inuse_space"] for s in j["stacks"] if any(f["function"] == "keep" for f in s["frames"])) < 24_000_000'
kill -CONT "$idle"
kill "$idle"
wait "$idle" || true
: >"$scratch/said"
LD_PRELOAD=$LIB "$scratch/steady" idle >"$scratch/said" &
idle=$!
until_ready
refused 1 "did not allocate" "$TOOL" profile -s 0.5 "$idle"

# ---- programs
"$TOOL" leaks --run -r 16K -n 1 --library="$LIB" -- "$scratch/steady" >"$scratch/text" 2>"$scratch/err"
grep -qE '^19\.[0-9] MiB in about [0-9]+ blocks of 1000 B' "$scratch/text" || fail "of a program: $(head -4 "$scratch/text")"
grep -qE '#0 keep .*steady\.c:4$' "$scratch/text" || fail "of a program: $(cat "$scratch/text")"
"$TOOL" profile --run --json --library="$LIB" -- "$scratch/service" 1 >"$scratch/out"
sed '/^done$/d' "$scratch/out" >"$scratch/json"
json "$scratch/json" 'max(m["live_bytes"] for m in j["timeline"]) > 0'
"$TOOL" profile --run -s 1 --json --library="$LIB" -- "$scratch/service" 3 >"$scratch/out"
sed '/^done$/d' "$scratch/out" >"$scratch/json"
json "$scratch/json" "j['subject'].endswith('service') and any($leak for s in j['stacks'])"
PYTHONMALLOC=malloc "$TOOL" profile --run -t alloc_space -r 16K --library="$LIB" -- "$python" -c 'kept = [bytes(1000) for i in range(10000)]' >"$scratch/text"
grep -qE ' _?Py' "$scratch/text" || fail "of python: $(head -5 "$scratch/text")"
refused 127 "there is no such program" "$TOOL" profile --run nowhere
LINES_MAX=3 refused 1 "left no profile" "$TOOL" profile --run --library="$LIB" -- sh -c 'kill -9 $$'

# ---- damaged files: a line, never a crash
gzip -dc "$scratch/first.pb.gz" >"$scratch/plain"
says "inuse_space" "$TOOL" profile "$scratch/plain"
size=$(stat -c %s "$scratch/first.pb.gz")
for part in 0 1 9 10 30 $((size / 3)) $((size - 9)) $((size - 1)); do
    head -c "$part" "$scratch/first.pb.gz" >"$scratch/cut.pb.gz"
    refused 1 "damaged" "$TOOL" profile "$scratch/cut.pb.gz"
done
"$python" - "$TOOL" "$scratch/plain" <<'END'
import random, subprocess, sys
tool, path = sys.argv[1:]
whole = open(path, "rb").read()
random.seed(1)
ends = {0: 0, 1: 0}
for i in range(300):
    data = bytearray(whole)
    for _ in range(random.choice([1, 3, 20])):
        data[random.randrange(len(data))] = random.choice([0, 0x7f, 0x80, 0xff, random.randrange(256)])
    if i % 3 == 0:
        del data[random.randrange(len(data)):]
    open(path + ".bad", "wb").write(data)
    done = subprocess.run([tool, "leaks", path + ".bad"], capture_output=True, timeout=60)
    assert done.returncode in (0, 1), (i, done)
    assert done.returncode == 0 or done.stderr.count(b"\n") <= 2, done.stderr
    ends[done.returncode] += 1
assert min(ends.values()) > 10, ends
END

# ---- what is refused
refused 1 "cannot be read" "$TOOL" profile "$scratch/nowhere.pb.gz"
refused 1 "it has no libmimalloc" "$TOOL" profile $$
refused 1 "no profile" "$TOOL" profile "$scratch/service.cc"
refused 1 "cannot be written" "$TOOL" profile -o /nowhere/p.html "$scratch/first.pb.gz"
refused 1 "no figures of the type" "$TOOL" profile -t nothing "$scratch/first.pb.gz"
refused 2 "must end in" "$TOOL" profile -o "$scratch/p.svg" "$scratch/first.pb.gz"
refused 2 "a number from" "$TOOL" profile -s 0 "$service"
refused 2 "are for --run" "$TOOL" profile -r 1 "$service"
LINES_MAX=2 refused 2 "needs two" "$TOOL" diff "$scratch/first.pb.gz"
LINES_MAX=2 refused 2 "needs one" "$TOOL" leaks
"$TOOL" profile -s 30 "$service" >"$scratch/out" 2>"$scratch/err" &
tool=$!
sleep 1
kill "$service"
wait "$service" || true
status=0
wait "$tool" || status=$?
[ "$status" = 1 ] && grep -q "ended while it was profiled" "$scratch/err" || fail "status $status: $(cat "$scratch/err")"
refused 1 "there is no process $service" "$TOOL" profile "$service"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    cp "$TOOL" "$scratch/tool"
    chmod 755 "$scratch" "$scratch/tool"
    refused 1 "another user's" setpriv --reuid=65534 --regid=65534 --clear-groups "$scratch/tool" profile "$idle"
fi
for verb in profile leaks diff; do
    says "Examples:" "$TOOL" "$verb" --help
done
echo "fine"
