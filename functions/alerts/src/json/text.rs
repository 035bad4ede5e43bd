//! A text of JSON, left where it stands.

use std::borrow::Cow;

use super::Json;

/// A text, as it stands behind its opening quote, with its closing one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(super) quoted: &'a [u8],
    pub(super) has_escapes: bool,
    pub(super) is_inner: bool,
}

impl<'a> Text<'a> {
    /// What it says.
    #[inline]
    pub(crate) fn decoded(self) -> Cow<'a, str> {
        match self.bytes() {
            Cow::Borrowed(bytes) => match str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(bytes),
            },
            Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }),
        }
    }

    /// What it says, in UTF-8 if it was written so.
    #[inline]
    pub(crate) fn bytes(self) -> Cow<'a, [u8]> {
        self.plain().map_or_else(|| Cow::Owned(self.unescaped()), Cow::Borrowed)
    }

    /// The same, where it says what stands there.
    #[inline]
    pub(super) fn plain(self) -> Option<&'a [u8]> {
        let closing = 1 + usize::from(self.is_inner);
        if self.has_escapes { None } else { self.quoted.get(..self.quoted.len() - closing) }
    }

    /// Whether it says this.
    #[inline]
    pub(crate) fn is(self, text: &str) -> bool {
        self.plain().map_or_else(|| self.unescaped() == text.as_bytes(), |plain| plain == text.as_bytes())
    }

    #[cold]
    fn unescaped(self) -> Vec<u8> {
        let mut text = self.quoted.to_vec();
        if self.is_inner {
            // What was the end of the inner text has to be that of the outer one, too.
            text.push(b'"');
            text = unescaped(&text);
        }
        unescaped(&text)
    }
}

/// What the rest of a text says, of which the opening quote has been read. It was read to its end before.
fn unescaped(quoted: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(quoted.len());
    let _ = Json::<'_, false>::new(quoted).rest_of_text_into(&mut text);
    text
}
