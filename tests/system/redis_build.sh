#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# label: long
# serial: yes
# timeout: 1800
# Redis, built from Debian's sources with nothing changed in them: its switch MALLOC=libc, and the library in the link. INFO
# memory says then what is so, of the allocator too.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
# shellcheck source=sources.bash
. "$here/sources.bash"
need apt-get dpkg-query make redis-server redis-cli
object=${BUILD_DIR:?}/mimalloc.o
[ -e "$object" ] || { echo "SKIP: no $object" && exit 77; }
sources redis redis-server || { echo "SKIP: no sources: $(tail -n 1 "$scratch/apt/log")" && exit 77; }
env -u MAKEFLAGS -u MAKELEVEL make -C "$scratch/redis/src" -j2 MALLOC=libc REDIS_LDFLAGS="$object" OPTIMIZATION=-O1 redis-server \
    >"$scratch/log" 2>&1 || fail "$(tail -n 20 "$scratch/log")"
server=
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi; rm -rf "$scratch"' EXIT

for i in 1 2 3 4 5 6 7 8; do
    port=$((20000 + ($$ + i * 997) % 30000))
    MIMALLOC_VERBOSE=1 "$scratch/redis/src/redis-server" --port "$port" --bind 127.0.0.1 --dir "$scratch" --save "" >"$scratch/log" 2>&1 &
    server=$!
    for _ in $(seq 100); do
        if redis-cli -p "$port" ping 2>/dev/null | grep PONG >/dev/null; then break 2; fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
done
grep '^mimalloc: active in "redis-server"' "$scratch/log" || fail "the library does not serve it: $(tail -n 5 "$scratch/log")"

info() {
    redis-cli -p "$port" info memory | tr -d '\r' | sed -n "s/^$1://p"
}
# at_least_and_below <name> <figure> <figure>
at_least_and_below() {
    local is
    is=$(info "$1")
    echo "$1: $is"
    [ "$is" -ge "$2" ] && [ "$is" -lt "$3" ] || fail "$1 is $is, not from $2 to $3"
}
[ "$(info mem_allocator)" = libc ] || fail "mem_allocator is $(info mem_allocator)"
before=$(info used_memory)
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "SET key:%d %0*d\r\n", i, 100 + i % 800, i }' | redis-cli -p "$port" --pipe >/dev/null
# 50 MB of values; keys, entries and the rounding to size classes add about a quarter.
values=50000000
at_least_and_below used_memory $((before + values)) $((before + values * 3 / 2))
sleep 1 # what follows is looked at ten times a second
rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$server/status")
at_least_and_below allocator_allocated $((before + values)) $((before + values * 3 / 2))
at_least_and_below allocator_resident $((rss * 900)) $((rss * 1130))
redis-cli -p "$port" flushall >/dev/null
at_least_and_below used_memory $((before / 2)) $((before * 2))
redis-cli -p "$port" shutdown nosave >/dev/null 2>&1 || true
wait "$server" || fail "redis-server ended with status $?"
server=
