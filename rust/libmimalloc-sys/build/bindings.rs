// SPDX-License-Identifier: MIT
//! Translates the public headers into Rust declarations.
//!
//! It knows the C that these headers are written in, and no more: functions, enumerations,
//! structures, types of functions, and comments before them. Anything else is an error, so that no
//! declaration is lost in silence.
use crate::Outcome;

/// Names of the headers' types, by what they stand for.
#[derive(Default)]
struct Types {
    functions: Vec<String>,
    others: Vec<String>,
    numbers: Vec<(String, String)>,
}

/// The functions named in `base`, and everything else.
pub fn translate(headers: &str, base: &[&str]) -> Outcome<(String, String)> {
    let mut types = Types::default();
    let mut functions = (String::new(), String::new());
    let mut definitions = String::new();
    let mut found = Vec::new();
    let text = plain_c(headers, &mut types.numbers);
    for (name, value) in &types.numbers {
        definitions += &format!("pub const {}: usize = {};\n", name, value);
    }
    for item in items(&text)? {
        let text = without_attributes(&item.code);
        if text.starts_with("typedef") || text.starts_with("struct") || text.starts_with("enum") {
            definitions += &definition(&text, &item.comment, &mut types)?;
        } else if let Some((name, declaration)) = function(&text, &item.comment, &types)? {
            if found.contains(&name) {
                continue;
            }
            let is_base = base.contains(&name.as_str());
            *(if is_base { &mut functions.0 } else { &mut functions.1 }) += &declaration;
            found.push(name);
        }
    }
    if let Some(name) = base.iter().find(|name| !found.iter().any(|f| f == *name)) {
        return Err(format!("the headers declare no {}", name));
    }
    let block = |text: &str| format!("extern \"C\" {{\n{}}}\n", text);
    Ok((block(&functions.0), definitions + &block(&functions.1)))
}

// ---- The text

/// Without preprocessor lines and what only C++ or other compilers see. Names for numbers, and for
/// sums of them, go to `numbers`.
fn plain_c(text: &str, numbers: &mut Vec<(String, String)>) -> String {
    let mut kept = String::new();
    // For each #if around the line: is this branch the one to read?
    let mut branches: Vec<bool> = Vec::new();
    let mut continued = false;
    for line in text.lines() {
        let start = line.trim_start();
        let in_directive = continued || start.starts_with('#');
        continued = in_directive && line.ends_with('\\');
        if !in_directive {
            if branches.iter().all(|b| *b) {
                kept += line;
                kept.push('\n');
            }
            continue;
        }
        let words: Vec<&str> = start.trim_start_matches('#').split_whitespace().collect();
        match words.first().copied() {
            Some("if") | Some("ifdef") | Some("ifndef") => {
                branches.push(!start.contains("__cplusplus") && !start.contains("_WIN32"));
            }
            Some("else") | Some("elif") => {
                if let Some(last) = branches.last_mut() {
                    *last = !*last && words.len() == 1;
                }
            }
            Some("endif") => {
                branches.pop();
            }
            Some("define") if words.len() >= 3 => {
                let value =
                    start.splitn(2, words[1]).nth(1).unwrap_or("").split("/*").next().unwrap_or("").trim();
                let known =
                    |t: &String| t.bytes().all(|b| b.is_ascii_digit()) || numbers.iter().any(|(n, _)| n == t);
                if tokens(value).iter().all(|t| known(t) || matches!(t.as_str(), "(" | ")" | "+" | "-" | "*"))
                {
                    numbers
                        .push((words[1].to_owned(), value.trim_matches(|c| c == '(' || c == ')').to_owned()));
                }
            }
            _ => {}
        }
    }
    kept
}

struct Item {
    comment: String,
    code: String,
}

/// Cuts the text at the semicolons that are not within braces; each item has the comment before it.
fn items(text: &str) -> Outcome<Vec<Item>> {
    let mut all = Vec::new();
    let mut item = Item { comment: String::new(), code: String::new() };
    let mut depth = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("/*") || rest.starts_with("//") {
            let (ending, cut) = if rest.starts_with("/*") { ("*/", 2) } else { ("\n", 0) };
            let end = rest.find(ending).ok_or("a comment without an end")?;
            if item.code.trim().is_empty() {
                item.comment = rest[2..end].to_owned();
            }
            rest = &rest[end + cut..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c == ';' && depth == 0 {
            all.push(item);
            item = Item { comment: String::new(), code: String::new() };
        } else {
            item.code.push(c);
        }
    }
    match item.code.trim() {
        "" => Ok(all),
        left => Err(format!("unfinished: {}", left)),
    }
}

/// Names and marks of a declaration, without what only tells the compiler more.
fn without_attributes(code: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    let tokens = tokens(code);
    let mut i = 0;
    while i < tokens.len() {
        let token = &tokens[i];
        i += 1;
        if token == "mi_cdecl" || token == "__extension__" || token == "extern" {
            continue;
        }
        if token.starts_with("mi_decl_") || token.starts_with("mi_attr_") || token == "__attribute__" {
            if tokens.get(i).map_or(false, |t| t == "(") {
                i = matching(&tokens, i) + 1;
            }
            continue;
        }
        kept.push(token.clone());
    }
    kept.join(" ")
}

fn tokens(code: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in code.chars() {
        if c.is_alphanumeric() || c == '_' {
            match all.last_mut() {
                Some(word) if in_word => word.push(c),
                _ => all.push(c.to_string()),
            }
            in_word = true;
        } else {
            if !c.is_whitespace() {
                all.push(c.to_string());
            }
            in_word = false;
        }
    }
    all
}

/// The index of the parenthesis that closes the one at `open`.
fn matching(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    tokens.len()
}

/// A comment as documentation.
fn documentation(comment: &str, indent: &str) -> String {
    let lines: Vec<&str> = comment.lines().map(|line| line.trim().trim_start_matches('*').trim()).collect();
    let text = lines.join("\n");
    if text.trim().is_empty() || text.contains("----") {
        return String::new();
    }
    text.trim().lines().map(|line| format!("{}/// {}\n", indent, line)).collect()
}

// ---- Declarations

/// `typedef …` and `struct … { … }`.
fn definition(text: &str, comment: &str, types: &mut Types) -> Outcome<String> {
    let docs = documentation(comment, "");
    let bad = || format!("not understood: {}", text);
    if let Some((head, rest)) = text.split_once('{') {
        let (body, tail) = rest.rsplit_once('}').ok_or_else(bad)?;
        let head: Vec<&str> = head.split_whitespace().filter(|w| *w != "typedef").collect();
        let name = if tail.trim().is_empty() { head.get(1).copied().ok_or_else(bad)? } else { tail.trim() };
        types.others.push(name.to_owned());
        return match head.first().copied() {
            Some("enum") => Ok(docs + &enumeration(name, body)?),
            Some("struct") => Ok(docs + &structure(name, body, types)?),
            _ => Err(bad()),
        };
    }
    let all = tokens(text);
    if all[0] != "typedef" {
        return Ok(String::new()); // `struct x;`
    }
    if all.last().map_or(false, |t| t == ")") {
        return Ok(docs + &function_type(&all[1..], types).ok_or_else(bad)??);
    }
    let name = all.last().ok_or_else(bad)?.clone();
    if types.others.contains(&name) {
        return Ok(String::new()); // C lets a name be said again
    }
    let declared: Vec<String> = all[1..all.len() - 1].to_vec();
    let opaque = declared[0] == "struct" && declared.len() == 2;
    let made = if opaque {
        format!("#[repr(C)]\npub struct {} {{\n    _private: [u8; 0],\n}}\n", name)
    } else {
        format!("pub type {} = {};\n", name, type_of(&declared, types)?)
    };
    types.others.push(name);
    Ok(docs + &made)
}

/// `ret (name)(parameters)`, or `ret (*name)(parameters)`: in Rust both are what a pointer to it is
/// in C.
fn function_type(all: &[String], types: &mut Types) -> Option<Outcome<String>> {
    let list = (0..all.len()).filter(|i| all[*i] == "(" && matching(all, *i) == all.len() - 1).last()?;
    let mut head: Vec<String> = all[..list].iter().filter(|t| *t != "(" && *t != ")").cloned().collect();
    let name = head.pop()?;
    let is_pointer = head.last().map_or(false, |t| t == "*") && all[..list].contains(&"(".to_owned());
    if is_pointer {
        head.pop();
    }
    let made = parameters(&all[list + 1..all.len() - 1], types).and_then(|list| {
        Ok(format!(
            "pub type {} = Option<unsafe extern \"C\" fn({}){}>;\n",
            name,
            list,
            result(&head, types)?
        ))
    });
    if is_pointer {
        types.others.push(name);
    } else {
        types.functions.push(name);
    }
    Some(made)
}

fn enumeration(name: &str, body: &str) -> Outcome<String> {
    let mut made = format!("pub type {} = c_int;\n", name);
    let mut next = "0".to_owned();
    for entry in body.split(',').map(str::trim).filter(|e| !e.is_empty()) {
        let (constant, value) = match entry.split_once('=') {
            Some((constant, value)) => (constant.trim(), value.split_whitespace().collect::<String>()),
            None => (entry, next),
        };
        made += &format!("pub const {}: {} = {};\n", constant, name, value);
        next = format!("{} + 1", constant);
    }
    Ok(made)
}

fn structure(name: &str, body: &str, types: &Types) -> Outcome<String> {
    let mut made = format!("#[repr(C)]\n#[derive(Clone, Copy, Debug)]\npub struct {} {{\n", name);
    for field in body.split(';').map(str::trim).filter(|f| !f.is_empty()) {
        let all = tokens(field);
        let open = all.iter().position(|t| t == "[");
        let end = open.unwrap_or(all.len());
        // `long a, b`: as many fields of one type.
        let first = all.iter().position(|t| t == ",").unwrap_or(end);
        let kind = type_of(&all[..first - 1], types)?;
        let kind = match open {
            Some(open) if first == end => array(&kind, &all[open..], types)?,
            Some(_) => return Err(format!("{}: {}", name, field)),
            None => kind,
        };
        for word in all[first - 1..end].iter().filter(|t| *t != ",") {
            made += &format!("    pub {}: {},\n", identifier(word), kind);
        }
    }
    Ok(made + "}\n")
}

/// `[4]`, `[NAME]`, `[NAME + 1]`, and several of them.
fn array(kind: &str, brackets: &[String], types: &Types) -> Outcome<String> {
    let mut made = kind.to_owned();
    for part in brackets.split(|t| t == "[").skip(1).collect::<Vec<_>>().into_iter().rev() {
        let words: Vec<&String> = part.iter().take_while(|t| *t != "]").collect();
        let mut length = String::new();
        for word in &words {
            // Other names are those of an enumeration.
            let is_name = word.starts_with(|c: char| c.is_alphabetic() || c == '_');
            let is_number = types.numbers.iter().any(|(name, _)| name == *word);
            length += &match (is_name && !is_number, words.len()) {
                (true, 1) => format!("{} as usize", word),
                (true, _) => format!("({} as usize)", word),
                _ => word.to_string(),
            };
        }
        made = format!("[{}; {}]", made, length);
    }
    Ok(made)
}

/// A function's name and declaration; None for what is no function.
fn function(text: &str, comment: &str, types: &Types) -> Outcome<Option<(String, String)>> {
    let all = tokens(text);
    let open = match all.iter().position(|t| t == "(") {
        Some(open) if open > 1 && matching(&all, open) == all.len() - 1 => open,
        _ if text.trim().is_empty() => return Ok(None),
        _ => return Err(format!("not understood: {}", text)),
    };
    let name = all[open - 1].clone();
    let list = parameters(&all[open + 1..all.len() - 1], types).map_err(|e| format!("{}: {}", name, e))?;
    let back = result(&all[..open - 1], types).map_err(|e| format!("{}: {}", name, e))?;
    let made = format!("{}    pub fn {}({}){};\n", documentation(comment, "    "), name, list, back);
    Ok(Some((name, made)))
}

fn result(words: &[String], types: &Types) -> Outcome<String> {
    Ok(match type_of(words, types)?.as_str() {
        "c_void" => String::new(),
        kind => format!(" -> {}", kind),
    })
}

fn parameters(words: &[String], types: &Types) -> Outcome<String> {
    if words.is_empty() || words == ["void"] {
        return Ok(String::new());
    }
    let mut made = Vec::new();
    for (i, one) in words.split(|t| t == ",").enumerate() {
        let named = one.len() > 1 && is_name(&one[one.len() - 1], types);
        let kind = type_of(if named { &one[..one.len() - 1] } else { one }, types)?;
        let name = if named { identifier(&one[one.len() - 1]) } else { format!("arg{}", i) };
        made.push(format!("{}: {}", name, kind));
    }
    Ok(made.join(", "))
}

/// A parameter's name, where the last word may also be a type (`unsigned long`, `mi_heap_t`).
fn is_name(word: &str, types: &Types) -> bool {
    const WORDS: &[&str] = &["*", "]", "const", "void", "char", "short", "int", "long", "bool", "double"];
    let is_type = word.ends_with("_t")
        || [&types.functions, &types.others].iter().any(|all| all.iter().any(|t| t == word));
    !WORDS.contains(&word) && !is_type
}

/// C's type as Rust's: `const char *` is `*const c_char`.
fn type_of(words: &[String], types: &Types) -> Outcome<String> {
    let mut base: Vec<&str> = Vec::new();
    let mut pointers: Vec<bool> = Vec::new(); // from the inside: is what it points to constant?
    let mut constant = false;
    for word in words.iter().map(String::as_str) {
        match word {
            "const" => constant = true,
            "struct" | "enum" | "volatile" => {}
            "*" => {
                pointers.push(constant);
                constant = false;
            }
            _ => base.push(word),
        }
    }
    let joined = base.join(" ");
    let mut made = match joined.as_str() {
        "void" => "c_void",
        "bool" => "bool",
        "char" => "c_char",
        "unsigned char" => "c_uchar",
        "short" => "c_short",
        "unsigned short" => "c_ushort",
        "int" => "c_int",
        "unsigned" | "unsigned int" => "c_uint",
        "long" => "c_long",
        "unsigned long" => "c_ulong",
        "long long" => "c_longlong",
        "unsigned long long" => "c_ulonglong",
        "double" => "f64",
        "size_t" | "uintptr_t" => "usize",
        "ptrdiff_t" | "intptr_t" | "ssize_t" => "isize",
        "int8_t" => "i8",
        "uint8_t" => "u8",
        "int16_t" => "i16",
        "uint16_t" => "u16",
        "int32_t" => "i32",
        "uint32_t" => "u32",
        "int64_t" => "i64",
        "uint64_t" => "u64",
        name if types.functions.iter().any(|f| f == name) => {
            // A pointer to a function is the type itself.
            if pointers.is_empty() {
                return Err(format!("a function as a value: {}", name));
            }
            pointers.remove(0);
            name
        }
        name if types.others.iter().any(|t| t == name) => name,
        name => return Err(format!("no type {:?} in {:?}", name, words.join(" "))),
    }
    .to_owned();
    for constant in pointers {
        made = format!("*{} {}", if constant { "const" } else { "mut" }, made);
    }
    Ok(made)
}

fn identifier(name: &str) -> String {
    const KEYWORDS: &[&str] =
        &["fn", "in", "loop", "match", "move", "mut", "ref", "type", "use", "where", "pub", "mod", "box"];
    if KEYWORDS.contains(&name) {
        format!("r#{}", name)
    } else {
        name.to_owned()
    }
}
