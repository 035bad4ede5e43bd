//! GitHub's issues (<https://docs.github.com/rest/issues>).

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::server::{Call, Reply};
use super::super::stand_in::Notes;
use super::{Comment, Tickets, read};

/// The `Authorization` header that the stand-in takes.
pub const AUTHORIZATION: &str = "Bearer github-stand-in";

/// The longest comment, in characters: GitHub says `body is too long (maximum is 65536 characters)`.
const BODY: usize = 65_536;

/// <https://docs.github.com/rest/issues/comments#create-an-issue-comment>
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewComment {
    body: String,
}

/// <https://docs.github.com/rest/issues/issues#update-an-issue>
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    state: Option<State>,
    state_reason: Option<Reason>,
    labels: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Open,
    Closed,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    Completed,
    NotPlanned,
    Duplicate,
    Reopened,
}

/// Answers a call.
pub(in super::super) fn answer(tickets: &mut Tickets, call: &Call, notes: &mut Notes) -> Reply {
    // <https://docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent>
    if call.header("user-agent").is_empty() {
        notes.violation("no User-Agent");
        let text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
        return Reply::text(403, text);
    }
    if call.header("authorization") != AUTHORIZATION {
        return Reply::json(401, json!({"message": "Bad credentials", "status": "401"}));
    }
    if !call.header("accept").contains("application/vnd.github+json") {
        notes.warning("doesn't accept application/vnd.github+json");
    }
    let answered = match (&call.method, call.way().as_slice()) {
        (&Method::POST, [_, "repos", owner, repository, "issues", number, "comments"]) => {
            let key = format!("{owner}/{repository}#{number}");
            read(call, notes).and_then(|comment| say(tickets, key, &comment, notes))
        }
        (&Method::PATCH, [_, "repos", owner, repository, "issues", number]) => {
            let key = format!("{owner}/{repository}#{number}");
            read(call, notes).map(|change| make(tickets, key, change, notes))
        }
        _ => {
            notes.violation("no such operation");
            return Reply::json(404, json!({"message": "Not Found", "status": "404"}));
        }
    };
    answered.unwrap_or_else(|error| {
        let errors = json!([{"code": "custom", "message": error}]);
        Reply::json(422, json!({"message": "Validation Failed", "errors": errors, "status": "422"}))
    })
}

fn say(tickets: &mut Tickets, key: String, comment: &NewComment, notes: &mut Notes) -> Result<Reply, String> {
    let length = comment.body.chars().count();
    if length == 0 || length > BODY {
        let error = format!("a body of {length} characters (minimum is 1, maximum is {BODY})");
        notes.violation(error.clone());
        return Err(error);
    }
    let id = tickets.comment(key, Comment::new(&comment.body, Value::String(comment.body.clone())));
    Ok(Reply::json(201, json!({"id": id, "body": comment.body})))
}

fn make(tickets: &mut Tickets, key: String, change: Change, notes: &mut Notes) -> Reply {
    let ticket = tickets.ticket(key);
    if change.state.is_none() && change.state_reason.is_some() {
        notes.violation("a state_reason without a state is ignored");
    }
    if let Some(state) = change.state {
        let state = match state {
            State::Open => "open",
            State::Closed => "closed",
        };
        ticket.state = Some(state.to_owned());
        let reason = change.state_reason.map(|reason| match reason {
            Reason::Completed => "completed",
            Reason::NotPlanned => "not_planned",
            Reason::Duplicate => "duplicate",
            Reason::Reopened => "reopened",
        });
        ticket.reason = reason.map(str::to_owned);
    }
    if let Some(labels) = change.labels {
        ticket.labels = labels;
    }
    Reply::json(200, json!({"state": ticket.state, "state_reason": ticket.reason, "labels": ticket.labels}))
}
