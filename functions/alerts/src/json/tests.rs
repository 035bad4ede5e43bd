use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

fn is_json(text: &[u8]) -> Result<(), Fault> {
    let mut json = Json::<'_, false>::new(text);
    json.skip().and_then(|()| json.end())
}

/// A text that is JSON, in the place where its outer text begins.
fn inner<T>(text: &[u8], read: impl FnOnce(&mut Json<'_, true>) -> Result<T, Fault>) -> Result<T, Fault> {
    let wrapped = serde_json::to_string(str::from_utf8(text).unwrap()).unwrap();
    let mut json = Json::<'_, true>::new(&wrapped.as_bytes()[1..]);
    let value = read(&mut json)?;
    json.takes(b'"').map(|()| value)
}

fn skip(json: &mut Json<'_, true>) -> Result<(), Fault> {
    json.skip()
}

fn whole_text<const INNER: bool>(json: &mut Json<'_, INNER>) -> Result<String, Fault> {
    Ok(json.text()?.ok_or(Fault::Misplaced)?.decoded().into_owned())
}

#[test]
fn nesting_has_a_bound() {
    let nested = |depth: usize| format!("{}{} ", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(is_json(nested(DEEPEST).as_bytes()), Ok(()));
    assert_eq!(is_json(nested(DEEPEST + 1).as_bytes()), Err(Fault::TooDeep));
}

#[test]
fn halves_of_pairs_and_bytes_that_are_no_text_are_shown_as_such() {
    let decoded = |text: &[u8]| whole_text(&mut Json::<'_, false>::new(text)).unwrap();
    assert_eq!(decoded(br#""\ud83d\ude00 \ud83d \ude00 \ud83d\n""#), "😀 \u{fffd} \u{fffd} \u{fffd}\n");
    assert_eq!(decoded(b"\"a\xffb\""), "a\u{fffd}b");
}

/// Texts of what JSON is made of, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[\\[\\]{}:,\"\\\\ ]",
        "(\"[a-z]{0,9}(\\\\[\"/bnu\\\\])?[ -~]{0,9}\":?)",
        "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?([eE][+-]?[0-9])?[0-9.,]?",
        "(true|false|null|nul|\\\\u00e[0-9]|\\\\ud83d|\t|\n|\u{1}|é)",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn fuzz_what_is_json_is_what_serde_json_takes(text in pieces()) {
        // A number at the end of a text could go on.
        let text = format!("{text} ");
        let theirs = serde_json::from_str::<IgnoredAny>(&text).is_ok();
        prop_assert_eq!(is_json(text.as_bytes()).is_ok(), theirs, "{:?}", text);
        // What is read as it stands in another text is JSON, too.
        let ours = inner(text.as_bytes(), skip);
        prop_assert!(ours.is_err() || theirs, "{:?}", text);
    }

    #[test]
    fn fuzz_json_of_ours_is_read_as_it_stands_in_another(texts in prop::collection::vec(any::<String>(), 0..5)) {
        // Control characters of other people's JSON are not ours to read there: they are escaped once more.
        let text = serde_json::to_string(&texts).unwrap();
        prop_assert_eq!(inner(text.as_bytes(), skip), Ok(()));
    }

    #[test]
    fn fuzz_a_text_says_what_it_says_to_serde_json(text in any::<String>(), pieces in pieces()) {
        for json in [serde_json::to_string(&text).unwrap(), format!("\"{}\"", pieces.replace('"', "\\\""))] {
            let Ok(theirs) = serde_json::from_str::<String>(&json) else { continue };
            prop_assert_eq!(whole_text(&mut Json::<'_, false>::new(json.as_bytes())), Ok(theirs.clone()));
            if let Ok(ours) = inner(json.as_bytes(), whole_text) {
                prop_assert_eq!(ours, theirs);
            }
        }
    }

    #[test]
    fn fuzz_a_number_may_be_a_text(number: u64, digits in "[0-9]{0,25}") {
        for text in [number.to_string(), digits] {
            let theirs = text.parse::<u64>().ok();
            let read = |json: String| Json::<'_, false>::new(json.as_bytes()).number();
            prop_assert_eq!(read(format!("\"{text}\"")), Ok(theirs));
            if text == "0" || !text.starts_with('0') && !text.is_empty() {
                prop_assert_eq!(read(format!("{text} ")), Ok(theirs));
            }
        }
    }
}
