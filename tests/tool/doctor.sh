#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mimalloc doctor: of real processes and programs, whether the library serves them, and if not, why not.
. "$(dirname "$0")/common.bash"
need "$python" redis-server

doctor=("$TOOL" doctor)
children=()
trap 'kill "${children[@]}" 2>/dev/null || true; rm -rf "$scratch"' EXIT
# start COMMAND...: in the background, until it is well under way; $pid.
start() {
    "$@" >/dev/null 2>&1 </dev/null &
    pid=$!
    children+=("$pid")
    sleep 0.5
}
start env LD_PRELOAD="$LIB" PYTHONMALLOC=malloc "$python" -c 'import time; time.sleep(60)'
says "process $pid: active, " "${doctor[@]}" "$pid"
"${doctor[@]}" --json "$pid" >"$scratch/json"
json "$scratch/json" 'j["active"] and j["allocated_bytes"] > 100000 and "libmimalloc" in j["library"] and "Dockerfile" in j["recipes"]'

# inactive TEXT COMMAND...
inactive() {
    local status=0
    "${doctor[@]}" "${@:2}" >"$scratch/out" 2>"$scratch/err" || status=$?
    [ "$status" = 1 ] || fail "exit status $status: doctor ${*:2}"
    grep -qF -- "$1" "$scratch/out" || fail "\"$(head -1 "$scratch/out")\" does not say \"$1\""
    grep -q "what helps: " "$scratch/out" || fail "no remedy: $(cat "$scratch/out")"
    "${doctor[@]}" --json "${@:2}" >"$scratch/json" && fail "exit status 0 with --json"
    json "$scratch/json" 'not j["active"] and j["why"] and j["remedy"]'
}
start "$python" -c 'import time; time.sleep(60)'
inactive "started without LD_PRELOAD" "$pid"
start env LD_PRELOAD=/nowhere/libmimalloc.so.3 "$python" -c 'import time; time.sleep(60)'
inactive "LD_PRELOAD names it, but the loader did not find it" "$pid"
jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -1)
if [ -n "$jemalloc" ]; then
    start env LD_PRELOAD="$jemalloc:$LIB" "$python" -c 'import time; time.sleep(60)'
    inactive "another malloc goes before it" "$pid"
    start env LD_PRELOAD="$jemalloc" "$python" -c 'import time; time.sleep(60)'
    inactive "another allocator is loaded (libjemalloc.so.2)" "$pid"
fi
theirs=$(ls /usr/lib/*/libmimalloc.so.2 2>/dev/null | head -1)
if [ -n "$theirs" ]; then
    start env LD_PRELOAD="$theirs" "$python" -c 'import time; time.sleep(60)'
    inactive "another implementation with the name libmimalloc" "$pid"
fi
"$CC" -x c -static -o "$scratch/static" - <<'END'
#include <unistd.h>
int main(void) { sleep(60); return 0; }
END
start "$scratch/static"
inactive "is linked statically" "$pid"
inactive "is linked statically" "$scratch/static"
says "nothing is in the way" "${doctor[@]}" "$python"
# Debian's redis brings jemalloc as a library: a preload goes before it.
start env LD_PRELOAD="$LIB" redis-server --port 0 --save "" --unixsocket "$scratch/socket"
says "process $pid: active, " "${doctor[@]}" "$pid"
says "ENV LD_PRELOAD=libmimalloc.so.3" "${doctor[@]}"
"${doctor[@]}" --json >"$scratch/json"
json "$scratch/json" '"Kubernetes" in j["recipes"] and "active" not in j'
refused 1 "neither a process nor a program" "${doctor[@]}" nothing-of-this-name
refused 1 "there is no process 999999999" "${doctor[@]}" 999999999
LINES_MAX=3 refused 2 "one process or program" "${doctor[@]}" 1 2
says "Examples:" "${doctor[@]}" --help
echo "fine"
