//! The table of a ticket system in `egress.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::request::StateName;

/// One ticket system. A field that isn't known is an error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How what it sends to intake is proved. None where its events come by a partner bus alone.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// How the names of its tickets begin: a request from elsewhere that names such a ticket is told there, too.
    #[serde(default)]
    pub tickets: Vec<String>,
    /// Where the ticket's name stands; several texts are joined by `#`.
    pub ticket: Paths,
    /// What makes a message the same as another delivery of it; without it, the digest of all that was signed.
    #[serde(default)]
    pub id: Option<Paths>,
    /// What the ids of people are there.
    #[serde(default)]
    pub people: People,
    /// The ids of the accounts that answer on tickets: what they do there is not heard.
    #[serde(default)]
    pub ourselves: Vec<String>,
    /// Where a new ticket asks for domains.
    #[serde(default)]
    pub request: Option<RequestSettings>,
    /// Which states of a ticket mean what.
    #[serde(default)]
    pub states: Option<StateSettings>,
    /// Where comments stand, which may be commands: `/approve`, `/deny not now`, `/extend for 2d because …`.
    #[serde(default)]
    pub comments: Option<CommentSettings>,
    /// What is sent for each notice about the ticket.
    #[serde(default)]
    pub answer: Option<CallSettings>,
    /// What is sent when the ticket's request has come into a state, beside the answer.
    #[serde(default)]
    pub transitions: BTreeMap<StateName, CallSettings>,
}

/// How a message is proved. The secret is the adapter's own, and never in this file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Proof {
    /// HMAC-SHA256 over the body as it came, in a header behind a prefix.
    Hmac {
        /// The header, in lower case: `x-hub-signature-256`.
        header: String,
        /// What stands before the signature: `sha256=`.
        #[serde(default)]
        prefix: String,
        /// How the signature is written.
        #[serde(default)]
        encoding: Encoding,
    },
    /// The secret itself, in a header behind a prefix: an API key, or `Bearer ` and a token.
    Key {
        /// The header, in lower case: `x-api-key`, `authorization`.
        header: String,
        /// What stands before the secret: `Bearer `.
        #[serde(default)]
        prefix: String,
    },
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Hexadecimal digits.
    #[default]
    Hex,
    /// Base 64, with padding.
    Base64,
}

/// What the ids of people are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum People {
    /// The system's own, which `[identities]` knows under the adapter's name. Who isn't in there can ask questions,
    /// and close what is over.
    #[default]
    Mapped,
    /// People's own ids (mail addresses), because the system proves them.
    Own,
}

/// One JSONPath, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a JSONPath is a text; several are a list of texts")]
pub enum Paths {
    /// One.
    One(String),
    /// Several, in order.
    Several(Vec<String>),
}

/// Where a text stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "it is a JSONPath, or a table of path and section")]
pub enum Field {
    /// At a JSONPath.
    Path(String),
    /// Under a heading of a text in Markdown, as forms of issues are written.
    Section {
        /// The JSONPath of the text.
        path: String,
        /// The heading's text, without its signs.
        section: String,
    },
}

/// Of what a message is true: each JSONPath leads to one of these texts, among others; where there is none
/// of them, to nothing.
pub type When = BTreeMap<String, Vec<String>>;

/// How a new ticket asks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestSettings {
    /// Which messages are new tickets that ask.
    pub when: When,
    /// Who asks.
    pub requester: String,
    /// The domains: a list of texts, or one text with white space or commas between them.
    #[serde(default)]
    pub domains: Option<Field>,
    /// A preset's name.
    #[serde(default)]
    pub preset: Option<Field>,
    /// Why.
    pub justification: Field,
    /// For how long, as `8h` or `7d`.
    #[serde(default)]
    pub duration: Option<Field>,
}

/// Which states of a ticket mean what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateSettings {
    /// Which messages say that a ticket has come into a state.
    pub when: When,
    /// Where the state stands.
    pub state: String,
    /// Who has brought it there.
    pub by: String,
    /// What they said.
    #[serde(default)]
    pub comment: Option<String>,
    /// States that are a yes.
    #[serde(default)]
    pub approved: Vec<String>,
    /// States that are a no.
    #[serde(default)]
    pub denied: Vec<String>,
    /// States in which the ticket is closed: what waits is withdrawn, what is open is revoked.
    #[serde(default)]
    pub closed: Vec<String>,
}

/// Where comments stand.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommentSettings {
    /// Which messages are comments.
    pub when: When,
    /// The text.
    pub text: String,
    /// Who has written it.
    pub by: String,
}

/// A call of the system's API, by templates (the language is Jinja). They know `ticket`, `parts` (the ticket's
/// name split at `#` and `/`), `state`, `headline`, `text`, `by`, `comment`, `request_id`, `ends_at` and `event_id`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallSettings {
    /// The HTTP method.
    #[serde(default)]
    pub method: Method,
    /// The URL. Its host stands in it as it is; what templates put into the path is percent-encoded.
    pub url: String,
    /// Further headers. The one with the proof, `authorization`, comes from the adapter's secret.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body, JSON. What templates put into it is JSON, too: `{"body": {{ text }}}`, without quotes.
    pub body: String,
}

/// The methods by which APIs are told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
}

impl Method {
    /// As HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}
