#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The library loaded and closed by dlopen: it stays, its blocks too, and threads that used it end without harm.
# shellcheck source=common.bash
. "$(dirname "$0")/common.bash"
compile dlopen.c
"$scratch/dlopen" "$LIB" || fail "dlopen"
preloaded "$scratch/dlopen" "$LIB" || fail "dlopen of the preloaded library"
