//! ServiceNow's Table API
//! (<https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html>, PATCH). A field that a table
//! doesn't have is dropped there in silence, so it is refused here.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Value, json};

use super::super::server::{Call, Reply};
use super::super::stand_in::Notes;
use super::{Comment, Tickets, read};

/// The `Authorization` header that the stand-in takes.
pub const AUTHORIZATION: &str = "Basic c2VydmljZW5vdzpzdGFuZC1pbg==";

/// The fields of a task that this stand-in knows; `u_…` are a customer's own.
const FIELDS: [&str; 6] =
    ["comments", "work_notes", "state", "close_code", "close_notes", "short_description"];

/// Answers a call.
pub(in super::super) fn answer(tickets: &mut Tickets, call: &Call, notes: &mut Notes) -> Reply {
    if call.header("authorization") != AUTHORIZATION {
        return refused(401, "User Not Authenticated", "Required to provide Auth information");
    }
    let key = match (&call.method, call.way().as_slice()) {
        (&Method::PATCH, [_, "api", "now", "table", table, sys_id]) if is_sys_id(sys_id) => {
            format!("{table}/{sys_id}")
        }
        _ => {
            notes.violation("no such operation, or no sys_id");
            return refused(
                404,
                "No Record found",
                "Record doesn't exist or ACL restricts the record retrieval",
            );
        }
    };
    let fields: BTreeMap<String, Value> = match read(call, notes) {
        Ok(fields) => fields,
        Err(error) => return refused(400, "Exception while reading request", &error),
    };
    let is_known = |name: &str| FIELDS.contains(&name) || name.starts_with("u_");
    if let Some(unknown) = fields.keys().find(|name| !is_known(name)) {
        notes.violation(format!("the field {unknown}"));
        return refused(400, "Invalid field", unknown);
    }
    let text = |name: &str| match fields.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
        None => None,
    };
    for (name, internal) in [("comments", false), ("work_notes", true)] {
        // An empty entry of a journal is none.
        if let Some(text) = text(name).filter(|text| !text.is_empty()) {
            let body = Value::String(text.clone());
            tickets.comment(key.clone(), Comment { internal, ..Comment::new(text, body) });
        }
    }
    let ticket = tickets.ticket(key);
    ticket.state = text("state").or_else(|| ticket.state.take());
    ticket.reason = text("close_code").or_else(|| ticket.reason.take());
    Reply::json(200, json!({"result": {"state": ticket.state, "close_code": ticket.reason}}))
}

fn refused(status: u16, message: &str, detail: &str) -> Reply {
    Reply::json(status, json!({"error": {"message": message, "detail": detail}, "status": "failure"}))
}

fn is_sys_id(text: &str) -> bool {
    text.len() == 32 && text.chars().all(|c| c.is_ascii_hexdigit())
}
