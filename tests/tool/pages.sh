#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The pages in headless Chromium, where that is installed and PLAYWRIGHT names a folder with node_modules/playwright-core:
#   npm install --prefix /tmp/pw playwright-core && PLAYWRIGHT=/tmp/pw ctest -R tool.pages
. "$(dirname "$0")/common.bash"
need "$python" node chromium g++
[ -d "${PLAYWRIGHT:-}/node_modules/playwright-core" ] || { echo "SKIP: no playwright-core"; exit 77; }

(cd "$scratch" && g++ -O2 -g -o service "$here/../../examples/leaky/service.cc" -pthread)
MIMALLOC_PROFILE_RATE=8K LD_PRELOAD=$LIB "$scratch/service" >/dev/null &
service=$!
trap 'kill $service 2>/dev/null || true; rm -rf "$scratch"' EXIT
sleep 1
"$TOOL" profile -s 2 -o "$scratch/first.pb.gz" "$service"
"$TOOL" profile -s 3 -o "$scratch/profile.html" "$service"
"$TOOL" profile -s 1 -o "$scratch/second.pb.gz" "$service"
"$TOOL" diff -o "$scratch/diff.html" "$scratch/first.pb.gz" "$scratch/second.pb.gz"
"$TOOL" map -o "$scratch/map.html" "$service"
kill "$service"
"$TOOL" compare -n 2 --with=glibc -o "$scratch/compare.html" true >/dev/null
node "$(dirname "$0")/pages.mjs" "$scratch" "$(command -v chromium)" "$PLAYWRIGHT"
