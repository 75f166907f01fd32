# SPDX-License-Identifier: MIT
"""What the public headers say: sections, groups of declarations, and the contract that stands before each group.

A comment belongs to the declarations that follow it up to the next blank line. A comment that is followed by a blank
line introduces what comes after it. `/* ---- Title ---- */` opens a section. The first comment after the licence is the
header's own text.
"""
import re
import textwrap

ITEM = re.compile(r"""
    (?P<blank>\n[ \t]*(?=\n))
  | (?P<comment>/\*.*?\*/)
  | (?P<line>//[^\n]*)
  | (?P<directive>(?:(?<=\n)|\A)[ \t]*\#(?:[^\n]*\\\n)*[^\n]*)
  | (?P<space>\s)
""", re.DOTALL | re.VERBOSE)
SECTION = re.compile(r"/\* ---- (.*?) -* ?\*/")
SKIPPED = re.compile(r"clang-format (?:on|off)|NOLINT|SPDX-License-Identifier")
ATTRIBUTE = re.compile(r"\b(?:mi_decl_\w+|mi_cdecl|mi_attr_\w+(?:\s*\([^()]*\))?|__extension__)\s*|\[\[\w+\]\]\s*")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
SCOPE = re.compile(r"(?:extern\s*\"C\"|(?:inline\s+)?namespace(?:\s+\w+)*)\s*$")
CLASS = re.compile(r"^(?:template\s*<.*?>\s*)?(?:struct|class)\s+(\w+)(?:\s+final)?(?:\s*:[^{;]*)?\s*\{", re.DOTALL)
PUBLIC = re.compile(r"(?:mi_|MI_|_mi_)\w+$|operator\b")


class Entry:
    """One declaration: kind is function, operator, macro, type or class."""

    def __init__(self, kind, name, text, line, raw=""):
        self.kind, self.name, self.text, self.line, self.raw = kind, name, text, line, raw
        self.exported = "mi_decl_export" in raw or "mi_decl_new" in raw
        self.allocates = "mi_decl_new" in raw or "mi_attr_alloc_size" in raw
        self.params = parameters(text) if kind in ("function", "operator") else []

    def param_names(self):
        return [re.search(r"(\w+)(?:\[\w*\])?$", p).group(1) for p in self.params if re.search(r"(\w+)(?:\[\w*\])?$", p)]


class Group:
    """Declarations that share a contract, which is a list of lines (None: there is no contract)."""

    def __init__(self, contract, line):
        self.contract, self.line, self.entries = contract, line, []


class Section:
    def __init__(self, title):
        self.title, self.intro, self.groups = title, [], []

    def entries(self):
        return [entry for group in self.groups for entry in group.entries]


class Header:
    def __init__(self, name, text):
        self.name, self.title, self.preamble, self.sections = name, "", [], []
        parse(self, text)

    def entries(self):
        return [entry for section in self.sections for entry in section.entries()]


def parameters(text):
    """The parameters of a function's declaration, one string each."""
    inner, depth = [], 0
    start = text.index("(", text.index("operator") + 8) if "operator" in text else text.index("(")
    current = ""
    for char in text[start:]:
        depth += char in "(<["
        depth -= char in ")>]"
        if depth == 0:
            break
        if char == "," and depth == 1:
            inner.append(current)
            current = ""
        elif not (char == "(" and depth == 1):
            current += char
    inner.append(current)
    inner = [" ".join(p.split()) for p in inner]
    return [] if inner in (["void"], [""]) else inner


def comment_lines(text):
    """The text of a comment, without its frame."""
    body = text[2:-2]
    lines = [re.sub(r"^\s*\* ?", "", line) if at else line for at, line in enumerate(body.split("\n"))]
    lines = textwrap.dedent("\n".join([lines[0].strip()] + lines[1:])).split("\n") if len(lines) == 1 else [
        lines[0].strip()] + lines[1:]
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.rstrip() for line in lines]


def end_of_declaration(text, at):
    """Index behind the declaration that starts at `at`; a scope (namespace, extern "C") ends at its brace."""
    depth, start = 0, at
    while at < len(text):
        found = COMMENT.match(text, at)
        if found:
            at = found.end()
            continue
        char = text[at]
        if char == "{" and depth == 0 and SCOPE.search(text[start:at]):
            return at + 1
        depth += char in "{("
        depth -= char in "})"
        at += 1
        if depth < 0 or (char == ";" and depth == 0):
            return at
        if char == "}" and depth == 0:
            rest = text[at:].lstrip()
            if not rest.startswith(";") and not text.startswith("typedef", text.find(text[start:].lstrip()[:7], start)):
                return at
    return at


def declaration(raw, line):
    """The entry that a declaration makes, or None when it is none of a user's business."""
    text = " ".join(COMMENT.sub("", raw).split())
    plain = " ".join(ATTRIBUTE.sub("", text).split()).rstrip(";").strip()
    plain = re.sub(r"\s*\bthrow\s*\(.*?\)$", "", re.sub(r"\s*\bMI_NEW_THROWS\b", "", plain))
    found = CLASS.match(plain)
    if found and not plain.startswith("typedef"):
        head = plain[:plain.index("{")].strip()
        return Entry("class", found.group(1), head, line, raw)
    if plain.startswith(("typedef", "enum", "struct", "union")) or plain.startswith("using "):
        names = re.findall(r"\(\s*\*?\s*(\w+)\s*\)\s*\(", plain) if "{" not in plain else []
        name = names[0] if names else re.findall(r"\w+", plain.split("=")[0] if plain.startswith("using") else plain)[-1]
        return Entry("type", name, " ".join(raw.split()) if "{" not in raw else raw.strip(), line, raw)
    head = plain.split("{")[0].strip()
    if "operator" in head and "(" in head:
        name = re.search(r"operator\s*(?:new|delete)?\s*(?:\[\]|[=!]=)?", head).group(0)
        return Entry("operator", " ".join(name.split()), head, line, raw)
    found = re.search(r"(\w+)\s*\(", head)
    if found and not head.startswith("static"):
        return Entry("function", found.group(1), head, line, raw)
    return None


def macro(directive, line):
    found = re.match(r"\s*#\s*define\s+(\w+)(\([^)]*\))?", directive)
    if not found:
        return None
    text = re.sub(r"\s*/\*.*?\*/", "", directive)
    return Entry("macro", found.group(1), "\n".join(part.rstrip(" \\") for part in text.strip().split("\n")), line)


class Parser:
    def __init__(self, header):
        self.header, self.section, self.group, self.pending, self.pending_line = header, Section(""), None, None, 0
        header.sections.append(self.section)
        self.seen_preamble = False

    def comment(self, text, line, glued):
        if SKIPPED.search(text):
            return
        title = SECTION.match(text)
        if title:
            self.blank()
            self.section = Section(title.group(1))
            self.header.sections.append(self.section)
            return
        lines = comment_lines(text)
        if not self.seen_preamble:
            self.seen_preamble = True
            self.header.title, self.header.preamble = lines[0], lines[2:]
            return
        if glued:
            return
        self.blank()
        self.pending, self.pending_line = lines, line

    def blank(self):
        if self.pending is not None and self.group is None:
            self.section.intro.append(self.pending)
        self.pending, self.group = None, None

    def add(self, entry):
        public = PUBLIC if not self.header.name.endswith("-override.h") else re.compile(r"(?!MIMALLOC_)\w")
        if entry is None or not public.match(entry.name) or re.match(r"operator[=!]=", entry.name):
            return
        last = self.section.groups[-1] if self.section.groups else None
        if self.group is None and self.pending is None and entry.kind in ("operator", "macro") and last and (
                last.contract is None and last.entries[-1].kind == entry.kind):
            self.group = last # nothing is said of either
        if self.group is None:
            self.group = Group(self.pending, self.pending_line or entry.line)
            self.section.groups.append(self.group)
        self.group.entries.append(entry)


def parse(header, text):
    parser, at = Parser(header), 0
    scopes = [] # open namespaces, and extern "C"
    passing = set(re.findall(r"^\s*#\s*undef\s+(\w+)", text, re.MULTILINE))
    while at < len(text):
        found = ITEM.match(text, at)
        line = text.count("\n", 0, at) + 1
        if not found:
            end = end_of_declaration(text, at)
            raw = text[at:end]
            if SCOPE.search(raw[:-1]) and raw.endswith("{"):
                scopes.append("namespace" in raw)
            elif raw.strip() == "}":
                scopes = scopes[:-1]
            elif raw.strip() not in (";", ""):
                # What a namespace holds is the library's own.
                parser.add(None if any(scopes) else declaration(raw, line))
            at = end
            continue
        at = found.end()
        if found.lastgroup == "blank":
            parser.blank()
        elif found.lastgroup == "comment":
            if text[text.rfind("\n", 0, found.start()) + 1:found.start()].strip():
                continue # behind something on the same line
            if any(scopes):
                continue
            # A remark to a tool that follows at once makes the comment one to the reader of the source.
            glued = re.match(r"\s*?\n/\* clang-format", text[at:]) is not None
            parser.comment(found.group(), line, glued)
        elif found.lastgroup == "directive":
            entry = macro(found.group(), line)
            parser.add(None if entry and entry.name in passing else entry)
    parser.blank()
    header.sections = [s for s in header.sections if s.groups or s.intro]


def paragraphs(lines):
    """[(kind, content)]: ("text", str), ("list", [str]), ("terms", [(term, str)])."""
    out, current = [], []

    def flush():
        if current:
            out.append(("text", " ".join(line.strip() for line in current)))
            current.clear()

    for line in lines:
        term = re.match(r"(?:  +)?(\S+(?: \S+)*?)(?: {2,}|\t+)(\S.*)$", line)
        item = re.match(r"\s*[-*] (\S.*)$", line)
        deep = re.match(r" {3,}(\S.*)$", line)
        if not line.strip():
            flush()
            out.append(("gap", ""))
        elif item:
            flush()
            if not out or out[-1][0] != "list":
                out.append(("list", []))
            out[-1][1].append(item.group(1))
        elif term and not current:
            if not out or out[-1][0] != "terms":
                out.append(("terms", []))
            out[-1][1].append((term.group(1), term.group(2)))
        elif deep and not current and out and out[-1][0] == "terms":
            name, text = out[-1][1][-1]
            out[-1][1][-1] = (name, text + " " + deep.group(1))
        elif re.match(r" {2,}\S", line) and not current and out and out[-1][0] == "list":
            out[-1][1][-1] += " " + line.strip()
        else:
            current.append(line)
    flush()
    return [part for part in out if part[0] != "gap"]
