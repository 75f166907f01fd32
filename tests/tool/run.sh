#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mimalloc run: programs get the library, and those that cannot have it a line that says why and what helps.
. "$(dirname "$0")/common.bash"
need gcc "$python"

run=("$TOOL" run)
cat >"$scratch/small.c" <<'END'
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    char *p = malloc(1000);
    memset(p, argc, 1000);
    free(p);
    return argc > 1 ? atoi(argv[1]) : 0;
}
END
"$CC" -o "$scratch/small" "$scratch/small.c"
MIMALLOC_VERBOSE=1 "${run[@]}" "$scratch/small" 2>"$scratch/err" || fail "the program fails"
grep -q '^mimalloc: active in "small"' "$scratch/err" || fail "the library is not active"
"${run[@]}" --verbose --stats -- "$scratch/small" 2>"$scratch/err"
grep -q '^mimalloc: active' "$scratch/err" && grep -q 'block size' "$scratch/err" || fail "--verbose --stats"
"${run[@]}" --secure=2 sh -c 'echo $MIMALLOC_SECURE' >"$scratch/level"
"${run[@]}" --secure sh -c 'echo $MIMALLOC_SECURE $MIMALLOC_PROFILE' >>"$scratch/level"
(cd "$scratch" && MIMALLOC_SECURE=0 "${run[@]}" --profile=64K sh -c 'echo $MIMALLOC_PROFILE $MIMALLOC_PROFILE_RATE' >>"$scratch/level")
[ "$(tr '\n' , <"$scratch/level")" = "2,1,mimalloc 64K," ] || fail "--secure, --profile: $(cat "$scratch/level")"
status=0
"${run[@]}" "$scratch/small" 42 || status=$?
[ "$status" = 42 ] || fail "exit status $status, not 42"
"${run[@]}" --limit=64M "$python" -c '
try:
    bytearray(200 << 20)
except MemoryError:
    raise SystemExit(0)
raise SystemExit("no limit")' || fail "--limit"
"${run[@]}" --metrics="$scratch/%p.prom" "$scratch/small"
grep -q '^malloc_allocations_total' "$scratch"/*.prom || fail "--metrics"
# Beside what is preloaded already, and only once.
cat >"$scratch/other.c" <<'END'
int other = 1;
END
"$CC" -shared -fPIC -o "$scratch/libother.so" "$scratch/other.c"
LD_PRELOAD=$scratch/libother.so "${run[@]}" sh -c 'echo $LD_PRELOAD; "$0" run sh -c "echo \$LD_PRELOAD"' "$TOOL" >"$scratch/preloads"
[ "$(sort -u "$scratch/preloads")" = "$LIB:$scratch/libother.so" ] || fail "LD_PRELOAD: $(cat "$scratch/preloads")"
says "would run with" "${run[@]}" --dry-run "$scratch/small"
"${run[@]}" --dry-run --json "$scratch/small" >"$scratch/json"
json "$scratch/json" 'j["works"] and j["obstacle"] is None and j["library"].endswith(".so.3.4")'

# What cannot work.
"$CC" -static -o "$scratch/static" "$scratch/small.c"
refused 1 "is linked statically" "${run[@]}" "$scratch/static"
cat >"$scratch/own.c" <<'END'
#include <stddef.h>
static char memory[10000];
static size_t used;
void *malloc(size_t n) { used += 1000; return n > 1000 ? NULL : memory + used - 1000; }
void free(void *p) { (void)p; }
int main(void) { return malloc(10) == NULL; }
END
"$CC" -fno-builtin -o "$scratch/own" "$scratch/own.c"
refused 1 "has a malloc of its own" "${run[@]}" "$scratch/own"
if "$CC" -fsanitize=address -o "$scratch/asan" "$scratch/small.c" 2>/dev/null; then
    refused 1 "is built with a sanitizer" "${run[@]}" "$scratch/asan"
fi
if command -v musl-gcc >/dev/null; then
    musl-gcc -o "$scratch/musl" "$scratch/small.c"
    refused 1 "another libc" "${run[@]}" "$scratch/musl"
fi
cp "$scratch/small" "$scratch/other-machine"
printf '\xf3\x00' | dd of="$scratch/other-machine" bs=1 seek=18 conv=notrunc status=none
refused 1 "another kind of machine" "${run[@]}" "$scratch/other-machine"
if [ "$(id -u)" = 0 ]; then
    cp "$scratch/small" "$scratch/rights"
    chown 65534 "$scratch/rights"
    chmod u+s "$scratch/rights"
    refused 1 "more rights than its caller" "${run[@]}" "$scratch/rights"
fi
"$CC" -o "$scratch/linked" "$scratch/small.c" "$BUILD_DIR/mimalloc.o" -pthread -ldl
"${run[@]}" "$scratch/linked" 2>"$scratch/err" || fail "a program with the library in it does not run"
grep -q "is linked into it already" "$scratch/err" || fail "a program with the library in it: $(cat "$scratch/err")"
# By a script, its interpreter counts.
printf '#!%s\n' "$scratch/static" >"$scratch/script"
chmod +x "$scratch/script"
refused 1 "is linked statically" "${run[@]}" "$scratch/script"
cp "$scratch/small" "$scratch/no-program"
chmod -x "$scratch/no-program"
refused 126 "cannot be started" "${run[@]}" "$scratch/no-program"
refused 127 "there is no such program" "${run[@]}" "$scratch/nothing"
refused 127 "there is no such program" "${run[@]}" nothing-of-this-name
refused 2 "is no library" "${run[@]}" --library="$scratch/nothing.so" true
LINES_MAX=3 refused 2 "Try \`mimalloc run --help\`" "${run[@]}"
LINES_MAX=3 refused 2 "Try \`mimalloc run --help\`" "${run[@]}" --nothing true
for length in 1 17 63 64 100 1000 4000; do
    head -c "$length" "$scratch/small" >"$scratch/cut"
    chmod +x "$scratch/cut"
    "${run[@]}" --dry-run "$scratch/cut" >/dev/null 2>&1 || [ $? -le 2 ] || fail "a program of $length bytes"
done
says "Examples:" "${run[@]}" --help
says "run a program" "$TOOL" --help
says "mimalloc 3.4.3" "$TOOL" --version
LINES_MAX=20 refused 2 "there is no verb nonsense" "$TOOL" nonsense
LINES_MAX=20 refused 2 "Usage: mimalloc VERB" "$TOOL"
echo "fine"
