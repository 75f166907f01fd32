#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A library opened with RTLD_DEEPBIND shares its blocks with the program, finds its own libraries,
# and keeps the flag on request.
. "$(dirname "$0")/common.bash"
need "$CC"

# The plug-in lies in a folder that only the program's run path names, and needs a second one from a
# folder that only its own run path names: the loader must know who asked.
mkdir -p "$scratch/plugins/parts"
"$CC" -shared -fPIC -DPART -o "$scratch/plugins/parts/libpart.so" "$here/deepbind_plugin.c"
"$CC" -shared -fPIC -o "$scratch/plugins/libplugin.so" "$here/deepbind_plugin.c" \
    -Wl,-rpath,'$ORIGIN/parts' -Wl,--enable-new-dtags -ldl
for optimize in -O0 -O2; do
    "$CC" $optimize -o "$scratch/host" "$here/deepbind_host.c" \
        -Wl,-rpath,'$ORIGIN/plugins' -Wl,--enable-new-dtags -ldl
    for flags in lazy now; do
        preloaded "$scratch/host" "$flags" masked >"$scratch/out" 2>&1 || fail "$(cat "$scratch/out")"
        echo "$optimize $flags: $(cat "$scratch/out")"
    done
    MIMALLOC_DEEPBIND=keep preloaded "$scratch/host" now kept >"$scratch/out" 2>&1 || fail "$(cat "$scratch/out")"
    echo "$optimize keep: $(cat "$scratch/out")"
    "$scratch/host" now masked >/dev/null || fail "without the library"
done
