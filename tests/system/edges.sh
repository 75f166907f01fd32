#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Near to the system's limits, and at unusual moments: what broke other allocators (docs/reliability.md).
# serial: yes
# timeout: 900
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
compile edges.c
tried=0

# edge MODE...: the program with the library; 77 is told, and is no failure.
edge() {
    local status=0
    LD_PRELOAD=$LIB timeout 200 "$scratch/edges" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
    if [ "$status" = 77 ]; then
        echo "not tried here: $* $(cat "$scratch/out")"
    elif [ "$status" != 0 ]; then
        cat "$scratch/out" "$scratch/err" >&2
        fail "$*: exit status $status"
    else
        tried=$((tried + 1))
        tail -1 "$scratch/out"
    fi
}

edge mappings
for call in madvise mremap mprotect mincore mmap; do
    for error in EPERM ENOSYS; do
        edge without "$call$error"
        edge without "$call+$error"
    done
done
edge threads 10000
MIMALLOC_GUARDED_SAMPLE_RATE=0 edge once 2000
edge stacks
edge cancelled
edge main-ends
edge start-end
edge spawns
edge handlers 200
edge stdio 500
edge alignments

# Locked memory: no more than the system's malloc takes, and 20 MB.
plain=$("$scratch/edges" locked || true)
ours=$(LD_PRELOAD=$LIB "$scratch/edges" locked || true)
if [ -n "$plain" ] && [ -n "$ours" ]; then
    echo "mlockall: $ours KiB, with the system's malloc $plain"
    [ "$ours" -le $((plain + 20000)) ] || fail "mlockall: $ours KiB, $plain with the system's malloc"
fi

# Hardly any address space.
for kib in 8192 12000 20000 40000; do
    (ulimit -v $kib && LD_PRELOAD=$LIB ls / >"$scratch/out" 2>"$scratch/err") || {
        cat "$scratch/err" >&2
        fail "ls within ulimit -v $kib"
    }
    clean "$scratch/err"
done

# Without /proc.
if unshare -m true 2>/dev/null && unshare -m sh -c 'mount -t tmpfs none /proc' 2>/dev/null; then
    unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' sh env LD_PRELOAD="$LIB" MIMALLOC_SHOW_STATS=1 \
        MIMALLOC_MEMORY_PRESSURE=1 MIMALLOC_CGROUP_LIMIT=1 MIMALLOC_TRIM_DELAY=10 "$scratch/edges" use 2>"$scratch/err" ||
        fail "without /proc: $(cat "$scratch/err")"
    grep -q 'block size' "$scratch/err" || fail "no statistics without /proc"
    tried=$((tried + 1))
else
    echo "not tried here: no /proc (no right to unshare)"
fi
echo "edges: $tried fine"
