#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tests that others wrote for their programs: those of Python's own test suite that allocate, start threads, fork and call C.
# What fails with the library must fail without it, too. CONFORMANCE="test_dict …" picks some; "all" is all of them.
# label: long
# timeout: 7200
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
need "${PYTHON:=python3}"
"$PYTHON" -c 'import test.test_dict, test.libregrtest' 2>/dev/null || { echo "SKIP: no test suite of Python"; exit 77; }

chosen=${CONFORMANCE:-test_array test_asyncio test_bigmem test_bytes test_buffer test_bz2 test_codecs test_collections
    test_compile test_concurrent_futures test_ctypes test_decimal test_deque test_descr test_dict test_email test_exceptions
    test_faulthandler test_fork1 test_functools test_gc test_generators test_hashlib test_heapq test_io test_itertools test_json
    test_list test_long test_lzma test_marshal test_memoryio test_memoryview test_mmap test_multiprocessing_fork
    test_multiprocessing_spawn test_ordered_dict test_pickle test_posix test_queue test_re test_resource test_set
    test_signal test_socket test_sort test_ssl test_statistics test_string test_struct test_subprocess
    test_sys test_thread test_threading test_threading_local test_tracemalloc test_tuple test_unicode test_weakref test_wsgiref
    test_xml_etree test_xml_etree_c test_zipfile test_zlib}
[ "$chosen" != all ] || chosen=

# failures <file> [variable=value ...]: the tests that fail, one a line
failures() {
    local log=$1
    shift
    # shellcheck disable=SC2086
    (cd "$scratch" && env "$@" timeout 3000 "$PYTHON" -m test --timeout 300 -j "$(nproc)" $chosen) >"$log" 2>&1 </dev/null || true
    grep -q 'Total duration' "$log" || fail "the suite does not end: $(tail -n 5 "$log")"
    sed -n '/^[0-9]* tests\? failed:/,/^[^ ]/{/^ /p}' "$log" | tr -s ' ' '\n' | grep . | sort
}
failures "$scratch/ours.log" LD_PRELOAD="$LIB" PYTHONMALLOC=malloc >"$scratch/ours"
grep -E '^[0-9]+ tests? OK' "$scratch/ours.log"
if [ -s "$scratch/ours" ]; then
    chosen=$(tr '\n' ' ' <"$scratch/ours")
    failures "$scratch/plain.log" PYTHONMALLOC=malloc >"$scratch/plain"
    echo "failing without the library, too: $(comm -12 "$scratch/ours" "$scratch/plain" | tr '\n' ' ')"
    only=$(comm -23 "$scratch/ours" "$scratch/plain" | tr '\n' ' ')
    [ -z "$only" ] || fail "failing with the library only: $only $(grep -E '^(FAIL|ERROR):' "$scratch/ours.log" | sort -u | head)"
fi
