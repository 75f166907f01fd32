#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mimalloc explain: functions and lines in a real report; other files than the report's are not taken for them.
. "$(dirname "$0")/common.bash"
need "$python"

cat >"$scratch/twice.c" <<'END'
#include <stdlib.h>
static __attribute__((noinline)) void drop(void *p)
{
    free(p);
    __asm__ volatile("");
}
static inline __attribute__((always_inline)) void drop_both(void *p)
{
    drop(p);
    drop(p);
}
int main(void)
{
    drop_both(malloc(300000));
    return 0;
}
END
"$CC" -O1 -g -fno-builtin -fno-omit-frame-pointer -o "$scratch/twice" "$scratch/twice.c"
LD_PRELOAD=$LIB "$scratch/twice" 2>"$scratch/log" && fail "the program ended well"
grep -q '#0 0x' "$scratch/log" || fail "no report: $(cat "$scratch/log")"
"$TOOL" explain "$scratch/log" >"$scratch/text"
grep -qE '#0 drop .*/twice\.c:4 \(twice\)$' "$scratch/text" || fail "#0: $(cat "$scratch/text")"
grep -qE '#1 drop_both .*/twice\.c:10 \(twice\)$' "$scratch/text" || fail "what was inlined: $(cat "$scratch/text")"
grep -qE '#1 main .*/twice\.c:14 \(twice\)$' "$scratch/text" || fail "main: $(cat "$scratch/text")"
diff <(grep -v '#' "$scratch/log") <(grep -v '#' "$scratch/text") || fail "other lines have changed"
"$TOOL" explain - <"$scratch/log" | cmp - "$scratch/text" || fail "the same from standard input"
"$TOOL" explain --json "$scratch/log" >"$scratch/json"
json "$scratch/json" 'any(p["function"] == "main" and p["line"] == 14 for l in j for p in l["places"])'
# Without debug information: names; without names: the line as it was.
strip -g "$scratch/twice"
"$TOOL" explain "$scratch/log" >"$scratch/text"
grep -qE '#0 drop \(twice\)$' "$scratch/text" || fail "without lines: $(cat "$scratch/text")"
"$CC" -O1 -fno-builtin -fno-omit-frame-pointer -DOTHER=1 -o "$scratch/twice" "$scratch/twice.c"
"$TOOL" explain "$scratch/log" >"$scratch/text" 2>"$scratch/err"
grep -q 'twice is another file by now' "$scratch/err" || fail "another program is taken for it: $(cat "$scratch/text")"
grep -qF "$(grep '#0 0x' "$scratch/log")" "$scratch/text" || fail "a frame without a name is lost"
rm "$scratch/twice"
"$TOOL" explain "$scratch/log" | grep -F "$(grep '#0 0x' "$scratch/log")" >/dev/null || fail "without the program"
# Lines that are nearly frames.
printf '#\n#0\n#0 0x\n#0 0x12\n#0 0x12 (/x\n#0 0x12 (/x+0x)\n#0 0x12 (/+0x1) (BuildId: )\n#9 0x12 (%s+0xffffffffffffffff)\n' "$TOOL" >"$scratch/odd"
"$TOOL" explain "$scratch/odd" >"$scratch/text" || fail "odd lines"
[ "$(wc -l <"$scratch/text")" = 8 ] || fail "odd lines: $(cat "$scratch/text")"
head -c 100000 /dev/urandom >"$scratch/random"
LINES_MAX=1 refused 1 "no frames" "$TOOL" explain "$scratch/random"
refused 1 "cannot be read" "$TOOL" explain "$scratch/nowhere"
refused 1 "cannot be read" "$TOOL" explain "$scratch"
LINES_MAX=2 refused 2 "needs one file" "$TOOL" explain
says "Examples:" "$TOOL" explain --help
echo "fine"
