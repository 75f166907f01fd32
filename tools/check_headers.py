#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles each header alone, twice included: as C11, the public ones also as strict C11 and as C++."""
import os
import shutil
import subprocess

import checks

STRICT = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-Wno-unused-function"]
DEFINES = ["-DMI_SHARED=1", "-DMI_OVERRIDE=1", "-DMI_SECURE=0", "-DMI_DEBUG=2"]
PUBLIC = ["-pedantic"]

# For C++ only; the first standard that they are for, when that is not the first one that is tried.
CXX_ONLY = {"mimalloc-new-delete.h": "c++11", "mimalloc-pmr.h": "c++17"}


def compiles(command, root, header, language):
    text = f'#include "{header}"\n#include "{header}"\n'
    command = command + STRICT + [f"-I{root}/include", f"-I{root}/src", "-x", language, "-"]
    made = subprocess.run(command, input=text, capture_output=True, text=True)
    if made.returncode == 0:
        return []
    first = next((line for line in made.stderr.splitlines() if "error" in line), made.stderr.strip())
    return [f"{header}: alone as {language} ({command[1]}): {first}"]


def findings_in(root, cc, cxx):
    found = []
    for path in checks.files(root, ["src"], (".h",)):
        found += compiles([cc, "-std=gnu11"] + DEFINES, root, os.path.relpath(path, "src"), "c")
    for path in checks.files(root, ["include"], (".h",)):
        header = os.path.relpath(path, "include")
        if header not in CXX_ONLY:
            found += compiles([cc, "-std=c11"] + PUBLIC, root, header, "c")
        if cxx and shutil.which(cxx):
            for standard in ("c++17", "c++11") if CXX_ONLY.get(header) != "c++17" else ("c++17",):
                found += compiles([cxx, f"-std={standard}"] + PUBLIC, root, header, "c++")
    return found


def check(args):
    return findings_in(checks.ROOT, args.cc, args.cxx)


def self_test(args):
    good = {"src/base/a.h": "#ifndef A\n#define A\n#include <stddef.h>\nsize_t f(void);\n#endif\n"}
    for planted, wanted in [
        ({}, None),
        ({"src/base/b.h": "size_t g(void);\n"}, "base/b.h: alone as c (-std=gnu11)"),
        ({"src/base/b.h": "struct twice { int x; };\n"}, "base/b.h: alone as c (-std=gnu11)"),
        ({"include/p.h": "int f(void) __asm(\"x\");\ntypeof(1) a;\n"}, "p.h: alone as c (-std=c11)"),
    ]:
        with checks.Planted({**good, **planted}) as root:
            checks.expect(str(planted), findings_in(root, args.cc, None), wanted)
    with checks.Planted({"include/p.h": "#ifndef P\n#define P\nint f(int class);\n#endif\n"}) as root:
        if shutil.which(args.cxx):
            found = findings_in(root, args.cc, args.cxx)
            checks.expect("a C++ keyword", found[:1], "p.h: alone as c++ (-std=c++17)")


if __name__ == "__main__":
    checks.main(__doc__, check, self_test, [
        (["--cc"], {"default": "cc", "help": "C compiler"}),
        (["--cxx"], {"default": "c++", "help": "C++ compiler; without one that half is left out"}),
    ])
