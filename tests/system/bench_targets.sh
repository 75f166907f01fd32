#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The targets that a benchmark run ends with, judged from files with known figures.
# timeout: 60
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
PYTHON=${PYTHON:-python3}
need "$PYTHON"

columns=runs,wall_s,wall_min_s,wall_max_s,user_s,system_s,cpu_s,peak_kib,after_kib,idle_kib,faults,operations,thread_bytes
# row TASK GROUP ALLOCATOR WALL PEAK FAULTS [THREAD_BYTES]
row() {
    echo "$1,$2,some text,1,$3,3,$4,$4,$4,$4,0,$4,$5,$5,$5,$6,0,${7:-},abc,"
}
# judge NAME: the targets of the run in $scratch/NAME.csv
judge() {
    "$PYTHON" "$here/../../bench/run.py" --from-csv "$scratch/$1.csv" >"$scratch/$1.txt" || fail "no report of $1"
    sed -n '/^Targets/,$p' "$scratch/$1.txt"
}
# says NAME LINE...: the verdict has these lines
says() {
    local name=$1 text
    text=$(judge "$name")
    shift
    for line in "$@"; do
        grep -qF -- "$line" <<<"$text" || fail "$name: no line \"$line\" in: $text"
    done
}

{
    echo "task,group,text,threads,allocator,${columns},checksum,failure"
    row one workload this 0.8 900 100 12288
    row one workload glibc 1.0 1000 100 700
    row one workload mimalloc2 3.0 2000 200 60000
    row two micro this 0.5 900 105
    row two micro glibc 1.0 1000 100
    row two micro mimalloc2 0.5 2000 200
} >"$scratch/good.csv"
says good "Targets: 8 of 8 met" \
    "met     time, geometric mean: at most 0.90 of the best single peer's" "0.63 of glibc's" \
    "met     peak memory, geometric mean: at most 0.85 of mimalloc2's" "0.45" \
    "met     page faults of each workload: at most 1.05 of the best peer's" "at most 1.05 (two)" \
    "met     time of each micro pattern: at least level with the best peer" "at most 1.00 (two)" \
    "met     a thread that allocated once keeps at most 12 KiB" "12.0 KiB"

{
    echo "task,group,text,threads,allocator,${columns},checksum,failure"
    row one workload this 1.2 1400 106 12289
    row one workload glibc 1.0 1000 100
    row one workload jemalloc 3.0 1200 300
    row two micro this 1.05 1000 90
    row two micro glibc 1.0 1000 100
} >"$scratch/bad.csv"
says bad "Targets: 0 of 7 met" \
    "MISSED  time, geometric mean: at most 0.90 of the best single peer's" "1.12 of glibc's" \
    "MISSED  time of each workload: at most 1.10 of the best peer's" "1 of 2 above: one 1.20" \
    "MISSED  peak memory of each workload: at most 1.30 of the best peer's" "1 of 2 above: one 1.40" \
    "MISSED  page faults of each workload: at most 1.05 of the best peer's" "1 of 2 above: one 1.06" \
    "MISSED  time of each micro pattern: at least level with the best peer" "1 of 1 above: two 1.05" \
    "MISSED  a thread that allocated once keeps at most 12 KiB"

# What a run says nothing of is no target of it.
{
    echo "task,group,text,threads,allocator,${columns},checksum,failure"
    row one workload this 1.2 1400 106
} >"$scratch/alone.csv"
[ -z "$(judge alone)" ] || fail "targets without a peer: $(judge alone)"
