#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# redis-server under redis-benchmark, on a port of its own: the same data set afterwards, background save (fork) included.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need redis-server redis-benchmark redis-cli
server=
trap 'if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" || true; fi; rm -rf "$scratch"' EXIT

# cli ARGUMENT...
cli() {
    redis-cli -p "$port" "$@"
}

# run NAME [COMMAND...]: starts the server through COMMAND, loads it and leaves a digest of its data in NAME.out.
run() {
    local name=$1 log=$scratch/$1.log i
    shift
    mkdir "$scratch/$name"
    # A port that is taken makes the server end at once: try the next one.
    for i in 1 2 3 4 5 6 7 8; do
        port=$((20000 + ($$ + i * 997) % 30000))
        "$@" redis-server --port "$port" --bind 127.0.0.1 --dir "$scratch/$name" --save "" --appendonly no \
            --enable-debug-command yes --activedefrag no >"$log" 2>&1 &
        server=$!
        for _ in $(seq 100); do
            if cli ping 2>/dev/null | grep PONG >/dev/null; then break 2; fi
            kill -0 "$server" 2>/dev/null || break
            sleep 0.1
        done
    done
    cli ping | grep PONG >/dev/null || fail "redis-server does not answer: $(tail -5 "$log")"
    # Fixed contents first, then load whose contents depend on chance and are deleted again.
    awk 'BEGIN { for (i = 0; i < 30000; i++) {
        printf "SET key:%d %0*d\r\n", i, 1 + i % 900, i; printf "HSET hash:%d field:%d %d\r\n", i % 300, i, i * 7
        printf "LPUSH list:%d item%d\r\n", i % 50, i; printf "ZADD set:%d %d member%d\r\n", i % 20, i % 1000, i
        if (i % 5 == 0) printf "DEL key:%d\r\n", int(i / 2) } }' | cli --pipe >/dev/null
    redis-benchmark -p "$port" -q -n 20000 -c 20 -r 10000 -d 200 -t set,get,incr,lpush,rpop,sadd,hset,zadd,mset >"$log.bench"
    redis-benchmark -p "$port" -q -n 20000 -c 20 -P 16 -d 3000 -t set,get >>"$log.bench"
    cli eval "for _, p in ipairs({'key:0*', 'key:__*', 'counter:*', 'mylist', 'myset', 'myzset', 'myhash'}) do
        for _, k in ipairs(redis.call('keys', p)) do redis.call('del', k) end end return 'ok'" 0 >/dev/null
    # What Redis counts by malloc_usable_size, with its usual contents alone.
    cli info memory | tr -d '\r' | sed -n 's/^used_memory://p' >"$scratch/$name.used"
    cli bgsave >/dev/null
    for _ in $(seq 200); do
        if cli info persistence | grep 'rdb_bgsave_in_progress:0' >/dev/null; then break; fi
        sleep 0.1
    done
    {
        cli info persistence | grep 'rdb_last_bgsave_status:'
        cli memory purge
        cli dbsize
        cli debug digest
    } >"$scratch/$name.out"
    cli shutdown nosave >/dev/null 2>&1 || true
    wait "$server" || fail "redis-server ended with status $?: $(tail -5 "$log")"
    server=
}

run plain env
run ours env LD_PRELOAD="$LIB" MIMALLOC_VERBOSE=1
grep -q '^mimalloc: active' "$scratch/ours.log" || fail "the library does not serve redis-server"
if grep -E 'ERROR: ld\.so|mimalloc: .*(error|invalid|double)' "$scratch/ours.log"; then fail "a message of the allocator"; fi
diff "$scratch/plain.out" "$scratch/ours.out" || fail "other data"
grep -q 'status:ok' "$scratch/ours.out" || fail "the background save failed"
# The system's is built for jemalloc, whose classes are as fine as ours.
read -r plain <"$scratch/plain.used"
read -r ours <"$scratch/ours.used"
echo "used_memory: $plain bytes with its own allocator, $ours with ours"
[ "$ours" -gt $((plain * 8 / 10)) ] && [ "$ours" -lt $((plain * 11 / 10)) ] || fail "INFO memory says something else"
cat "$scratch/ours.out"
tr '\r' '\n' <"$scratch/ours.log.bench" | grep 'requests per second'
