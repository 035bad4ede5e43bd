//! The paths of a table, compiled.

use hyper::header::HeaderName;
use serde_json_path::JsonPath;

use super::super::AdapterError;
use super::super::settings::{CommentSettings, Field, Paths, Proof, RequestSettings, StateSettings, When};
use super::{CommentReader, Conditions, Path, Place, RequestReader, StateReader};
use crate::text::visible;

/// The longest path, in bytes.
const LONGEST_PATH: usize = 1_000;
/// How much of a path is shown that is none, in characters.
const SHOWN: usize = 100;
/// The most filters of a path: the parser's time doubles with each that stands in another.
const MOST_FILTERS: usize = 4;
/// The most brackets of a path: the parser descends into them by recursion.
const MOST_BRACKETS: usize = 32;

/// Reads paths, and notes of which field one is that can't be read. Another one stands in for it, so that the rest is
/// read, too.
pub(super) struct Compile<'a> {
    adapter: &'a str,
    pub(super) mistakes: Vec<AdapterError>,
}

impl<'a> Compile<'a> {
    pub(super) fn new(adapter: &'a str) -> Self {
        Self { adapter, mistakes: Vec::new() }
    }

    fn wrong(&mut self, field: &str, problem: String) {
        let (adapter, field) = (self.adapter.to_owned(), field.to_owned());
        self.mistakes.push(AdapterError { adapter, field, problem });
    }

    pub(super) fn proof(&mut self, proof: Option<&Proof>) {
        if let Some(Proof::Hmac { header, .. } | Proof::Key { header, .. }) = proof
            && HeaderName::from_bytes(header.as_bytes()).is_err()
        {
            self.wrong("proof", format!("{header:?} is no header's name"));
        }
    }

    fn path(&mut self, field: &'static str, text: &str) -> Path {
        let path = json_path(text).unwrap_or_else(|problem| {
            self.wrong(field, format!("{:?} is no JSONPath: {problem}", visible(text, SHOWN)));
            JsonPath::default()
        });
        Path { field, path }
    }

    fn path_if(&mut self, field: &'static str, text: Option<&String>) -> Option<Path> {
        text.map(|text| self.path(field, text))
    }

    pub(super) fn paths(&mut self, field: &'static str, paths: &Paths) -> Vec<Path> {
        let texts = match paths {
            Paths::One(text) => std::slice::from_ref(text),
            Paths::Several(texts) => texts,
        };
        if texts.is_empty() {
            self.wrong(field, "it is empty".to_owned());
        }
        texts.iter().map(|text| self.path(field, text)).collect()
    }

    fn place(&mut self, field: &'static str, place: &Field) -> Place {
        match place {
            Field::Path(path) => Place { path: self.path(field, path), section: None },
            Field::Section { path, section } => {
                Place { path: self.path(field, path), section: Some(section.trim().to_owned()) }
            }
        }
    }

    fn place_if(&mut self, field: &'static str, place: Option<&Field>) -> Option<Place> {
        place.map(|place| self.place(field, place))
    }

    fn when(&mut self, field: &'static str, when: &When) -> Conditions {
        Conditions(when.iter().map(|(path, texts)| (self.path(field, path), texts.clone())).collect())
    }

    pub(super) fn request(&mut self, request: &RequestSettings) -> RequestReader {
        let RequestSettings { when, requester, domains, preset, justification, duration } = request;
        RequestReader {
            when: self.when("request.when", when),
            requester: self.path("request.requester", requester),
            domains: self.place_if("request.domains", domains.as_ref()),
            preset: self.place_if("request.preset", preset.as_ref()),
            justification: self.place("request.justification", justification),
            duration: self.place_if("request.duration", duration.as_ref()),
        }
    }

    pub(super) fn states(&mut self, states: &StateSettings) -> StateReader {
        let StateSettings { when, state, by, comment, approved, denied, closed } = states;
        StateReader {
            when: self.when("states.when", when),
            state: self.path("states.state", state),
            by: self.path("states.by", by),
            comment: self.path_if("states.comment", comment.as_ref()),
            approved: approved.clone(),
            denied: denied.clone(),
            closed: closed.clone(),
        }
    }

    pub(super) fn comments(&mut self, comments: &CommentSettings) -> CommentReader {
        CommentReader {
            when: self.when("comments.when", &comments.when),
            text: self.path("comments.text", &comments.text),
            by: self.path("comments.by", &comments.by),
        }
    }
}

/// Reads a path. What would make its parser descend too deep, or take too long, is refused before.
fn json_path(text: &str) -> Result<JsonPath, String> {
    let count = |signs: &[char]| text.matches(signs).count();
    if text.len() > LONGEST_PATH {
        return Err(format!("it has more than {LONGEST_PATH} characters"));
    }
    if count(&['?']) > MOST_FILTERS || count(&['(', '[']) > MOST_BRACKETS {
        return Err(format!("it has more than {MOST_FILTERS} filters, or than {MOST_BRACKETS} brackets"));
    }
    JsonPath::parse(text).map_err(|cause| cause.to_string())
}
