#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes one C file of the library: amalgamate.py OUT writes OUT/mimalloc.c, and the public headers beside it.
amalgamate.py --list prints the sources that it is made of.

The files come in the order of cmake/sources.cmake. Headers are inlined where they are first included; those of the
system stand at the top. A name that two files have for themselves gets its file's name in front, macros of a .c file end
with it. The result compiles as C11 and as C++17 (where the names of C's atomics stand for the compiler's own), and
is the same whenever and wherever it is made.
"""
import hashlib
import os
import re
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LISTS = ["MI_SOURCES_COMMON", "MI_SOURCES_LINUX", "MI_SOURCES_GLIBC", "MI_SOURCES_TRACK"]
INCLUDE = re.compile(r'^ *# *include +([<"])([^>"]+)[>"].*$')
# Comments and literals first, so that nothing inside of them is taken for a name.
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|(?P<name>[A-Za-z_]\w*)|->|\S', re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.MULTILINE)
MACRO = re.compile(r"^[ \t]*# *define +(\w+)", re.MULTILINE)
# Words of C++ that the sources use as names.
KEYWORDS = ["class"]

TOP = """\
/* SPDX-License-Identifier: MIT */
/*
 * mimalloc.c - mimalloc {version} in one file, made by tools/amalgamate.py. The licence is at the end.
 *
 * Compile it with gcc or clang, as C11 or C++17 with GNU extensions or without, and link with -pthread (-ldl with an
 * old glibc). It needs the headers beside it. What may be defined for it:
 *
 *   MI_OVERRIDE   1: malloc, free and their like are this library's in the whole program; 0: only mi_ names
 *   MI_SHARED     1: for a shared library: also the operators new and delete of C++, and what only a loader binds
 *   MI_DEBUG      1: check the library's own assertions; 2: verify whole structures too
 *   MI_SECURE     1: hardened
 *   MI_TRACK      1: tell Valgrind's memcheck about blocks, 2: AddressSanitizer
 *
 * SHA-256 of the sources: {digest}
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef MI_OVERRIDE
#define MI_OVERRIDE 0
#endif
#ifndef MI_SHARED
#define MI_SHARED 0
#endif
#ifndef MI_SECURE
#define MI_SECURE 0
#endif
#if !defined(MI_TLS_MODEL) && defined(__linux__)
#include <features.h>
#ifndef __GLIBC__ /* musl has no room for the quicker model in what is loaded later */
#define MI_TLS_MODEL "local-dynamic"
#endif
#endif

#define mi_attr_noexcept /* in C++ too: what is defined here is C */
#include "mimalloc.h"
"""

LANGUAGES = """\
#ifdef __cplusplus
#pragma GCC diagnostic ignored "-Wextra" /* a constant of an enumeration beside a number */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#if __cplusplus >= 202002L
#pragma GCC diagnostic ignored "-Wdeprecated-enum-enum-conversion"
#pragma GCC diagnostic ignored "-Wdeprecated-enum-float-conversion"
#endif
#ifdef __clang__
#pragma GCC diagnostic ignored "-Wc99-designator"
#pragma GCC diagnostic ignored "-Wmissing-braces"
#endif
#define _Noreturn [[noreturn]]
#define _Static_assert static_assert
#define MI_MUSTTAIL /* clang++ can't do it inside of noexcept; with optimization it is a jump all the same */
#define _Atomic(type) type
enum { memory_order_relaxed = __ATOMIC_RELAXED, memory_order_acquire = __ATOMIC_ACQUIRE,
       memory_order_release = __ATOMIC_RELEASE, memory_order_acq_rel = __ATOMIC_ACQ_REL,
       memory_order_seq_cst = __ATOMIC_SEQ_CST };
#define atomic_thread_fence(order) __atomic_thread_fence(order)
#define atomic_signal_fence(order) __atomic_signal_fence(order)
#define atomic_load_explicit(p, order) __atomic_load_n((p), (order))
#define atomic_store_explicit(p, value, order) __atomic_store_n((p), (value), (order))
#define atomic_exchange_explicit(p, value, order) __atomic_exchange_n((p), (value), (order))
#define atomic_fetch_add_explicit(p, value, order) __atomic_fetch_add((p), (value), (order))
#define atomic_fetch_sub_explicit(p, value, order) __atomic_fetch_sub((p), (value), (order))
#define atomic_fetch_or_explicit(p, value, order) __atomic_fetch_or((p), (value), (order))
#define atomic_fetch_and_explicit(p, value, order) __atomic_fetch_and((p), (value), (order))
#define atomic_compare_exchange_weak_explicit(p, expected, desired, order, failed) \\
    __atomic_compare_exchange_n((p), (expected), (desired), true, (order), (failed))
#define atomic_compare_exchange_strong_explicit(p, expected, desired, order, failed) \\
    __atomic_compare_exchange_n((p), (expected), (desired), false, (order), (failed))
extern "C" {
#else
#include <stdatomic.h>
#define static_assert _Static_assert
#define MI_MUSTTAIL __attribute__((musttail))
#endif

#ifdef __clang__
#pragma GCC diagnostic ignored "-Wunused-function" /* static inline, from headers */
#endif
#pragma GCC visibility push(hidden)
"""

BOTTOM = """
#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

/*
"""


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def sources():
    """The .c files in the order of the build, and the public headers."""
    text = re.sub(r"#[^\n]*", "", read("cmake/sources.cmake"))
    listed = {name: body.split() for name, body in re.findall(r"set\((\w+)\s([^()]*)\)", text)}
    first, last = listed["MI_SOURCES_EVERYDAY"], listed["MI_SOURCES_TABLES"]
    between = [path for name in LISTS for path in listed[name] if path not in first + last]
    return first + between + last, listed["MI_HEADERS_PUBLIC"]


def own_names(text):
    """What a file has for itself: static functions and objects, types, constants of enumerations."""
    tokens = [m.group() for m in TOKEN.finditer(DIRECTIVE.sub("", text)) if m.group()[:2] not in ("//", "/*")]
    names, depth, start, i = set(), 0, 0, 0
    for i, token in enumerate(tokens):
        depth += (token in "([{") - (token in ")]}")
        if depth == 0 and token in (";", "}") and (token == ";" or i + 1 == len(tokens) or is_function(tokens[start:i])):
            names |= declared(tokens[start:i + 1])
            start = i + 1
    return names


def is_function(tokens):
    """Whether what ends with this brace is a function's body: a parameter list stands before its opening brace."""
    depth = 0
    for i, token in enumerate(tokens):
        if token == "{" and depth == 0:
            return i > 0 and tokens[i - 1] == ")" and "=" not in tokens[:i]
        depth += (token in "([{") - (token in ")]}")
    return False


def declared(tokens):
    """Names that one declaration at file scope makes."""
    word = re.compile(r"[A-Za-z_]\w*$")
    names, flat, depth, kind = set(), [], 0, ""
    for i, token in enumerate(tokens):
        if token in "([{":
            if depth == 0:
                kind = "enum" if token == "{" and "enum" in flat[-2:] else token
                flat.append(token)
            depth += 1
        elif token in ")]}":
            depth -= 1
        elif depth == 0:
            flat.append(token)
        elif depth == 1 and kind == "enum" and word.match(token) and tokens[i - 1] in "{,":
            names.add(token)
    for i, token in enumerate(flat[:-2]):
        if token in ("struct", "union", "enum") and word.match(flat[i + 1]) and flat[i + 2] == "{":
            names.add(flat[i + 1])
    if flat[:1] == ["typedef"] and flat[1] in ("struct", "union", "enum") and "{" not in flat:
        pass  # what it names stands elsewhere
    elif flat and flat[0] == "typedef":
        names |= {t for t in flat[-2:] if word.match(t)}
    elif "static" in flat:
        before = flat[:flat.index("=")] if "=" in flat else flat
        found = [t for t, after in zip(before, before[1:] + ["="]) if word.match(t) and after in ("(", "[", "=", ";", "{")
                 and not t.isupper() and not t.startswith(("_", "MI_"))]
        names |= set(found[-1:])
    return names


def renamed(text, names):
    """The text with other names for some; fields of structures keep theirs, but for keywords of C++."""
    tokens = [match for match in TOKEN.finditer(text) if match.group()[:2] not in ("//", "/*")]
    out, end, bodies = [], 0, []
    for i, match in enumerate(tokens):
        word, after = match.group(), tokens[i + 1].group() if i + 1 < len(tokens) else ""
        if word == "{":
            bodies.append(bool({"struct", "union"} & {t.group() for t in tokens[max(0, i - 2):i]}))
        elif word == "}" and bodies:
            bodies.pop()
        field = tokens[i - 1].group() in (".", "->") or tokens[i - 4].group() == "offsetof" or (bodies and bodies[-1] and after in tuple(";,[:)"))
        if word in names and (not field or word in KEYWORDS):
            out += [text[end:match.start()], names[word]]
            end = match.end()
    return "".join(out) + text[end:]


def exported_where_defined(text):
    """Takes out a declaration of a libc name right before its definition: clang++ wants both to say noexcept, as libc does."""
    for declaration, name in re.findall(r"^(MI_EXPORT [^;{}()]*?\b(\w+)\([^;{}]*\);\n)", text, re.MULTILINE):
        defined = re.compile(rf"^(?!MI_EXPORT)(\w[^;{{}}()\n]*\n{name}\()", re.MULTILINE)
        if defined.search(text):
            text = defined.sub(r"MI_EXPORT \1", text.replace(declaration, ""))
    return text


class Amalgam:
    def __init__(self, paths):
        self.system, self.public, self.seen, self.body = set(), set(), set(), []
        headers = [os.path.relpath(os.path.join(folder, name), ROOT) for folder, _, names in os.walk(os.path.join(ROOT, "src"))
                   for name in names if name.endswith(".h")]
        self.own = {path: own_names(read(path)) | set(MACRO.findall(read(path))) - {"_GNU_SOURCE"} for path in paths + headers}
        owned = [name for names in self.own.values() for name in names]
        self.shared = {name for name in owned if owned.count(name) > 1}
        for path in paths:
            self.add(path)

    def add(self, path):
        """Appends a file, and before it what it includes."""
        self.seen.add(path)
        text = read(path)
        stem = re.sub(r"\W", "_", os.path.basename(path)[:-2])
        names = {word: word + "_" for word in KEYWORDS}
        if path.endswith(".c"):
            names.update({name: f"{stem}_{name}" for name in self.shared & self.own[path]})
        lines = []
        for line in text.split("\n"):
            include = INCLUDE.match(line)
            if not include:
                lines.append(line)
            elif include.group(2).startswith("mimalloc"):
                self.public.add(include.group(2))
            elif include.group(1) == '"':
                inner = os.path.join("src", include.group(2))
                if inner not in self.seen:
                    self.add(inner)
            elif include.group(2).startswith(("valgrind/", "sys/sdt.h")):  # not everywhere
                lines.append(line)
            elif include.group(2) != "stdatomic.h":
                self.system.add(include.group(2))
        body = re.sub(r"^#define (?:_GNU_SOURCE|static_assert)\b.*\n", "", "\n".join(lines), flags=re.MULTILINE)
        body = renamed(body, names).replace("__attribute__((musttail))", "MI_MUSTTAIL")
        # What other libraries define is not hidden.
        body = re.sub(r"^(?!#)(?!.*MI_HIDDEN)(.*)\bMI_WEAK\b", r"\1MI_WEAK MI_EXPORT", body, flags=re.MULTILINE)
        if path.endswith(".c"):
            body = exported_where_defined(body)
            macros = sorted(set(MACRO.findall(body)))
            body += "".join(f"#undef {macro}\n" for macro in macros)
        body = re.sub(r"\A// SPDX[^\n]*\n", "", body)
        self.body.append(f"\n/* ==== {path} ==== */\n{body}")


def write(out):
    paths, public = sources()
    amalgam = Amalgam(paths)
    body = re.sub(r"\n{3,}", "\n\n", "".join(amalgam.body))
    version = re.search(r"VERSION ([\d.]+)", read("CMakeLists.txt")).group(1)
    digest = hashlib.sha256("".join(path + "\n" + read(path) for path in sorted(amalgam.seen)).encode()).hexdigest()
    licence = "".join(f" * {line}".rstrip() + "\n" for line in read("LICENSE").rstrip().split("\n"))
    includes = "".join(f'#include "{name}"\n' for name in sorted(amalgam.public - {"mimalloc.h"}))
    includes += "".join(f"#include <{name}>\n" for name in sorted(amalgam.system))
    # Not everywhere, and with templates in C++: before what has C's linkage.
    includes += "#if __has_include(<sys/sdt.h>)\n#include <sys/sdt.h>\n#endif\n"
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "mimalloc.c"), "w", encoding="utf-8") as file:
        file.write(TOP.format(version=version, digest=digest) + includes + "\n" + LANGUAGES + body + BOTTOM + licence + " */\n")
    for path in public:
        shutil.copyfile(os.path.join(ROOT, path), os.path.join(out, os.path.basename(path)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--list":
        print("\n".join(sources()[0]))
    else:
        write(sys.argv[1])
