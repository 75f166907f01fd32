#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# As a part of another project the library brings its targets, and neither tests nor an installation.
. "$(dirname "$0")/common.bash"

cat >"$scratch/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.18)
project(host C)
enable_testing()
add_subdirectory("$SOURCE_DIR" mimalloc)
foreach(library mimalloc::mimalloc mimalloc::static)
  string(REPLACE "::" "-" name \${library})
  add_executable(user-\${name} probe.c)
  target_link_libraries(user-\${name} PRIVATE \${library})
endforeach()
install(TARGETS user-mimalloc-static)
END
"$CMAKE" -S "$scratch" -B "$scratch/build" >/dev/null
"$CMAKE" --build "$scratch/build" --parallel "$jobs" >/dev/null
for program in "$scratch"/build/user-*; do
    try "${program##*/}" "$program"
done

# The same by FetchContent.
mkdir "$scratch/fetch"
cat >"$scratch/fetch/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.18)
project(host C)
include(FetchContent)
FetchContent_Declare(mimalloc SOURCE_DIR "$SOURCE_DIR")
FetchContent_MakeAvailable(mimalloc)
add_executable(user "$scratch/probe.c")
target_link_libraries(user PRIVATE mimalloc::static)
END
"$CMAKE" -S "$scratch/fetch" -B "$scratch/fetch/build" >/dev/null
"$CMAKE" --build "$scratch/fetch/build" --parallel "$jobs" --target user >/dev/null
try FetchContent "$scratch/fetch/build/user"

tests=$(cd "$scratch/build" && ctest -N | tail -n 1)
echo "$tests"
[ "$tests" = "Total Tests: 0" ]
"$CMAKE" --install "$scratch/build" --prefix "$scratch/tree" >/dev/null
installed=$(find "$scratch/tree" -type f)
[ "$installed" = "$scratch/tree/bin/user-mimalloc-static" ]
