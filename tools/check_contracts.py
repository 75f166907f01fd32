#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks that every public function has a contract, and that contracts speak of what there is.

A contract is the comment right above a declaration, or above a group of declarations without a blank line between
them; tools/gen_reference.py makes the reference from it. It is missing, is too short to say anything, names in
backquotes a parameter that no function of the group has, or names a function that no header declares.
"""
import re

import checks
import headers

LEAST_LETTERS = 12
QUOTED = re.compile(r"`([^`\n]+)`")
NAME = re.compile(r"\bmi_[a-z]\w*[a-z0-9]\b(?!\*)")
WORD = re.compile(r"(?<![\w.:-])[A-Za-z_]\w*")
# What a contract may name in backquotes beside parameters and public names.
KNOWN = set("""alloc zalloc calloc malloc realloc free operator new delete std sizeof void NULL errno true false const
    size_t u z at aligned x T U n at current peak total threads theaps reserved committed size version block_size
    malloc_bins""".split())


def functions(header):
    return [(group, entry) for section in header.sections for group in section.groups for entry in group.entries
            if (entry.kind == "function" and entry.exported) or entry.kind == "class"]


def text_of(group):
    return " ".join(group.contract or [])


def names_in(every):
    """Everything that a contract may name: what the headers declare, and the words of their types."""
    names = set(KNOWN)
    for header in every:
        for entry in header.entries():
            names.add(entry.name)
            if entry.kind in ("type", "class"):
                names.update(WORD.findall(headers.COMMENT.sub("", entry.raw)))
    return names


def group_findings(header, group, names, params_of):
    found = []
    params = {name for entry in group.entries for name in entry.param_names()}
    params |= {name for word in WORD.findall(text_of(group)) for name in params_of.get(word, [])}
    params |= {name for entry in group.entries if entry.kind in ("type", "macro") for name in WORD.findall(entry.text)}
    params |= {part for entry in group.entries for part in entry.name.split("_")}
    where = f"{header.name}:{group.line}"
    for quoted in QUOTED.findall(text_of(group)):
        for word in WORD.findall(quoted):
            if word not in params | names and not word.startswith("_"):
                found.append(f"{where}: the contract of {group.entries[0].name} names `{word}`, which is no parameter there")
    for word in NAME.findall(QUOTED.sub("", text_of(group))):
        if word not in names:
            found.append(f"{where}: the contract of {group.entries[0].name} names {word}, which no header declares")
    return found


def findings(every):
    found, names = [], names_in(every)
    params_of = {entry.name: entry.param_names() for header in every for entry in header.entries()}
    for header in every:
        if not header.title:
            found.append(f"{header.name}: no comment says what the header is")
        for group, entry in functions(header):
            if group.contract is None:
                found.append(f"{header.name}:{entry.line}: {entry.name} has no contract: a comment right above it, "
                             "or above its group")
            elif len(re.sub(r"\W", "", text_of(group))) < LEAST_LETTERS:
                found.append(f"{header.name}:{entry.line}: the contract of {entry.name} says too little")
        for section in header.sections:
            for group in section.groups:
                found += group_findings(header, group, names, params_of)
    return found


def load(root):
    return [headers.Header(path.split("/")[-1], checks.read(root, path))
            for path in checks.files(root, ["include"], (".h", ".hpp"))]


def check(_):
    every = load(checks.ROOT)
    if sum(len(functions(header)) for header in every) < 80:
        return ["fewer than 80 public functions were found: tools/headers.py does not understand the headers"]
    return findings(every)


HEAD = "/* SPDX-License-Identifier: MIT */\n/*\n * a.h - an example.\n *\n * More of it.\n */\n"
GOOD = "/* A block of `size` bytes, as mi_free takes. */\nmi_decl_export void *mi_give(size_t size);\n\n" \
       "/* Frees block `p`, from mi_give. */\nmi_decl_export\nvoid mi_free(void *p) mi_attr_noexcept;\n"


def self_test(_):
    for planted, wanted in [
        ("", None),
        ("mi_decl_export void mi_bare(int x);\n", None),
        ("\nmi_decl_export void mi_bare(int x);\n", "a.h:14: mi_bare has no contract"),
        ("\nmi_decl_new mi_attr_alloc_size(1)\nvoid *mi_bare(int x);\n", "mi_bare has no contract"),
        ("\n/* Of nothing. */\n\nmi_decl_export void mi_bare(int x);\n", "a.h:16: mi_bare has no contract"),
        ("\n/* Frees. */\nmi_decl_export void mi_short(int x);\n", "the contract of mi_short says too little"),
        ("\n/* A thing with `sise` bytes in it. */\nmi_decl_export void mi_typo(int size);\n", "names `sise`"),
        ("\n/* A thing that mi_gone has given out. */\nmi_decl_export void mi_late(int x);\n", "names mi_gone, which no"),
        ("\n/* As mi_give, with its `size`. */\nmi_decl_export void mi_star(int x);\n", None),
        ("\n/* Any mi_*, and the `*x` of it all. */\nmi_decl_export void mi_star(int *x);\n", None),
        ("\n/* Called by nobody at all: `force`. */\ntypedef void(mi_cdecl mi_fun)(bool force);\n", None),
        ("\n#if X\nmi_decl_export void mi_hidden(void);\n#endif\n", "mi_hidden has no contract"),
        ("\nextern \"C\" {\nmi_decl_export int mi_deep(void);\n}\n", "mi_deep has no contract"),
        ("\ntemplate <class T> struct mi_box { void f() {} };\n", "mi_box has no contract"),
        ("\nnamespace a {\ntemplate <class T> struct mi_box { void f() {} };\n}\n", None),
        ("\nnamespace a {\nint mi_x;\n}\ntemplate <class T> struct mi_box { void f() {} };\n", "mi_box has no contract"),
        ("\nnamespace a {\nstatic inline void\nhelp(int x)\n{\n    (void)x;\n}\n}\n/* Holds one T for a while. */\n"
         "template <class T> class mi_box : b<T> { T t; };\n", None),
    ]:
        with checks.Planted({"include/a.h": HEAD + GOOD + planted}) as root:
            checks.expect(planted, findings(load(root)), wanted)
    with checks.Planted({"include/a.h": "#define A 1\n"}) as root:
        checks.expect("no text", findings(load(root)), "no comment says what")
    header = headers.Header("a.h", HEAD + "/* ---- One ---- */\n\n/* To begin with. */\n\n" + GOOD)
    got = [section.title for section in header.sections], header.sections[0].intro, header.entries()[1].params
    if got != (["One"], [["To begin with."]], ["void *p"]):
        raise SystemExit(f"check_contracts.py: self-test: sections, text and parameters are {got}")


if __name__ == "__main__":
    checks.main(__doc__, check, self_test)
