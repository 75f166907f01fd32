#!/bin/bash
# SPDX-License-Identifier: MIT
# Fuzzes for a while: `make fuzz`, or tests/fuzz/run.sh [SECONDS [libfuzzer|afl [TARGET…]]]
# Each target gets SECONDS (default 3600). What is found is kept in build/fuzz/TARGET; to try it again:
# build/tests/fuzz-TARGET FILE. libFuzzer watches with AddressSanitizer and UndefinedBehaviorSanitizer.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-3600} engine=${2:-libfuzzer}
shift $(($# < 2 ? $# : 2))
targets=${*:-operations threads options}
flags="-O1 -g -std=gnu11 -DMI_SHARED=0 -DMI_OVERRIDE=0 -DMI_DEBUG=1 -DMI_SECURE=0 -Isrc -Iinclude -fno-builtin-malloc"
mapfile -t sources < <(find src -name '*.c' | grep -vE '_(windows|macos)|_absent')

build_target() { # COMPILER NAME FLAGS…
  local compiler=$1 name=$2 model=tests/fuzz/model.c
  shift 2
  command -v "$compiler" >/dev/null || { echo "run.sh: $compiler is needed (Debian: clang, afl++)" >&2; exit 2; }
  [ "$name" = options ] && model=
  # shellcheck disable=SC2086
  "$compiler" $flags "$@" "${sources[@]}" "tests/fuzz/$name.c" $model -lpthread -o "build/fuzz/$name/fuzz"
}

for name in $targets; do
  mkdir -p "build/fuzz/$name/corpus"
  [ -d "tests/fuzz/corpus/$name" ] && cp -n "tests/fuzz/corpus/$name/"* "build/fuzz/$name/corpus/"
  echo "== $name, $seconds s, $engine"
  case $engine in
  libfuzzer)
    build_target clang "$name" -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
    (cd "build/fuzz/$name" && ./fuzz -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 corpus 2>&1 |
      grep -v '^#\|NEW\|REDUCE')
    ;;
  afl)
    build_target afl-clang-fast "$name" tests/fuzz/replay.c
    [ -n "$(ls "build/fuzz/$name/corpus")" ] || head -c 64 /dev/zero >"build/fuzz/$name/corpus/zeros"
    (cd "build/fuzz/$name" && AFL_SKIP_CPUFREQ=1 AFL_NO_UI=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 \
      afl-fuzz -V "$seconds" -i corpus -o afl -- ./fuzz @@ | tail -n 3
      [ -z "$(ls afl/default/crashes 2>/dev/null)" ] || { echo "findings in build/fuzz/$name/afl/default/crashes"; exit 1; })
    ;;
  *)
    echo "run.sh: no engine \"$engine\": libfuzzer or afl" >&2
    exit 2
    ;;
  esac
done
