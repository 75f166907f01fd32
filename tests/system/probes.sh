#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The probes otel_memory:alloc and :free: in the library's notes, with a counter each, and reached by samples with
# what the program was given.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need readelf
readelf -n "$LIB" >"$scratch/notes" 2>/dev/null
grep -q 'Provider: otel_memory' "$scratch/notes" || {
    echo "SKIP: built without <sys/sdt.h>"
    exit 77
}
for probe in alloc:3 free:1; do
    grep -A3 "Name: ${probe%:*}$" "$scratch/notes" >"$scratch/note"
    grep -q 'Semaphore: 0x0*[1-9a-f]' "$scratch/note" || fail "no counter: $(cat "$scratch/note")"
    [ "$(grep 'Arguments:' "$scratch/note" | grep -o '8@' | wc -l)" = "${probe#*:}" ] || fail "$(cat "$scratch/note")"
done

cat >"$scratch/small.c" <<'EOF'
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    (void)argv;
    for (int i = 0; i < 50 || argc > 1; i++) {
        free(malloc(1000000));
        usleep(argc > 1 ? 1000 : 0);
    }
    return 0;
}
EOF
"$CC" -O0 -g -fno-builtin -o "$scratch/small" "$scratch/small.c"
export MIMALLOC_PROFILE=$scratch/p MIMALLOC_PROFILE_RATE=1000

# A debugger raises the counters, too. Each allocation is a sample, and stands for itself.
if command -v gdb >/dev/null; then
    cat >"$scratch/script" <<'EOF'
set breakpoint pending on
break -probe-stap otel_memory:alloc
commands
silent
printf "alloc %#lx %lu %lu\n", $_probe_arg0, $_probe_arg1, $_probe_arg2
continue
end
break -probe-stap otel_memory:free
commands
silent
printf "free %#lx\n", $_probe_arg0
continue
end
run
EOF
    # glibc's own probes and shells are none of this: the program is started without one.
    gdb -nx -batch -ex "set startup-with-shell off" -ex "set environment LD_PRELOAD $LIB" -x "$scratch/script" \
        "$scratch/small" >"$scratch/out" 2>"$scratch/err" || true
    if grep -q '^alloc ' "$scratch/out"; then
        [ "$(grep -c '^alloc 0x[0-9a-f]* 1000000 1000000$' "$scratch/out")" = 50 ] || fail "$(head "$scratch/out")"
        # Every one of these is freed, by the address that it had.
        grep '^alloc 0x[0-9a-f]* 1000000 ' "$scratch/out" | cut -d' ' -f2 | sort -u >"$scratch/given"
        grep '^free ' "$scratch/out" | cut -d' ' -f2 | sort -u >"$scratch/freed"
        [ -z "$(comm -23 "$scratch/given" "$scratch/freed")" ] || fail "not all are freed: $(grep -m6 -E "^(alloc|free)" "$scratch/out")"
        echo "read by gdb"
    elif ! grep -qE 'ptrace|not permitted|No probe|Cannot insert' "$scratch/err"; then
        fail "gdb sees nothing: $(cat "$scratch/out" "$scratch/err")"
    fi
fi
if command -v bpftrace >/dev/null && bpftrace -e 'BEGIN { exit(); }' >/dev/null 2>&1; then
    LD_PRELOAD=$LIB "$scratch/small" forever &
    program=$!
    timeout 60 bpftrace -p "$program" -e "usdt:$LIB:otel_memory:alloc /arg1 == 1000000/ { @count = count(); @bytes = sum(arg2); }
        usdt:$LIB:otel_memory:free { @freed = count(); } interval:s:1 { exit(); }" >"$scratch/out" 2>&1 || true
    kill "$program"
    count=$(sed -n 's/^@count: //p' "$scratch/out")
    if [ -n "$count" ]; then
        # From the 64th on one stands for several: the program allocates at one place, one block after the other.
        millions=$(sed -nE 's/^@bytes: ([0-9]+)000000$/\1/p' "$scratch/out")
        [ "${millions:-0}" -ge "$count" ] || fail "$(cat "$scratch/out")"
        grep -q '^@freed: [1-9]' "$scratch/out" || fail "$(cat "$scratch/out")"
        echo "read by bpftrace"
    elif ! grep -qE 'failed|Unknown error|not permitted' "$scratch/out"; then
        fail "bpftrace sees nothing: $(cat "$scratch/out")"
    fi
fi
echo "probes: fine"
