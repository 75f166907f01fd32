#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mimalloc top: figures and rates of processes, as text, as JSON and on a terminal, with its keys.
. "$(dirname "$0")/common.bash"
need "$python"

# 100,000 blocks a second of 1000 bytes, or a little less; and 20 MB that are kept.
cat >"$scratch/steady.c" <<'END'
#include <stdlib.h>
#include <time.h>
int main(void)
{
    for (int i = 0; i < 20000; i++) {
        if (malloc(1000) == NULL) {
            return 1;
        }
    }
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    for (;;) {
        for (int i = 0; i < 1000; i++) {
            free(malloc(1000));
        }
        at.tv_nsec += 10000000;
        at.tv_sec += at.tv_nsec / 1000000000;
        at.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
    }
}
END
"$CC" -O0 -fno-builtin -o "$scratch/steady" "$scratch/steady.c"
LD_PRELOAD=$LIB "$scratch/steady" &
pid=$!
trap 'kill $pid 2>/dev/null || true; rm -rf "$scratch"' EXIT
sleep 0.5
"$TOOL" top -d 2 --json "$pid" >"$scratch/json"
json "$scratch/json" '20_000_000 < j["processes"][0]["live_bytes"] < 21_000_000'
json "$scratch/json" '30_000 < j["processes"][0]["allocations_per_second"] < 200_000'
json "$scratch/json" 'j["processes"][0]["live_bytes"] < j["processes"][0]["page_bytes"] < j["processes"][0]["committed_bytes"]'
"$TOOL" top -d 0.1 -n 3 "$pid" >"$scratch/text"
[ "$(grep -cE "^ +$pid steady " "$scratch/text")" = 3 ] || fail "not three looks"
grep -qE '^ +1024 B +2000[0-9] .*#' "$scratch/text" || fail "no bar for 1024 bytes"
grep -qE "^ +$pid +[0-9.]+ MiB" "$scratch/text" || fail "no thread"
"$TOOL" top -d 0.1 >"$scratch/text"
grep -qE "^ +$pid steady " "$scratch/text" || fail "the process is not found"
json "$scratch/json" 'j["processes"][0]["heaps"] == 1 and j["processes"][0]["one_sample_in"] == 0'
# On a terminal: escapes, another order by s, purge by p, end by q, and the terminal as it was.
"$python" - "$TOOL" "$pid" <<'END'
import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "top", "-d", "0.2", sys.argv[2]])
shown = b""
def read_until(text, seconds=15):
    global shown
    end = time.time() + seconds
    while text not in shown:
        if time.time() > end:
            sys.exit(f"FAIL: no {text} on the terminal: {shown[-300:]}")
        if select.select([fd], [], [], 0.1)[0]:
            shown += os.read(fd, 65536)
read_until(b"by live bytes")
os.write(fd, b"s")
read_until(b"by allocations")
os.write(fd, b"p")
os.write(fd, b"s")
read_until(b"by room")
os.write(fd, b"r")
read_until(b"call, one sample in")
os.write(fd, b"q")
read_until(b"\x1b[?1049l")
assert os.waitpid(pid, 0)[1] == 0
assert b"\x1b[?1049h" in shown
END
# It takes samples still, and goes on with that when nobody looks.
sleep 0.5
"$TOOL" top -d 0.5 "$pid" >"$scratch/text"
grep -qE '^ +[0-9.]+ KiB|^ +in use  call, one sample in 512.0 KiB$' "$scratch/text" || fail "no calls: $(cat "$scratch/text")"
kill "$pid"
wait "$pid" || true
refused 1 "there is no process $pid" "$TOOL" top "$pid"
refused 1 "it has no libmimalloc" "$TOOL" top $$
refused 2 "a number from 0.01 to 86400" "$TOOL" top -d x
refused 2 "a number from 1 on" "$TOOL" top -n 0
says "Examples:" "$TOOL" top --help
# It ends while it is watched: one line.
LD_PRELOAD=$LIB "$scratch/steady" &
pid=$!
sleep 0.3
"$TOOL" top -d 0.2 -n 100 "$pid" >/dev/null 2>"$scratch/err" &
top=$!
sleep 1
kill "$pid"
wait "$pid" || true
status=0
wait "$top" || status=$?
[ "$status" = 1 ] && [ "$(wc -l <"$scratch/err")" = 1 ] || fail "exit status $status: $(cat "$scratch/err")"
echo "fine"
