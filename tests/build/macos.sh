#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# For macOS, as far as that goes without one: compiled by clang against declarations of our own (macos-headers), linked by
# lld against the names that the port may use. Nothing is run.
# timeout: 900
. "$(dirname "$0")/common.bash"

for tool in clang llvm-nm llvm-ar llvm-ranlib; do
    command -v $tool >/dev/null || skip "no $tool"
done
ld64=$(command -v ld64.lld || compgen -G '/usr/bin/ld64.lld-*' | head -n 1) || skip "no ld64.lld"
headers=$SOURCE_DIR/tests/build/macos-headers
resources=$(clang -print-resource-dir)

# What the declarations name, and what compilers call by themselves.
{
    echo "--- !tapi-tbd"
    echo "tbd-version: 4"
    echo "targets: [ x86_64-macos, arm64-macos ]"
    echo "install-name: '/usr/lib/libSystem.B.dylib'"
    echo "exports:"
    echo "  - targets: [ x86_64-macos, arm64-macos ]"
    echo "    symbols: [ dyld_stub_binder, ___stack_chk_fail, ___stack_chk_guard, ___cxa_atexit, _bzero, ___bzero,"
    echo "               _memset_pattern16, '_fstat\$INODE64',"
    grep -rhoE '\b[a-z_A-Z0-9]+\(' "$headers" | grep -vE '^(__asm|defined|sizeof|VM_MAKE_TAG)' | sort -u |
        sed 's/\(.*\)(/               _\1,/'
    echo "               _mach_task_self_ ]"
    echo "..."
} >"$scratch/libSystem.tbd"

for processor in arm64 x86_64; do
    build=$scratch/$processor
    "$CMAKE" -S "$SOURCE_DIR" -B "$build" -DCMAKE_SYSTEM_NAME=Darwin -DCMAKE_SYSTEM_PROCESSOR=$processor \
        -DCMAKE_C_COMPILER=clang -DCMAKE_C_COMPILER_TARGET=$processor-apple-macos11 -DCMAKE_CXX_COMPILER= \
        -DCMAKE_C_FLAGS="-nostdinc -isystem $headers -isystem $resources/include -Werror -Wno-unused-command-line-argument" \
        -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY -DCMAKE_OSX_SYSROOT= -DCMAKE_AR="$(command -v llvm-ar)" \
        -DCMAKE_RANLIB="$(command -v llvm-ranlib)" -DCMAKE_INSTALL_NAME_TOOL=true \
        -DCMAKE_HAVE_LIBC_PTHREAD=ON -DMI_BUILD_TESTS=OFF -DMI_BUILD_SHARED=OFF -DCMAKE_BUILD_TYPE=Release >"$scratch/log" 2>&1 &&
        "$CMAKE" --build "$build" --parallel "$jobs" >>"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }

    # Everything is there once, and of the system nothing but what is declared.
    "$ld64" -arch $processor -platform_version macos 11.0 11.0 -dylib -all_load -o "$build/libmimalloc.dylib" \
        "$build/libmimalloc.a" "$scratch/libSystem.tbd"
    llvm-nm --extern-only --defined-only --format=just-symbols "$build/libmimalloc.dylib" | sed -n 's/^_//p' |
        sort >"$scratch/exports"
    grep -o '^mi[a-z_0-9]*' "$SOURCE_DIR/tests/golden/exports.txt" | sort | diff "$scratch/exports" -
    echo "$processor: $(wc -l <"$scratch/exports") names exported"
    # A program that is linked with the archive.
    clang --target=$processor-apple-macos11 -nostdinc -isystem "$headers" -isystem "$resources/include" \
        -I"$SOURCE_DIR/include" -c -o "$build/user.o" -x c - <<'USER'
#include <mimalloc.h>
int
main(void)
{
    void *p = mi_new(mi_good_size(100));
    mi_free(p);
    return p == NULL;
}
USER
    "$ld64" -arch $processor -platform_version macos 11.0 11.0 -o "$build/user" "$build/user.o" "$build/libmimalloc.a" \
        "$scratch/libSystem.tbd"
    # Thread-local variables are the library's own: none of the system's, which allocate.
    if llvm-nm "$build/libmimalloc.a" 2>/dev/null | grep -E 'tlv_bootstrap|___emutls'; then
        exit 1
    fi
done
