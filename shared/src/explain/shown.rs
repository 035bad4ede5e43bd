//! How much of a text from outside stands in a sentence.

use crate::text::visible;

/// The longest name, in characters: a rule group, an entry, a person, a rule's message.
pub(super) const NAME: usize = 256;
/// The longest sentence, in characters.
pub(super) const SENTENCE: usize = 600;

/// At most so many characters of a text, on one line.
pub(super) fn shown(text: &str, longest: usize) -> String {
    visible(text.trim(), longest)
}
