#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares what the libraries export with the golden list.

libmimalloc.so exports exactly tests/golden/exports.txt (exports_musl.txt with musl). libmimalloc.a defines, beside
names of that list, only mi__ names. Every function that a public header declares is on the list. Every name of
tests/golden/interface.txt is declared by a public header: those are the names of other versions that programs use.
"""
import os
import re
import subprocess

import checks

DECLARED = re.compile(r"mi_decl_(?:export|new)\b[^;{]*?\b(mi_(?!attr_|decl_)\w+)\s*\(")
MACRO = re.compile(r"^ *# *define +(mi_\w+)", re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def golden_path(musl):
    return os.path.join(checks.ROOT, "tests", "golden", "exports_musl.txt" if musl else "exports.txt")


def defined(path, *flags):
    out = subprocess.run(["nm", "-P", "--defined-only", *flags, path], capture_output=True, text=True, check=True).stdout
    return {line.split()[0].split("@")[0] for line in out.splitlines() if len(line.split()) > 1 and line.split()[1] != "A"}


def compare(exports, golden):
    return [f"exported, but not on the golden list: {name}" for name in sorted(exports - golden)] + [
        f"on the golden list, but not exported: {name}" for name in sorted(golden - exports)]


# Of <sys/sdt.h>, hidden.
NOT_OURS = {"_.stapsdt.base"}


def archive_findings(globals_, golden):
    return [f"libmimalloc.a: {name} is neither exported nor named mi__…" for name in sorted(globals_ - golden - NOT_OURS)
            if not name.startswith("mi__")]


def header_findings(header, text, golden):
    names = set(DECLARED.findall(COMMENT.sub("", text)))
    return [f"{header} declares {name}, which is not exported" for name in sorted(names - golden)]


def interface_findings(names, text):
    declared = set(DECLARED.findall(COMMENT.sub("", text))) | set(MACRO.findall(text))
    return [f"{name} of tests/golden/interface.txt is declared by no public header" for name in sorted(names - declared)]


def check(args):
    path = golden_path(args.musl)
    exports = defined(args.shared, "-D")
    if args.update:
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(name + "\n" for name in sorted(exports)))
        return []
    with open(path, encoding="utf-8") as file:
        golden = set(file.read().split())
    found = compare(exports, golden)
    if args.archive:
        found += archive_findings(defined(args.archive, "-g"), golden)
    headers = {header: checks.read(checks.ROOT, header) for header in checks.files(checks.ROOT, ["include"], (".h",))}
    for header, text in headers.items():
        found += header_findings(header, text, golden)
    lines = checks.read(checks.ROOT, "tests/golden/interface.txt").splitlines()
    names = {line for line in lines if line and line[0] not in "#~"}
    return found + interface_findings(names, "".join(headers.values()))


def self_test(args):
    with checks.Planted({"a.c": "void mi_free(void *p) { (void)p; } void stray(void) {}"}) as root:
        library = os.path.join(root, "a.so")
        subprocess.run([args.cc, "-shared", "-fPIC", os.path.join(root, "a.c"), "-o", library], check=True)
        exports = defined(library, "-D")
    checks.expect("golden as exported", compare(exports, {"mi_free", "stray"}), None)
    checks.expect("one more", compare(exports, {"mi_free"}), "not on the golden list: stray")
    checks.expect("one less", compare(exports, {"mi_free", "stray", "mi_malloc"}), "not exported: mi_malloc")
    checks.expect("names in the archive", archive_findings({"mi_free", "mi__page_init"}, {"mi_free"}), None)
    checks.expect("a bare name in the archive", archive_findings({"page_init"}, {"mi_free"}), "page_init is neither")
    text = "mi_decl_nodiscard mi_decl_export void* mi_gone(size_t n) mi_attr_noexcept;\n"
    macro = "#define mi_new_tp(tp) mi_new(sizeof(tp))\n"
    checks.expect("names that are declared", interface_findings({"mi_gone", "mi_new_tp"}, text + macro), None)
    checks.expect("a name that is not", interface_findings({"mi_lost"}, text + macro), "mi_lost of tests/golden/interface")
    checks.expect("a declaration without definition", header_findings("a.h", text, {"mi_free"}), "declares mi_gone")


if __name__ == "__main__":
    checks.main(__doc__, check, self_test, [
        (["--shared"], {"metavar": "FILE", "default": "build/libmimalloc.so"}),
        (["--archive"], {"metavar": "FILE"}),
        (["--musl"], {"action": "store_true", "help": "the library was built with musl"}),
        (["--update"], {"action": "store_true", "help": "write the golden list from the library"}),
        (["--cc"], {"default": "cc", "help": "compiler of the self-test"}),
    ])
