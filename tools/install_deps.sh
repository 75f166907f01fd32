#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what the named tasks need and this machine lacks, by Debian package name: install_deps.sh build run test …
# Says nothing and needs no rights where nothing is missing.
set -eu

missing=

# need <package> <what shows that it is there>: a command, or with a slash a file (a pattern is fine).
need() {
    case $2 in
        */*) for file in $2; do [ -e "$file" ] && return; done ;;
        *) command -v "$2" >/dev/null 2>&1 && return ;;
    esac
    case " $missing " in *" $1 "*) ;; *) missing="$missing $1" ;; esac
}

need_python() {
    [ -x /usr/bin/python3 ] || need python3 python3
}

for task in "$@"; do
    case $task in
        build)
            need gcc "${CC:-cc}"
            need libc6-dev "/usr/include/*/stdlib.h /usr/include/stdlib.h"
            need make make
            need cmake cmake
            # What the command `mimalloc` reads files with.
            need libdw-dev "/usr/include/elfutils/libdwfl.h"
            need libelf-dev "/usr/include/libelf.h"
            need zlib1g-dev "/usr/include/zlib.h"
            need g++ "${CXX:-c++}"
            ;;
        run | docs)
            need_python
            ;;
        check)
            need_python
            need binutils nm
            need clang-format clang-format
            need clang-tidy clang-tidy
            need codespell codespell
            ;;
        site)
            need python3-markdown "/usr/lib/python3/dist-packages/markdown/__init__.py"
            ;;
        fuzz)
            need clang clang
            ;;
        soak)
            need_python
            need redis-server redis-server
            need memcached memcached
            ;;
        conformance)
            need_python
            need libpython3-testsuite "/usr/lib/python3*/test/test_dict.py"
            need redis-server redis-server
            need redis-tools redis-benchmark
            need tcl tclsh
            need perl perl
            ;;
        coverage)
            need gcovr gcovr
            ;;
        cross)
            # Compilers old and new.
            need gcc-11 gcc-11
            need clang-13 clang-13
            need clang-16 clang-16
            need clang-19 clang-19
            need wine64 "/usr/lib/wine/wine64 /usr/bin/wine*"
            need qemu-user qemu-riscv64
            need gcc-riscv64-linux-gnu riscv64-linux-gnu-gcc
            need gcc-powerpc64le-linux-gnu powerpc64le-linux-gnu-gcc
            need gcc-s390x-linux-gnu s390x-linux-gnu-gcc
            need libc6-dev-riscv64-cross "/usr/riscv64-linux-gnu/include/stdlib.h"
            need libc6-dev-ppc64el-cross "/usr/powerpc64le-linux-gnu/include/stdlib.h"
            need libc6-dev-s390x-cross "/usr/s390x-linux-gnu/include/stdlib.h"
            ;;
        bench)
            need_python
            need g++ "${CXX:-c++}"
            need valgrind valgrind
            ;;
        test)
            need_python
            need g++ "${CXX:-c++}"
            need binutils nm
            need libcmocka-dev "/usr/include/cmocka.h"
            need libmimalloc-dev "/usr/include/mimalloc.h"
            need pkg-config pkg-config
            need valgrind valgrind
            need musl-tools musl-gcc
            need procps ps
            need gdb gdb
            need libdebuginfod1 "/usr/lib/*/libdebuginfod.so.1"
            # The profile: probes, and what reads its files.
            need systemtap-sdt-dev "/usr/include/*/sys/sdt.h /usr/include/sys/sdt.h"
            need libjemalloc-dev jeprof
            need google-perftools google-pprof
            need golang-go go
            need bpftrace bpftrace
            need python3-prometheus-client "/usr/lib/python3/dist-packages/prometheus_client/parser.py"
            need prometheus promtool
            need mandoc mandoc
            need clang clang
            # macOS, compiled and linked only.
            need lld "/usr/bin/ld64.lld*"
            need llvm llvm-nm
            need abigail-tools abidw
            need meson meson
            need nix-bin nix-instantiate
            need ninja-build ninja
            # Debian's packages.
            need dpkg-dev dpkg-buildpackage
            need debhelper dh
            need lintian lintian
            # The programs that run preloaded.
            need git git
            need perl perl
            need redis-server redis-server
            need redis-tools redis-benchmark
            need sqlite3 sqlite3
            need lua5.4 lua5.4
            need nodejs node
            need ruby ruby
            # Rust, and the crates of the example server.
            need cargo cargo
            need rustc rustc
            need librust-hyper-dev "/usr/share/cargo/registry/hyper-*"
            need librust-tokio-dev "/usr/share/cargo/registry/tokio-1*"
            # Windows; what runs its programs is large, and comes with the task cross.
            need g++-mingw-w64-x86-64-posix x86_64-w64-mingw32-g++
            # 64-bit ARM, and a machine that runs it.
            if [ "$(uname -m)" != aarch64 ]; then
                need gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
                need libc6-dev-arm64-cross "/usr/aarch64-linux-gnu/include/stdlib.h"
                need qemu-user qemu-aarch64
            fi
            ;;
        *)
            echo "install_deps.sh: no task '$task' (build run check docs site fuzz bench test)" >&2
            exit 2
            ;;
    esac
done

[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing, by Debian's names:$missing. Please install them." >&2
    exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "Missing:$missing. Please run: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

echo "Installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# $missing is a list of words, and $as_root may be none.
if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
