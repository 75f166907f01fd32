#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# timeout: 900
# The single file: the same whenever and wherever it is made, without a warning by gcc and clang in C11 and C++17, and of use
# as mi_ functions, as the malloc of a program, and as a shared library. (The tests of the interface run on it: api.*.single.)
. "$(dirname "$0")/common.bash"

# Two places, two zones of time, two languages of the user.
"$PYTHON" "$SOURCE_DIR/tools/amalgamate.py" "$scratch/one"
mkdir "$scratch/copy"
cp -r "$SOURCE_DIR"/{src,include,cmake,tools,LICENSE,CMakeLists.txt} "$scratch/copy"
(cd / && LC_ALL=C TZ=Asia/Tokyo PYTHONHASHSEED=7 "$PYTHON" "$scratch/copy/tools/amalgamate.py" "$scratch/two")
diff -r "$scratch/one" "$scratch/two"
cd "$scratch/one"
echo "the same twice: $(wc -l <mimalloc.c) lines"

# compile <out> <compiler> <flags…>: silent, or the test ends.
compile() {
    local out=$1
    shift
    if ! "$@" -Wall -Wextra -Werror -O1 -fPIC -c -o "$out" mimalloc.c >"$scratch/log" 2>&1; then
        echo "$*: failed"
        grep -E 'error|warning' "$scratch/log" | head -n 10
        exit 1
    fi
}

languages=("gcc -std=c11" "g++ -x c++ -std=c++17")
command -v clang >/dev/null && languages+=("clang -std=c11" "clang++ -x c++ -std=gnu++17")
cc -c -o probe.o "$scratch/probe.c" -I.
for language in "${languages[@]}"; do
    read -ra compiler <<<"$language"
    linker=(cc)
    case $language in *++*) linker=(c++) ;; esac
    compile malloc.o "${compiler[@]}" -DMI_OVERRIDE=1
    "${linker[@]}" -o probe probe.o malloc.o -pthread -ldl
    try "$language, replacing malloc" ./probe
    compile shared.o "${compiler[@]}" -DMI_OVERRIDE=1 -DMI_SHARED=1
    "${linker[@]}" -shared -Wl,--no-undefined -o shared.so shared.o -pthread -ldl
    "$PYTHON" "$SOURCE_DIR/tools/check_exports.py" --shared shared.so
    MIMALLOC_VERBOSE=1 env LD_PRELOAD="$PWD/shared.so" true 2>&1 | grep "mimalloc: active" >"$scratch/said"
done
compile debug.o gcc -std=c11 -DMI_DEBUG=2
echo "shared: $(cat "$scratch/said")"

# Beside the program's own malloc: names of mi_ and the text of reports, which debuggers look for; no other is to be seen.
compile only.o gcc -std=c11
cc -shared -o only.so only.o -pthread -ldl
if nm -DP --defined-only only.so | grep -vE '^(mi_|mimalloc_abort_message )'; then
    echo "these names are to be hidden"
    exit 1
fi

if command -v musl-gcc >/dev/null; then
    compile musl.o musl-gcc -std=c11 -DMI_OVERRIDE=1
    musl-gcc -static -o probe "$scratch/probe.c" musl.o -I. -pthread
    try "musl, static" ./probe
fi
