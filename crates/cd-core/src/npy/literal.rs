//! The header's dictionary in Python's notation.

/// A dictionary's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Truth(bool),
    Number(u64),
    /// A tuple or list.
    Members(Vec<Literal>),
}

/// Deepest nesting; types with several fields have lists of tuples.
const DEEPEST: usize = 8;

/// What is read, and how far.
pub(super) struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Offset of what comes next.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The entries of a dictionary, which is all that there is.
    pub(super) fn dictionary(&mut self) -> Result<Vec<(String, Literal)>, String> {
        self.expect(b'{')?;
        let mut entries = Vec::new();
        loop {
            if self.take(b'}') {
                break;
            }
            let Literal::Text(key) = self.value(0)? else {
                return Err("a key that is no text".into());
            };
            self.expect(b':')?;
            entries.push((key, self.value(0)?));
            if !self.take(b',') {
                self.expect(b'}')?;
                break;
            }
        }
        match self.peek() {
            None => Ok(entries),
            Some(byte) => Err(format!("`{}` behind the dictionary", byte.escape_ascii())),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Literal, String> {
        match self.peek() {
            Some(quote @ (b'\'' | b'"')) => self.text(quote),
            Some(open @ (b'(' | b'[')) if depth < DEEPEST => self.members(open, depth),
            Some(b'0'..=b'9') => self.number(),
            Some(b'T') => self.word("True", Literal::Truth(true)),
            Some(b'F') => self.word("False", Literal::Truth(false)),
            Some(byte) => Err(format!("`{}` where a value begins", byte.escape_ascii())),
            None => Err("it ends early".into()),
        }
    }

    fn text(&mut self, quote: u8) -> Result<Literal, String> {
        let rest = &self.text[self.at + 1..];
        let end = rest.iter().position(|&byte| byte == quote);
        let end = end.ok_or("a text without an end")?;
        let inner = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.at += end + 2;
        Ok(Literal::Text(inner))
    }

    fn members(&mut self, open: u8, depth: usize) -> Result<Literal, String> {
        let close = if open == b'(' { b')' } else { b']' };
        self.at += 1;
        let mut members = Vec::new();
        while !self.take(close) {
            members.push(self.value(depth + 1)?);
            if !self.take(b',') {
                self.expect(close)?;
                break;
            }
        }
        Ok(Literal::Members(members))
    }

    fn number(&mut self) -> Result<Literal, String> {
        let digits = self.text[self.at..].iter();
        let digits: Vec<u8> = digits.copied().take_while(u8::is_ascii_digit).collect();
        self.at += digits.len();
        // Files of Python 2 mark long numbers.
        if self.text.get(self.at) == Some(&b'L') {
            self.at += 1;
        }
        let digits = String::from_utf8_lossy(&digits).into_owned();
        let number = digits.parse();
        number
            .map(Literal::Number)
            .map_err(|_| format!("the number {digits} is too large"))
    }

    fn word(&mut self, word: &str, value: Literal) -> Result<Literal, String> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return Err("an unknown word".into());
        }
        self.at += word.len();
        Ok(value)
    }

    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.take(byte) {
            return Ok(());
        }
        Err(format!("`{}` is missing", byte.escape_ascii()))
    }
}
