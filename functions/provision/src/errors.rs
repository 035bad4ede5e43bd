//! Errors as text.

use std::error::Error;

/// An error and what caused it, down to the operating system's own words.
pub(crate) fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    for cause in causes.map(ToString::to_string) {
        // Many an error repeats its cause.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
