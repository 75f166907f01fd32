#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# label: long
# timeout: 3600
# Debian's packages: built by dpkg-buildpackage, without a word from lintian, installed below a root of their own, used there;
# and the same bytes from another folder, at another moment, for another user.
. "$(dirname "$0")/common.bash"
for tool in dpkg-buildpackage dh lintian; do
    command -v "$tool" >/dev/null || skip "no $tool"
done

version=$(sed -n '1s/.*(\(.*\)).*/\1/p' "$SOURCE_DIR/packaging/debian/changelog")
# packages_in <folder> [<setting>…]: builds them there.
packages_in() {
    local tree=$1/mimalloc-${version%-*}
    mkdir -p "$tree"
    cp -r "$SOURCE_DIR"/{CMakeLists.txt,LICENSE,README.md,CHANGELOG.md,cmake,include,src,tool,tools,docs} "$tree"
    tar -C "$1" -czf "$1/mimalloc_${version%-*}.orig.tar.gz" "${tree##*/}"
    cp -r "$SOURCE_DIR/packaging/debian" "$tree/debian"
    if ! (cd "$tree" && env -u MAKEFLAGS -u MAKELEVEL "${@:2}" dpkg-buildpackage -us -uc -b) >"$scratch/log" 2>&1; then
        tail -n 40 "$scratch/log"
        exit 1
    fi
}
packages_in "$scratch"
cd "$scratch"
lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs ./*.changes
echo "lintian is silent: $(ls ./*.deb)"

mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates root/var/lib/dpkg/triggers
: >root/var/lib/dpkg/status
dpkg --root="$scratch/root" --force-depends --force-script-chrootless --force-not-root --log=/dev/null \
    -i ./libmimalloc3_*.deb ./libmimalloc-dev_*.deb ./mimalloc_*.deb >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
lib=$(dirname "$(find root/usr/lib -name libmimalloc.so.3)")
# As a program there would find it: by its bare name.
LD_LIBRARY_PATH=$PWD/$lib LD_PRELOAD=libmimalloc.so.3 MIMALLOC_VERBOSE=1 env true 2>&1 | grep "mimalloc: active"
cc -o user "$scratch/probe.c" $(PKG_CONFIG_PATH=$PWD/$lib/pkgconfig pkg-config --cflags --libs mimalloc) -Wl,-rpath,"$PWD/$lib"
try "pkg-config of libmimalloc-dev" ./user
ldd ./user | grep -F "$PWD/$lib/libmimalloc.so.3" >/dev/null || { echo "that was another mimalloc"; exit 1; }
root/usr/bin/mimalloc --help >"$scratch/log" || { cat "$scratch/log"; exit 1; }
cc -o user "$scratch/probe.c" -Iroot/usr/include "$lib/mimalloc.o" -pthread -ldl
try "mimalloc.o of libmimalloc-dev" ./user

# ---- The same bytes
mkdir "$scratch/home"
(umask 0077 && packages_in "$scratch/a-longer-way-to" TZ=Asia/Tokyo LC_ALL=C.UTF-8 LANG=de_DE.UTF-8 HOME="$scratch/home" USER=somebody)
for package in "$scratch"/*.deb; do
    cmp "$package" "$scratch/a-longer-way-to/${package##*/}"
    echo "the same bytes: ${package##*/}"
done
