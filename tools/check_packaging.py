#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks what packaging/ and meson.build repeat of CMake: the version, the names of options, and files that are there."""
import re

import checks

VERSIONED = {
    "meson.build": r"version: '([\d.]+)', license",
    "packaging/alpine/APKBUILD": r"^pkgver=([\d.]+)$",
    "packaging/conan/conanfile.py": r'^    version = "([\d.]+)"$',
    "packaging/debian/changelog": r"\Amimalloc \(([\d.]+)-\d+\)",
    "packaging/homebrew/mimalloc.rb": r'^  version "([\d.]+)"$',
    "packaging/meson/mimalloc.wrap": r"^directory = mimalloc-([\d.]+)$",
    "packaging/nix/default.nix": r'^  version = "([\d.]+)";$',
    "packaging/vcpkg/vcpkg.json": r'^  "version": "([\d.]+)",$',
}
USES_OPTIONS = ["packaging/alpine/APKBUILD", "packaging/conan/conanfile.py", "packaging/debian/rules", "packaging/docker/Dockerfile",
                "packaging/homebrew/mimalloc.rb", "packaging/nix/default.nix", "packaging/vcpkg/portfile.cmake"]


def findings(cmake, texts):
    """What the texts, by path, have other than CMakeLists.txt."""
    version = re.search(r"^  VERSION ([\d.]+)$", cmake, re.MULTILINE).group(1)
    options = set(re.findall(r"^option\((MI_\w+)", cmake, re.MULTILINE))
    found = []
    for path, text in texts.items():
        said = re.search(VERSIONED[path], text, re.MULTILINE) if path in VERSIONED else None
        if path in VERSIONED and (said is None or said.group(1) != version):
            found.append(f"{path}: its version is {said.group(1) if said else 'not to be found'}, not {version}")
        if path in USES_OPTIONS:
            found += [f"{path}: there is no option {name}" for name in sorted(set(re.findall(r"(?:\b|-D)(MI_\w+)", text)) - options)]
    return found


def check(_):
    return findings(checks.read(checks.ROOT, "CMakeLists.txt"),
                    {path: checks.read(checks.ROOT, path) for path in {*VERSIONED, *USES_OPTIONS}})


def self_test(_):
    cmake = "project(mimalloc\n  VERSION 1.2.3\n)\noption(MI_SECURE \"\" OFF)\n"
    recipe = "packaging/alpine/APKBUILD"
    checks.expect("as it should be", findings(cmake, {recipe: "pkgver=1.2.3\n-DMI_SECURE=ON\n"}), None)
    checks.expect("another version", findings(cmake, {recipe: "pkgver=1.2.4\n"}), "1.2.4, not 1.2.3")
    checks.expect("no version", findings(cmake, {recipe: "pkgname=x\n"}), "not to be found")
    checks.expect("an unknown option", findings(cmake, {recipe: "pkgver=1.2.3\n-DMI_SEQURE=ON\n"}), "no option MI_SEQURE")


if __name__ == "__main__":
    checks.main(__doc__, check, self_test)
