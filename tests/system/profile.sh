#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The profile: right within its bounds, in forms that the tools of others read, with and without frame pointers;
# files as the options say; what is left at the end.
# timeout: 600
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need readelf addr2line
PYTHON=${PYTHON:-python3}

compile profile.c -fno-omit-frame-pointer
mv "$scratch/profile" "$scratch/frames"
compile profile.c -fomit-frame-pointer

# ---- right

for program in frames profile; do
    "$PYTHON" "$here/profile.py" accuracy "$scratch/$program" "$LIB" 65536 20 || fail "figures of $program"
done
"$PYTHON" "$here/profile.py" accuracy "$scratch/frames" "$LIB" 524288 100 || fail "figures at the usual rate"

# ---- files

# Samples fall by chance: the same in each run from here on, and what is said of them leaves room for five deviations.
export MIMALLOC_GUARDED_SAMPLE_SEED=1 MIMALLOC_GUARDED_SAMPLE_RATE=0

# run NAME=VALUE...: runs the program with these options in an empty folder, $scratch/out.
run() {
    rm -rf "$scratch/out"
    mkdir "$scratch/out"
    env "${@/#/MIMALLOC_}" MIMALLOC_PROFILE_RATE=64K MIMALLOC_PROFILE="$scratch/out/p" LD_PRELOAD="$LIB" \
        "$scratch/profile" >"$scratch/said" 2>"$scratch/err" || fail "the program, with $*"
    clean "$scratch/err"
}
# written PATTERN LEAST [MOST]: so many files have such a name.
written() {
    local found
    found=$(find "$scratch/out" -name "$1" | wc -l)
    [ "$found" -ge "$2" ] && [ "$found" -le "${3:-$2}" ] || fail "$found files $1: $(ls "$scratch/out")"
}
run PROFILE_FORMAT=pprof
written 'p.*.0001.pb.gz' 1
[ "$(stat -c %a "$scratch"/out/p.*)" = 600 ] || fail "others may read the profile"
pb=$scratch/pb.gz
mv "$scratch"/out/p.* "$pb"
run PROFILE_FORMAT=text
written 'p.*.0001.heap' 1
text=$scratch/text.heap
mv "$scratch"/out/p.* "$text"
run PROFILE_FORMAT=folded
written 'p.*.0001.folded' 1
# Frames separated by ';', a blank, a number: what flame graphs are made of. speedscope takes lines of /^(.*) (\d+)$/,
# split at ';' (its importer of collapsed stacks), where no line looks like the formats that it tries before.
if grep -vE '^[^; ]+(;[^; ]+)* [0-9]+$' "$scratch"/out/p.*; then
    fail "no folded stacks"
fi
for program in frames profile; do
    LD_PRELOAD=$LIB MIMALLOC_PROFILE=$scratch/$program.stacks MIMALLOC_PROFILE_FORMAT=text MIMALLOC_PROFILE_RATE=64K \
        "$scratch/$program" >/dev/null
    "$PYTHON" "$here/profile.py" stacks "$scratch/$program.stacks".* || fail "stacks of $program"
done
# Linked with the library's object: one section has all of its code.
"$CC" -g -O1 -fno-builtin -fomit-frame-pointer -o "$scratch/linked" "$here/profile.c" "$BUILD_DIR/mimalloc.o" -pthread -ldl
MIMALLOC_PROFILE=$scratch/linked.stacks MIMALLOC_PROFILE_FORMAT=text MIMALLOC_PROFILE_RATE=64K "$scratch/linked" >/dev/null
"$PYTHON" "$here/profile.py" stacks "$scratch/linked.stacks".* || fail "stacks of the linked program"
# 16 MB are allocated and 8 held.
run PROFILE_ALLOC_INTERVAL=4M
written 'p.*.pb.gz' 3 6
run PROFILE_INUSE_INTERVAL=2M
written 'p.*.pb.gz' 3 6
for file in "$scratch"/out/p.*; do
    "$PYTHON" "$here/profile.py" proto "$file" >/dev/null || fail "$file"
done

# ---- a base that is no good is told once

LD_PRELOAD=$LIB MIMALLOC_PROFILE=/nowhere/p MIMALLOC_PROFILE_ALLOC_INTERVAL=1M "$scratch/profile" \
    >/dev/null 2>"$scratch/err" || fail "the program, with a bad base"
[ "$(cat "$scratch/err")" = "mimalloc: warning: no profile can be written to $(sed 's/.* to \(.*\): .*/\1/' "$scratch/err"): there is no such folder (error 2)" ] ||
    fail "a bad base: $(cat "$scratch/err")"
# ---- a child of a fork has files of its own

run PROFILE_FORMAT=text
rm "$scratch"/out/*
LD_PRELOAD=$LIB MIMALLOC_PROFILE=$scratch/out/p MIMALLOC_PROFILE_FORMAT=text bash -c '(:; :) & wait; :'
written 'p.*.0001.heap' 2

# ---- what is not freed

LD_PRELOAD=$LIB MIMALLOC_PROFILE_LEAKS=1 MIMALLOC_PROFILE_RATE=64K "$scratch/profile" >/dev/null 2>"$scratch/err"
grep -q '^mimalloc: not freed at the end:$' "$scratch/err" || fail "no leaks are told: $(cat "$scratch/err")"
grep -qE '^about 7\.[3-9] MiB in [0-9]+ blocks of [0-9]+ kinds are in use; one sample in 64\.0 KiB$' "$scratch/err" ||
    fail "the sum of leaks: $(head -3 "$scratch/err")"
grep -qE '^about 976\.[0-9] KiB in 1 blocks of 976\.[0-9] KiB \(1 samples\), allocated at$' "$scratch/err" ||
    fail "the largest leak: $(head -5 "$scratch/err")"
grep -qE '^ +#0 profile\+0x[0-9a-f]+$' "$scratch/err" || fail "where: $(head -5 "$scratch/err")"
grep -q 'libmimalloc' "$scratch/err" && fail "the library's own frames: $(grep -m1 libmimalloc "$scratch/err")"

# ---- the tools of others

# names COMMAND...: its output has the program's functions and no other allocator's.
names() {
    "$@" >"$scratch/out.txt" 2>"$scratch/err" || fail "$*: $(cat "$scratch/err")"
    grep -qE '\bhold_0\b' "$scratch/out.txt" || fail "$1 knows no names: $(head "$scratch/out.txt")"
    grep -qE '\b(malloc|fast_alloc|mi__\w+)\b' "$scratch/out.txt" && fail "$1 shows frames of the library"
    echo "read by $1"
}
for tool in jeprof google-pprof; do
    if command -v "$tool" >/dev/null; then
        names "$tool" --text --inuse_space "$scratch/profile" "$text"
        # By one sample in 64 KiB without more knowledge: 7.6 MiB, give or take 0.6.
        grep -qE '^Total: ([5-9]|10)\.[0-9] MB' "$scratch/out.txt" || fail "$tool: $(head -1 "$scratch/out.txt")"
    fi
done
if command -v go >/dev/null; then
    for file in "$pb" "$text"; do
        names go tool pprof -top -inuse_space "$scratch/profile" "$file"
    done
    names go tool pprof -top -unit=mb -sample_index=alloc_space "$scratch/profile" "$pb"
    grep -qE 'Total samples = 1[4-6]\.[0-9]+MB' "$scratch/out.txt" || fail "allocated: $(head -6 "$scratch/out.txt")"
    grep -q '^Build ID: [0-9a-f]\{8,\}' "$scratch/out.txt" || fail "no build id"
fi
echo "profile: fine"
