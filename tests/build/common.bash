# SPDX-License-Identifier: MIT
# Sourced by the scripts beside it: a scratch folder that goes away, and a small program that proves which malloc it has.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
jobs=${CMAKE_BUILD_PARALLEL_LEVEL:-2}

cat >"$scratch/probe.c" <<'END'
#include <mimalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(void)
{
    char *p = malloc(100);
    char *q = strdup("text");
    void *r = NULL;
    // The size of a block that another malloc gave is 0.
    int ours = p != NULL && q != NULL && mi_usable_size(p) >= 100 && mi_usable_size(q) >= 5 &&
               posix_memalign(&r, 256, 1000) == 0 && mi_usable_size(r) >= 1000;
    free(p);
    free(q);
    free(r);
    printf("%d %s\n", mi_version(), ours ? "ours" : "not ours");
    return !ours;
}
END

cat >"$scratch/probe.cc" <<'END'
#include <mimalloc.h>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

int
main()
{
    std::vector<std::string> all(100, std::string(100, 'x'));
    bool ours = mi_usable_size(all.data()) > 0 && mi_usable_size(all[3].data()) > 100;
    bool thrown = false;
    try {
        void *volatile p = ::operator new(static_cast<std::size_t>(1) << 62);
        (void)p;
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    std::printf("%s, %s\n", ours ? "ours" : "not ours", thrown ? "thrown" : "not thrown");
    return !(ours && thrown);
}
END

# try <label> <program> [args]: runs it, and shows its last line under the label; a failure ends the test.
try() {
    local label=$1 said
    shift
    if ! said=$("$@" 2>&1); then
        echo "$label: failed"
        echo "$said"
        exit 1
    fi
    echo "$label: $(tail -n 1 <<<"$said")"
}

skip() {
    echo "skipped: $*"
    exit 77
}
