#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Under a control group's limit: NULL with ENOMEM instead of a process that is killed, and no more than that for a live
# set that fits. In a group of the test's own, of version 2 where that has the memory controller, else of version 1.
# serial: yes
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
compile edges.c
limit=$((200 * 1024 * 1024))

# The folders to make a group in, and the file with the limit.
if grep -qsw memory /sys/fs/cgroup/cgroup.subtree_control; then
    version=2 root=/sys/fs/cgroup file=memory.max
elif grep -qsw memory /sys/fs/cgroup/unified/cgroup.subtree_control; then
    version=2 root=/sys/fs/cgroup/unified file=memory.max
elif [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
    version=1 root=/sys/fs/cgroup/memory file=memory.limit_in_bytes
else
    echo "SKIP: no control group with the memory controller" && exit 77
fi
group=$root/mimalloc-test-$$
if ! mkdir "$group" 2>/dev/null || ! echo "$limit" 2>/dev/null >"$group/$file"; then
    rmdir "$group" 2>/dev/null || true
    echo "SKIP: no right to make a control group (version $version)" && exit 77
fi
trap 'rmdir "$group"; rm -rf "$scratch"' EXIT

# within COMMAND...: in the group.
within() {
    bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' bash "$group" "$@"
}

within env MIMALLOC_CGROUP_LIMIT=1 LD_PRELOAD="$LIB" "$scratch/edges" fill 120 >"$scratch/out" ||
    fail "version $version, the group's limit: exit status $?"
cat "$scratch/out"
least=$(sed -n 's/filled up with \([0-9]*\) KiB/\1/p' "$scratch/out" | sort -n | head -1)
[ "$least" -ge 140000 ] || fail "only $least KiB of $((limit / 1024)) could be had"
# Without the option the system kills, which shows that the limit is one.
within env LD_PRELOAD="$LIB" "$scratch/edges" fill 120 >"$scratch/out" 2>&1 && fail "the group has no limit"
echo "version $version: fine"
