//! Jira Cloud's issues, in both versions of its API: a comment is a document in version 3
//! (<https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments>), and a text in
//! version 2 (`…/rest/v2/…`).

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::server::{Call, Reply};
use super::super::stand_in::Notes;
use super::{Comment, Tickets, adf, read};

/// The `Authorization` header that the stand-in takes.
pub const AUTHORIZATION: &str = "Basic amlyYTpzdGFuZC1pbg==";

/// The longest text, in characters: `CONTENT_LIMIT_EXCEEDED`
/// (<https://jira.atlassian.com/browse/JRACLOUD-78553>).
const TEXT: usize = 32_767;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
struct NewComment {
    body: Value,
    visibility: Option<Value>,
    properties: Option<Value>,
}

/// <https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-transitions-post>
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "some are known so that they are taken, and change nothing here")]
struct Change {
    transition: Transition,
    fields: Option<Value>,
    update: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Transition {
    id: String,
}

/// Answers a call.
pub(in super::super) fn answer(tickets: &mut Tickets, call: &Call, notes: &mut Notes) -> Reply {
    if call.header("authorization") != AUTHORIZATION {
        return Reply::text(401, "Client must be authenticated to access this resource.");
    }
    let (version, key, what) = match (&call.method, call.way().as_slice()) {
        (&Method::POST, [_, "rest", "api", version @ ("2" | "3"), "issue", key, what]) => {
            ((*version).to_owned(), (*key).to_owned(), (*what).to_owned())
        }
        _ => return unknown(notes),
    };
    if !is_key(&key) {
        notes.violation(format!("{key} is no issue's key"));
        return refused(404, "Issue does not exist or you do not have permission to see it.");
    }
    match what.as_str() {
        "comment" => read::<NewComment>(call, notes)
            .and_then(|comment| text(&version, &comment.body, notes).map(|text| (text, comment.body)))
            .map_or_else(
                |error| refused(400, &error),
                |(text, body)| {
                    let id = tickets.comment(key, Comment::new(text, body.clone()));
                    Reply::json(201, json!({"id": id.to_string(), "body": body}))
                },
            ),
        "transitions" => read::<Change>(call, notes).map_or_else(
            |error| refused(400, &error),
            |change| {
                tickets.ticket(key).state = Some(change.transition.id);
                Reply::empty(204)
            },
        ),
        _ => unknown(notes),
    }
}

fn unknown(notes: &mut Notes) -> Reply {
    notes.violation("no such operation");
    refused(404, "null for uri")
}

fn refused(status: u16, error: &str) -> Reply {
    Reply::json(status, json!({"errorMessages": [error], "errors": {}}))
}

/// What a person reads of a comment, when the version takes it.
fn text(version: &str, body: &Value, notes: &mut Notes) -> Result<String, String> {
    let text = match (version, body) {
        ("2", Value::String(text)) => Ok(text.clone()),
        ("3", Value::Object(_)) => adf::text(body),
        _ => Err(format!("Comment body is not valid! (It is another one in version {version}.)")),
    };
    let text = text.and_then(|text| match text.chars().count() {
        0 => Err("an empty comment".to_owned()),
        length if length > TEXT => Err("CONTENT_LIMIT_EXCEEDED".to_owned()),
        _ => Ok(text),
    });
    text.inspect_err(|error| notes.violation(error.clone()))
}

/// `EGR-1`, or an issue's number.
fn is_key(key: &str) -> bool {
    let (project, number) = key.split_once('-').unwrap_or(("A", key));
    let is_project = project.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    is_project
        && project.starts_with(|c: char| c.is_ascii_uppercase())
        && !number.is_empty()
        && number.chars().all(|c| c.is_ascii_digit())
}
