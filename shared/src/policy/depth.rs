//! How deep policies are nested, and stack enough for that.
//!
//! Cedar descends into policies by recursion. Where the stack ends, its parser ends the process, its
//! validator takes what it did not look at for valid, and its evaluator gives an error. It also takes the
//! stack for ended where less of it is reported than there is (cedar-policy/cedar issues 322, on Lambda, and
//! 1814). So the depth is bounded before a text is parsed, and what descends does so on a stack that is known
//! to be large enough.

/// How deep the deepest policy may be.
pub(super) const DEEPEST: usize = 400;
/// What Cedar needs for one level at most, in bytes: 70 kB without optimisation, as measured with version
/// 4.14.
const LEVEL: usize = 96 * 1024;
/// What is needed besides, in bytes: Cedar leaves 100 kB.
const BESIDES: usize = 512 * 1024;

/// How deep the deepest policy of a text can be at most: how many signs it has that can make it deeper.
pub(super) fn depth(text: &str) -> usize {
    enum In {
        Code,
        Comment,
        Quotes,
    }
    let (mut deepest, mut depth, mut place) = (0, 0, In::Code);
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match (&place, byte) {
            (In::Code, b'"') => place = In::Quotes,
            (In::Code, b'/') if bytes.peek() == Some(&b'/') => place = In::Comment,
            (In::Code, b';') => depth = 0,
            (In::Code, b'i') if bytes.peek() == Some(&b'f') => depth += 1,
            (In::Code, byte) if b"([{.&|+-*!<>=".contains(&byte) => depth += 1,
            (In::Comment, b'\n' | b'\r') | (In::Quotes, b'"') => place = In::Code,
            (In::Quotes, b'\\') => {
                bytes.next();
            }
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Runs what descends into policies of this depth.
pub(super) fn with_stack<T>(depth: usize, run: impl FnOnce() -> T) -> T {
    let enough = BESIDES + depth * LEVEL;
    stacker::maybe_grow(enough, enough, run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_is_counted_in_each_policy_and_not_in_comments_and_texts() {
        for (text, counted) in [
            ("", 0),
            ("permit (principal, action, resource);", 1),
            ("permit (principal, action, resource); permit (principal, action, resource) when { true };", 2),
            ("when { ((a.b)) }; // ((((((", 4),
            ("// ((((((\n[", 1),
            ("// ((((((\r[", 1),
            (r#"a like "((((\"((((" && [b]"#, 3),
            (r#"a like "\\" && [b]"#, 3),
            ("if a then b else if c then d else e", 2),
            ("a / / ((", 2),
        ] {
            assert_eq!(depth(text), counted, "{text}");
        }
    }
}
