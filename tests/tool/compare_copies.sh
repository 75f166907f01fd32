#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# label: long
# serial: yes
# timeout: 3600
# mimalloc compare on two copies of one library: each measure is found to differ in one comparison of twenty.
#   compare_copies.sh [comparisons]
. "$(dirname "$0")/common.bash"
need "$python"
times=${1:-400}
cat >"$scratch/work.c" <<'END'
#include <stdlib.h>
#include <string.h>
int main(void)
{
    static char *kept[1000];
    for (int i = 0; i < 200000; i++) {
        free(kept[i % 1000]);
        kept[i % 1000] = malloc(i % 1000);
        memset(kept[i % 1000], 1, i % 1000);
    }
    return 0;
}
END
"$CC" -O1 -fno-builtin -o "$scratch/work" "$scratch/work.c"
cp "$LIB" "$scratch/libcopy.so"
for i in $(seq "$times"); do
    "$TOOL" compare -n 10 --with="$scratch/libcopy.so" --json "$scratch/work" >"$scratch/$i.json" 2>"$scratch/err" || fail "$(cat "$scratch/err")"
done
"$python" - "$scratch" "$times" <<'END'
import json, math, sys
folder, times = sys.argv[1], int(sys.argv[2])
found = {}
for i in range(1, times + 1):
    j = json.load(open(f"{folder}/{i}.json"))
    for measure in j["measures"]:
        found.setdefault(measure["name"], 0)
        found[measure["name"]] += j["allocators"][1][measure["name"]]["differs"]
for name, count in found.items():
    print(f"{name}: {count} of {times} comparisons, {100 * count / times:.1f}%")
# One in twenty, and five times the deviation of that many throws.
most = times / 20 + 5 * math.sqrt(times * 0.05 * 0.95)
sys.exit(max(found[name] for name in ("wall", "user", "system", "peak", "faults")) > most)
END
