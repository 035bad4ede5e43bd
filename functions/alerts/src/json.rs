//! Reading JSON in one pass, by those who know which keys they want. The log has megabytes of it in a batch,
//! of which a fraction is used: so a text stays where it stands until somebody asks for it, and what isn't
//! asked for is checked and read over. A line of the log is JSON in a text in JSON, with a backslash before
//! each of its quotes, and is read as it stands there, [`Json`] with `INNER`: `serde_json` needs it unwrapped into
//! a copy, which alone took a quarter of the time (`tests/benches/alerts.rs`).
//!
//! What is JSON is what `serde_json` takes for JSON, which the tests hold this to. It is more lenient in what
//! it makes of it: a number may come as a text, a key twice (the last one holds), a list or an object as
//! `null`; what is of another kind than expected is as if it weren't there. In a text, bytes that aren't UTF-8
//! and halves of surrogate pairs become U+FFFD.

#[cfg(test)]
mod tests;
mod text;

pub(crate) use text::Text;

/// How deep lists and objects may lie in each other that are read over, as with `serde_json`.
const DEEPEST: usize = 127;

/// How many bytes of a text are looked at at once: most texts, and nearly all keys, are shorter.
const CHUNK: usize = 16;

/// Why a text isn't JSON, or not yet. Where, the place says at which it was met: a byte goes through a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It ends too early.
    #[error("ends before it is whole")]
    Ends,
    /// What stands there has no place there.
    #[error("does not go on like JSON")]
    Misplaced,
    /// Nobody's record is nested like this.
    #[error("is nested too deep")]
    TooDeep,
}

/// A place in a text that is JSON. `INNER`: that stands in a text of JSON itself, where each quote has a backslash
/// before it, and a backslash another one. There only what has nothing else escaped is read; of anything else
/// the place is a fault, and whether it is JSON is to be seen when it is unwrapped.
#[derive(Debug)]
pub(crate) struct Json<'a, const INNER: bool> {
    text: &'a [u8],
    at: usize,
}

impl<'a, const INNER: bool> Json<'a, INNER> {
    #[inline]
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Reads again from a place on that was read before.
    pub(crate) fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    /// How many bytes have been read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Reads an object. `each` is given every key, and has to read its value. What is no object is read over.
    #[inline]
    pub(crate) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if !self.takes_if(b'{')? {
            return self.skip();
        }
        let mut more = !self.takes_if(b'}')?;
        while more {
            let key = self.key()?;
            match key.plain() {
                Some(key) => each(self, key)?,
                None => each(self, &key.bytes())?,
            }
            more = self.goes_on(b'}')?;
        }
        Ok(())
    }

    /// Reads a list: `each` has to read an element. What is no list is read over.
    #[inline]
    pub(crate) fn list(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        if !self.takes_if(b'[')? {
            return self.skip();
        }
        let mut more = !self.takes_if(b']')?;
        while more {
            each(self)?;
            more = self.goes_on(b']')?;
        }
        Ok(())
    }

    /// Reads a text; what is none is read over.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Option<Text<'a>>, Fault> {
        if self.opens_text()? { self.rest_of_text().map(Some) } else { self.skip().map(|()| None) }
    }

    /// Reads a whole number that isn't negative, also where it comes as a text; what is none is read over.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<Option<u64>, Fault> {
        if self.opens_text()? {
            return Ok(whole(&self.rest_of_text()?.bytes()));
        }
        let start = self.at;
        let mut number = 0_u64;
        // Eighteen digits can't be too many. Without a zero before them, and with nothing of a number behind, that is it.
        while let digit @ b'0'..=b'9' = self.byte()?
            && self.at < start + 18
        {
            number = 10 * number + u64::from(digit - b'0');
            self.at += 1;
        }
        if self.at > start && self.text.get(start) != Some(&b'0') && matches!(self.byte()?, b',' | b'}') {
            return Ok(Some(number));
        }
        self.at = start;
        self.skip()?;
        Ok(self.text.get(start..self.at).and_then(whole))
    }

    /// A key and its colon.
    #[expect(clippy::inline_always, reason = "measured: half of what is read are keys")]
    #[inline(always)]
    pub(crate) fn key(&mut self) -> Result<Text<'a>, Fault> {
        if !self.opens_text()? {
            return Err(Fault::Misplaced);
        }
        let key = self.rest_of_text()?;
        self.takes(b':')?;
        Ok(key)
    }

    /// Whether this byte comes next; if so, reads it.
    #[inline]
    pub(crate) fn takes_if(&mut self, byte: u8) -> Result<bool, Fault> {
        let takes = self.peek()? == byte;
        self.at += usize::from(takes);
        Ok(takes)
    }

    /// Whether a list or an object has more behind an element; if not, leaves it.
    #[inline]
    pub(crate) fn goes_on(&mut self, unless: u8) -> Result<bool, Fault> {
        let more = self.takes_if(b',')?;
        if more { Ok(true) } else { self.takes(unless).map(|()| false) }
    }

    /// Nothing but spaces may follow.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Ok(_) => Err(Fault::Misplaced),
            Err(_) => Ok(()),
        }
    }

    /// Reads over whatever comes.
    #[inline]
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: usize) -> Result<(), Fault> {
        if self.opens_text()? {
            return self.skip_text();
        }
        let is_object = match self.peek()? {
            b'{' => true,
            b'[' => false,
            b't' => return self.word(b"true"),
            b'f' => return self.word(b"false"),
            b'n' => return self.word(b"null"),
            _ => return self.digits(),
        };
        if depth == DEEPEST {
            return Err(Fault::TooDeep);
        }
        self.at += 1;
        let end = if is_object { b'}' } else { b']' };
        let mut more = !self.takes_if(end)?;
        while more {
            if is_object {
                self.key()?;
            }
            self.skip_at(depth + 1)?;
            more = self.goes_on(end)?;
        }
        Ok(())
    }

    fn skip_text(&mut self) -> Result<(), Fault> {
        self.rest_of_text().map(drop)
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        for byte in word {
            match self.byte()? {
                found if found == *byte => self.at += 1,
                _ => return Err(Fault::Misplaced),
            }
        }
        Ok(())
    }

    /// A number (RFC 8259, 6). One at the end of the text may go on, and is none yet.
    fn digits(&mut self) -> Result<(), Fault> {
        if self.byte()? == b'-' {
            self.at += 1;
        }
        if self.byte()? == b'0' {
            self.at += 1;
        } else {
            self.some_digits()?;
        }
        if self.byte()? == b'.' {
            self.at += 1;
            self.some_digits()?;
        }
        if let b'e' | b'E' = self.byte()? {
            self.at += 1;
            if let b'+' | b'-' = self.byte()? {
                self.at += 1;
            }
            self.some_digits()?;
        }
        // `01` is no number.
        if self.byte()?.is_ascii_digit() { Err(Fault::Misplaced) } else { Ok(()) }
    }

    fn some_digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.byte()?.is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err(Fault::Misplaced) } else { Ok(()) }
    }

    /// Whether a text begins here; if so, reads its opening quote.
    #[inline]
    pub(crate) fn opens_text(&mut self) -> Result<bool, Fault> {
        if !INNER {
            return self.takes_if(b'"');
        }
        if !self.takes_if(b'\\')? {
            return Ok(false);
        }
        if self.byte()? != b'"' {
            return Err(Fault::Misplaced);
        }
        self.at += 1;
        Ok(true)
    }

    /// The rest of a text, of which the opening quote has been read.
    #[expect(
        clippy::inline_always,
        reason = "measured: most of what is read are texts, and most of them are short"
    )]
    #[inline(always)]
    fn rest_of_text(&mut self) -> Result<Text<'a>, Fault> {
        let start = self.at;
        let mut has_escapes = false;
        loop {
            if let Some(plain) = self.plain() {
                self.at += plain;
                if plain == CHUNK {
                    continue;
                }
            }
            let ends = match self.byte()? {
                b'\\' if INNER && self.text.get(self.at + 1) == Some(&b'"') => {
                    self.at += 2;
                    true
                }
                b'\\' if INNER => self.inner_escape().map(|_| false)?,
                b'\\' => self.escape().map(|_| false)?,
                b'"' if !INNER => {
                    self.at += 1;
                    true
                }
                b'"' | 0..0x20 => return Err(Fault::Misplaced),
                _ => {
                    self.at += 1;
                    continue;
                }
            };
            if ends {
                let quoted = self.text.get(start..self.at).unwrap_or_default();
                return Ok(Text { quoted, has_escapes, is_inner: INNER });
            }
            has_escapes = true;
        }
    }

    /// An escape in an inner text, whose backslash has one before it. What stands behind that has, too, where it
    /// is a quote or a backslash.
    fn inner_escape(&mut self) -> Result<Escaped, Fault> {
        self.at += 1;
        if self.byte()? != b'\\' {
            return Err(Fault::Misplaced);
        }
        match (self.text.get(self.at + 1), self.text.get(self.at + 2)) {
            (Some(b'\\'), None | Some(b'"' | b'\\')) => self.at += 1,
            (Some(b'\\' | b'"'), _) => return Err(Fault::Misplaced),
            _ => {}
        }
        self.escape()
    }

    /// The rest of a text, put behind what is in `place`.
    pub(crate) fn rest_of_text_into(&mut self, place: &mut Vec<u8>) -> Result<(), Fault> {
        loop {
            if let (Some(plain), Some(chunk)) = (self.plain(), self.chunk()) {
                // All at once, and those back that were too many, is one write.
                place.extend_from_slice(&chunk);
                place.truncate(place.len() - (CHUNK - plain));
                self.at += plain;
                if plain == CHUNK {
                    continue;
                }
            }
            match self.byte()? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => match self.escape()? {
                    Escaped::Byte(byte) => place.push(byte),
                    Escaped::Unit(unit) => self.put_unit(unit, place)?,
                },
                0..0x20 => return Err(Fault::Misplaced),
                byte => {
                    place.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// An escape, from its backslash on.
    #[inline]
    fn escape(&mut self) -> Result<Escaped, Fault> {
        self.at += 1;
        let byte = match self.byte()? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'f' => 12,
            b'r' => b'\r',
            b'u' => return self.unit().map(Escaped::Unit),
            _ => return Err(Fault::Misplaced),
        };
        self.at += 1;
        Ok(Escaped::Byte(byte))
    }

    /// Four hexadecimal digits, from the `u` before them on.
    fn unit(&mut self) -> Result<u16, Fault> {
        let mut unit = 0;
        for _ in 0..4 {
            self.at += 1;
            let digit = char::from(self.byte()?).to_digit(16).and_then(|digit| u16::try_from(digit).ok());
            unit = unit << 4 | digit.ok_or(Fault::Misplaced)?;
        }
        self.at += 1;
        Ok(unit)
    }

    /// Puts a unit of UTF-16 there, with the second half of a pair if it is the first and that follows.
    fn put_unit(&mut self, unit: u16, place: &mut Vec<u8>) -> Result<(), Fault> {
        let mut units = [unit, 0];
        let mut count = 1;
        let before = self.at;
        if let 0xd800..0xdc00 = unit
            && self.byte()? == b'\\'
        {
            match self.escape()? {
                Escaped::Unit(low @ 0xdc00..0xe000) => (units, count) = ([unit, low], 2),
                _ => self.at = before,
            }
        }
        for c in char::decode_utf16(units.into_iter().take(count)) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            place.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }

    /// The next bytes, where there are as many.
    #[inline]
    fn chunk(&self) -> Option<[u8; CHUNK]> {
        self.text.get(self.at..)?.first_chunk().copied()
    }

    /// How many of the next bytes stand for themselves in a text: none is a quote, a backslash or a control
    /// character. Looks at all at once.
    #[inline]
    fn plain(&self) -> Option<usize> {
        let chunk = self.chunk()?;
        let low = others(u64::from_le_bytes(*chunk.first_chunk()?));
        let high = others(u64::from_le_bytes(*chunk.last_chunk()?));
        let bits = if low == 0 { 64 + high.trailing_zeros() } else { low.trailing_zeros() };
        Some(bits as usize / 8)
    }

    /// The next byte that is no space.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u8, Fault> {
        loop {
            match self.byte()? {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                byte => return Ok(byte),
            }
        }
    }

    /// Reads this byte, which has to come next.
    #[inline]
    pub(crate) fn takes(&mut self, byte: u8) -> Result<(), Fault> {
        if self.takes_if(byte)? { Ok(()) } else { Err(Fault::Misplaced) }
    }

    #[inline]
    fn byte(&self) -> Result<u8, Fault> {
        self.text.get(self.at).copied().ok_or(Fault::Ends)
    }
}

impl<'a> Json<'a, false> {
    /// Reads the rest of a text, which is JSON itself, where it stands. If that doesn't go, nothing
    /// is read.
    #[inline]
    pub(crate) fn rest_of_text_as(
        &mut self,
        read: impl FnOnce(&mut Json<'a, true>) -> Result<(), Fault>,
    ) -> bool {
        let mut inner = Json { text: self.text, at: self.at };
        let reads = read(&mut inner).and_then(|()| inner.takes(b'"')).is_ok();
        if reads {
            self.at = inner.at;
        }
        reads
    }
}

/// The high bit of each of eight bytes in a text that is a quote, a backslash or a control character; of the bytes
/// behind the first of those, perhaps also of others ("Hacker's Delight", 6-1).
#[inline]
fn others(bytes: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // With one bit turned, a quote stands right behind the control characters.
    let control_or_quote = (bytes ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (bytes ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (control_or_quote | backslash) & !bytes & (ONES << 7)
}

/// What an escape stands for.
enum Escaped {
    Byte(u8),
    /// A unit of UTF-16.
    Unit(u16),
}

/// A whole number in digits.
fn whole(digits: &[u8]) -> Option<u64> {
    let add = |number: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}
