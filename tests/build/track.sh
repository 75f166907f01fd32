#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 900
# The libraries that tell Valgrind's memcheck and AddressSanitizer about blocks: wrong programs are reported with the
# right words, right ones run in silence, and the library of every day has nothing of it in its code.
. "$(dirname "$0")/common.bash"

command -v valgrind >/dev/null || skip "no valgrind"
test -e /usr/include/valgrind/memcheck.h || skip "no valgrind/memcheck.h"
cd "$scratch"

# One mistake, chosen by its number. Compiled with MALLOC=mi_malloc or malloc and so on.
cat >wrong.c <<'C'
#include <mimalloc.h>
#include <stdlib.h>
#include <string.h>
#ifdef STANDARD
#define MALLOC malloc
#define FREE free
#define REALLOC realloc
#define CALLOC calloc
#define ALIGNED(size, align) aligned_alloc(align, size)
#else
#define MALLOC mi_malloc
#define FREE mi_free
#define REALLOC mi_realloc
#define CALLOC mi_calloc
#define ALIGNED(size, align) mi_malloc_aligned(size, align)
#endif
static volatile char sink;
static void *kept;

static __attribute__((noinline)) void
lose(size_t size)
{
    kept = MALLOC(size);
    memset(kept, 1, size);
    kept = NULL;
}

// A heap whose blocks are freed one by one, by its end, or not before it lives on in the main heap.
static char *
use_heap(size_t size, bool destroyed)
{
    mi_heap_t *heap = mi_heap_new();
    char *all[100];
    for (int i = 0; i < 100; i++) {
        all[i] = mi_heap_malloc(heap, size + (size_t)i);
        memset(all[i], 1, size + (size_t)i);
    }
    for (int i = 0; i < 50; i++) {
        mi_free(all[i]);
    }
    char *p = mi_heap_rezalloc(heap, mi_heap_zalloc(heap, size), 2 * size);
    if (p[2 * size - 1] != 0 || !mi_heap_contains(heap, p)) {
        abort();
    }
    if (destroyed) {
        mi_heap_destroy(heap);
        return p;
    }
    mi_heap_delete(heap);
    for (int i = 50; i < 100; i++) {
        mi_free(all[i]);
    }
    return p;
}

// Blocks of this size all come and go as they should.
static int
right(size_t size)
{
    char *all[200];
    for (int i = 0; i < 200; i++) {
        all[i] = i % 4 == 0 ? CALLOC(1, size) : i % 4 == 1 ? ALIGNED(size, 4096) : MALLOC(size);
        memset(all[i], all[i][0] == 1 && i % 4 == 0, i % 4 == 0 ? 0 : size);
        all[i] = REALLOC(all[i], size + (size_t)i);
        memset(all[i] + size, 1, (size_t)i);
        if (i % 3 == 0) {
            FREE(all[i]);
        }
    }
    int sum = 0;
    for (int i = 0; i < 200; i++) {
        if (i % 3 != 0) {
            sum += all[i][0] + all[i][size + (size_t)i - 1];
            if (mi_usable_size(all[i]) != size + (size_t)i) {
                abort();
            }
            FREE(all[i]);
        }
    }
    mi_collect(true);
    return sum == 0;
}

int
main(int argc, char **argv)
{
    size_t size = strtoul(argv[argc - 1], NULL, 10);
    if (strcmp(argv[1], "right") == 0) {
        return right(size);
    }
    volatile char *p = MALLOC(size);
    if (strcmp(argv[1], "leak") == 0) {
        lose(size);
    } else if (strcmp(argv[1], "uninitialised") == 0) {
        if (p[size / 2]) {
            lose(0);
        }
    } else if (strcmp(argv[1], "overflow") == 0) {
        p[size] = 1;
    } else if (strcmp(argv[1], "underflow") == 0) {
        sink = p[-1];
    } else if (strcmp(argv[1], "first-after-free") == 0) {
        FREE((void *)p);
        sink = p[0];
    } else if (strcmp(argv[1], "last-after-free") == 0) {
        FREE((void *)p);
        p[size - 1] = 1;
    } else if (strcmp(argv[1], "after-realloc") == 0) {
        kept = REALLOC((void *)p, size + 1);
        sink = p[0];
        p = kept;
    } else if (strcmp(argv[1], "double-free") == 0) {
        FREE((void *)p);
    } else if (strcmp(argv[1], "inside") == 0) {
        FREE((void *)(p + 8));
    } else if (strcmp(argv[1], "heap-destroyed") == 0) {
        sink = use_heap(size, true)[0];
    } else if (strcmp(argv[1], "heap-deleted") == 0) {
        mi_free(use_heap(size, false));
    } else if (strcmp(argv[1], "string") == 0) {
        memset((void *)p, 'a', size);
        sink = (char)strlen((const char *)p);
    } else {
        abort();
    }
    FREE((void *)p);
    return 0;
}
C

# variant <option>: builds the library with it, in a folder of that name.
variant() {
    "$CMAKE" -S "$SOURCE_DIR" -B "$scratch/$1" -DMI_BUILD_TESTS=OFF "-D$1=ON" >/dev/null
    "$CMAKE" --build "$scratch/$1" --parallel "$jobs" >/dev/null
}

# judge <label> <words> <log>: the log has the words; for silence, the log is empty.
judge() {
    if [ "$2" = silence ] && [ ! -s "$3" ]; then
        return
    fi
    if [ "$2" = silence ] || ! grep -qE -e "$2" "$3"; then
        echo "$1: expected $2, and got:"
        cat "$3"
        exit 1
    fi
}

# ---- memcheck

variant MI_TRACK_VALGRIND
lib=$scratch/MI_TRACK_VALGRIND
cc -g -O1 -fno-builtin -I"$SOURCE_DIR/include" -o wrong-mi wrong.c -L"$lib" -lmimalloc-valgrind -Wl,-rpath,"$lib"
cc -g -O1 -fno-builtin -DSTANDARD -I"$SOURCE_DIR/include" -o wrong-libc wrong.c "$lib/libmimalloc-valgrind.a" -pthread -ldl

memcheck() {
    valgrind -q --leak-check=full --soname-synonyms=somalloc=nouserintercepts "$@" >log 2>&1 || true
}

for program in wrong-mi wrong-libc; do
    for size in 40 200000; do
        while read -r mistake words; do
            memcheck "./$program" "$mistake" "$size"
            judge "memcheck, $program $mistake $size" "${words//SIZE/$(sed ':a;s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/;ta' <<<"$size")}" log
        done <<'TABLE'
right silence
leak SIZE bytes in 1 blocks are definitely lost
uninitialised depends on uninitialised value
overflow is 0 bytes after a block of size SIZE alloc'd
underflow is 1 bytes before a block of size SIZE alloc'd
first-after-free is 0 bytes inside a block of size SIZE free'd
last-after-free inside a block of size SIZE free'd
after-realloc is 0 bytes inside a block of size SIZE free'd
double-free Invalid free\(\)
inside Invalid free\(\)
string is 0 bytes after a block of size SIZE alloc'd
heap-destroyed is 0 bytes inside a block of size .* free'd
heap-deleted silence
TABLE
    done
    echo "fine: memcheck, $program"
done
# The report names the caller's caller: who allocated.
memcheck ./wrong-mi first-after-free 40
judge "stack" "mi_malloc" log
judge "stack" "mi_free" log

for test in aligned basic new posix realloc sizes; do
    cc -std=gnu11 -w -g -O1 -I"$SOURCE_DIR/include" -o "api-$test" "$SOURCE_DIR/tests/api/test_api_$test.c" \
        "$lib/libmimalloc-valgrind.a" -pthread -ldl
    "./api-$test" >log 2>&1 || judge "test_api_$test" silence log
done
memcheck ./api-posix
judge "memcheck, test_api_posix" "checks, 0 failed" log
if grep -q "^==" log; then
    judge "memcheck, test_api_posix" silence log
fi
echo "fine: memcheck, tests of the interface"

# ---- AddressSanitizer

variant MI_TRACK_ASAN
lib=$scratch/MI_TRACK_ASAN
export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1 MIMALLOC_ERRORS=report
for cc in gcc clang; do
    echo 'int main(void) { return 0; }' >can.c
    if ! "$cc" -fsanitize=address -o can can.c 2>/dev/null || ! ./can 2>/dev/null; then
        echo "left out: $cc -fsanitize=address"
        continue
    fi
    "$cc" -fsanitize=address -g -O1 -fno-builtin -I"$SOURCE_DIR/include" -o wrong wrong.c \
        -L"$lib" -lmimalloc-asan -Wl,-rpath,"$lib"
    "$cc" -fsanitize=address -g -O1 -fno-builtin -I"$SOURCE_DIR/include" -o wrong-static wrong.c \
        "$lib/libmimalloc-asan.a" -pthread -ldl
    for program in wrong wrong-static; do
        for size in 40 20000 200000; do
            while read -r mistake words; do
                "./$program" "$mistake" "$size" >log 2>&1 || true
                judge "AddressSanitizer of $cc, $program $mistake $size" "$words" log
            done <<'TABLE'
right silence
overflow AddressSanitizer: use-after-poison
underflow AddressSanitizer: use-after-poison
first-after-free AddressSanitizer: use-after-poison
last-after-free AddressSanitizer: use-after-poison
after-realloc AddressSanitizer: use-after-poison
double-free mimalloc: (double-free|invalid-free)
inside mimalloc: invalid-free
string AddressSanitizer: use-after-poison
heap-destroyed AddressSanitizer: use-after-poison
heap-deleted silence
TABLE
        done
    done

    # A block of the sanitizer's malloc that only a block of ours points to is no leak; one that nothing points to is.
    cat >root.c <<'C'
#include <mimalloc.h>
#include <stdlib.h>
static void **kept;
int
main(int argc, char **argv)
{
    (void)argv;
    kept = mi_malloc(argc == 1 ? 100 : 200000);
    kept[3] = malloc(10);
    if (argc == 3) {
        mi_free(kept);
    }
    return 0;
}
C
    "$cc" -fsanitize=address -g -I"$SOURCE_DIR/include" -o root root.c -L"$lib" -lmimalloc-asan -Wl,-rpath,"$lib"
    # Where the search for leaks can't run at all (under a debugger, in some containers), there is nothing to see.
    ./root x y >log 2>&1 || true
    if grep -q "detected memory leaks" log; then
        ./root >log 2>&1 || true
        judge "leak, $cc, small" silence log
        ./root x >log 2>&1 || true
        judge "leak, $cc, large" silence log
    elif ! grep -q "LeakSanitizer has encountered a fatal error" log; then
        judge "leak, $cc, freed" "detected memory leaks" log
    fi
    echo "fine: AddressSanitizer of $cc"
done
# Programs without the sanitizer run with this library, too.
cc -g -O1 -fno-builtin -I"$SOURCE_DIR/include" -o plain wrong.c -L"$lib" -lmimalloc-asan -Wl,-rpath,"$lib"
./plain right 1000 >log 2>&1
judge "without the sanitizer" silence log

# ---- nothing of it elsewhere

# What a request to Valgrind looks like: rotations that together do nothing.
requests() {
    objdump -d "$1" | grep -cE 'rol +\$0x3d,%rdi' || true
}
names() {
    nm -A "$1" 2>/dev/null | grep -E 'asan|lsan|mi__track|mi__cell' || true
}
if [ "$(uname -m)" = x86_64 ]; then
    test "$(requests "$scratch/MI_TRACK_VALGRIND/libmimalloc-valgrind.a")" -gt 0
    test "$(requests "$BUILD_DIR/libmimalloc.a")" = 0
fi
test -n "$(names "$scratch/MI_TRACK_ASAN/libmimalloc-asan.a")"
test -z "$(names "$BUILD_DIR/libmimalloc.a")"
echo "fine: nothing in libmimalloc.a"
