//! CloudFormation's bucket for answers, stricter than S3: it takes exactly what a presigned URL signs, and
//! one answer for each.

use std::collections::{HashSet, VecDeque};

use serde_json::Value;

use crate::http::{Received, Reply};

/// Where answers arrive.
#[derive(Default)]
pub(crate) struct Bucket {
    /// What happens to the next PUTs before one is judged.
    pub(crate) mishaps: VecDeque<Reply>,
    /// Every PUT.
    pub(crate) puts: Vec<Received>,
    /// The answers that were taken.
    pub(crate) answers: Vec<Value>,
    used: HashSet<String>,
}

impl Bucket {
    pub(crate) fn put(&mut self, received: Received) -> Reply {
        let reply = self.mishaps.pop_front().unwrap_or_else(|| self.judge(&received));
        self.puts.push(received);
        reply
    }

    fn judge(&mut self, received: &Received) -> Reply {
        if let Some(reason) = self.refusal(received) {
            return Reply::Status(403, reason.to_owned());
        }
        self.answers.push(serde_json::from_slice(&received.body).unwrap());
        Reply::Status(200, String::new())
    }

    fn refusal(&mut self, received: &Received) -> Option<&'static str> {
        if !received.line.starts_with("PUT ") {
            Some("not a PUT")
        } else if received.header("content-type") != Some("") {
            Some("the content type is signed as empty")
        } else if received.header("transfer-encoding").is_some()
            || received.header("content-length").is_none()
        {
            Some("no length")
        } else if received.body.len() > 4_096 {
            Some("too long")
        } else if !self.used.insert(received.line.clone()) {
            Some("answered before")
        } else {
            None
        }
    }
}
