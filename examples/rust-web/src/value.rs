// SPDX-License-Identifier: MIT
//! JSON values: a tree of them, read from text and written to it.
use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

impl Value {
    pub fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    pub fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
        Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(entries) => entries.get(key),
            _ => None,
        }
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        std::mem::size_of::<Value>()
            + match self {
                Value::Text(text) => text.capacity(),
                Value::List(list) => list.iter().map(Value::bytes).sum(),
                Value::Map(entries) => {
                    entries.iter().map(|(key, value)| key.capacity() + 24 + value.bytes()).sum()
                }
                _ => 0,
            }
    }

    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Value::Number(n) => write!(out, "{}", n).expect("a String takes all"),
            Value::Text(text) => write_text(text, out),
            Value::List(list) => {
                for (i, value) in list.iter().enumerate() {
                    out.push(if i == 0 { '[' } else { ',' });
                    value.write(out);
                }
                out.push_str(if list.is_empty() { "[]" } else { "]" });
            }
            Value::Map(entries) => {
                for (i, (key, value)) in entries.iter().enumerate() {
                    out.push(if i == 0 { '{' } else { ',' });
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push_str(if entries.is_empty() { "{}" } else { "}" });
            }
        }
    }

    /// Reads one value that is all of the text.
    pub fn parse(text: &str) -> Result<Value, String> {
        let mut reader = Reader { text, at: 0, depth: 0 };
        let value = reader.value()?;
        match reader.peek() {
            None => Ok(value),
            Some(c) => Err(reader.error(&format!("{:?} after the value", c as char))),
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if (c as u32) < 0x20 => write!(out, "\\u{:04x}", c as u32).expect("a String takes all"),
            c => out.push(c),
        }
    }
    out.push('"');
}

const DEEPEST: usize = 64;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn error(&self, what: &str) -> String {
        format!("{} at byte {}", what, self.at)
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while self.at < bytes.len() && bytes[self.at].is_ascii_whitespace() {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Result<(), String> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(self.error(&format!("no {:?}", wanted as char)))
    }

    /// After an entry of a list or map: is there another?
    fn more(&mut self, end: u8) -> Result<bool, String> {
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(false);
        }
        self.take(b',').map(|()| true)
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(open @ (b'[' | b'{')) => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(self.error("too deep"));
                }
                let value = if open == b'[' { self.list() } else { self.map() };
                self.depth -= 1;
                value
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => Err(self.error("no value")),
        }
    }

    fn list(&mut self) -> Result<Value, String> {
        self.take(b'[')?;
        let mut list = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(list));
        }
        loop {
            list.push(self.value()?);
            if !self.more(b']')? {
                return Ok(Value::List(list));
            }
        }
    }

    fn map(&mut self) -> Result<Value, String> {
        self.take(b'{')?;
        let mut entries = BTreeMap::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(entries));
        }
        loop {
            self.peek();
            let key = self.string()?;
            self.take(b':')?;
            entries.insert(key, self.value()?);
            if !self.more(b'}')? {
                return Ok(Value::Map(entries));
            }
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let rest = &self.text[self.at..];
        let end =
            rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let number = rest[..end].parse().map_err(|_| self.error("no number"))?;
        self.at += end;
        Ok(Value::Number(number))
    }

    fn word(&mut self) -> Result<Value, String> {
        for (word, value) in
            [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))]
        {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.error("no value"))
    }

    fn string(&mut self) -> Result<String, String> {
        if self.text.as_bytes().get(self.at) != Some(&b'"') {
            return Err(self.error("no string"));
        }
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let end =
                rest.find(|c| c == '"' || c == '\\').ok_or_else(|| self.error("a string without an end"))?;
            out.push_str(&rest[..end]);
            self.at += end + 1;
            if rest.as_bytes()[end] == b'"' {
                return Ok(out);
            }
            out.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        let c = *self.text.as_bytes().get(self.at).ok_or_else(|| self.error("a string without an end"))?;
        self.at += 1;
        Ok(match c {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let digits = self.text.get(self.at..self.at + 4).ok_or_else(|| self.error("no character"))?;
                let code = u32::from_str_radix(digits, 16).map_err(|_| self.error("no character"))?;
                self.at += 4;
                char::from_u32(code).unwrap_or('\u{fffd}')
            }
            b'"' | b'\\' | b'/' => c as char,
            _ => return Err(self.error("an unknown escape")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let text = r#"{"a":[1,-2.5,300000,[],{}],"b\"\\\n":null,"c":{"d":true,"e":false,"f":"\u0001é"}}"#;
        let value = Value::parse(text).unwrap();
        assert_eq!(value.get("a").unwrap().to_json(), "[1,-2.5,300000,[],{}]");
        assert_eq!(Value::parse(&value.to_json()).unwrap(), value);
        assert_eq!(Value::parse(" [ 1 , \"\\u00e9\\/\" ] ").unwrap().to_json(), "[1,\"é/\"]");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{",
            "[1,",
            "[1 2]",
            "{\"a\"}",
            "{1:2}",
            "\"abc",
            "\"\\",
            "\"\\q\"",
            "tru",
            "1 1",
            "-",
            "\"\\u12\"",
        ] {
            assert!(Value::parse(text).is_err(), "{}", text);
        }
        assert!(Value::parse(&"[".repeat(100_000)).is_err());
    }
}
