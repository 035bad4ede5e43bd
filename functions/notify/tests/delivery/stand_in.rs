//! Another system on this machine: it answers by a script, and keeps what it was sent.

use std::collections::VecDeque;
use std::time::Duration;

use notify::undelivered::Undelivered;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::memory::Shared;

/// What it does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Answers with this status and JSON.
    Json(u16, Value),
    /// Answers with this status and text.
    Text(u16, &'static str),
    /// Answers with this status, and `Retry-After`.
    After(u16, &'static str),
    /// Closes the connection.
    HangUp,
    /// Says nothing, and keeps the connection.
    Silence,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Method and path.
    pub(crate) line: String,
    pub(crate) headers: String,
    pub(crate) body: Value,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

pub(crate) struct StandIn {
    /// How its URLs begin.
    pub(crate) url: String,
    pub(crate) calls: Shared<Vec<Call>>,
    replies: Shared<VecDeque<Reply>>,
}

impl StandIn {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (calls, replies) = (Shared::default(), Shared::<VecDeque<_>>::default());
        tokio::spawn(serve(listener, calls.clone(), replies.clone()));
        Self { url, calls, replies }
    }

    /// What it does with the requests to come. One without a reply is answered with 599.
    pub(crate) fn will(&self, replies: impl IntoIterator<Item = Reply>) {
        self.replies.get().extend(replies);
    }

    /// What it was sent since it was asked last, by these fields of the bodies.
    pub(crate) fn heard(&self, fields: &[&str]) -> String {
        let shown = |call: Call| {
            let field =
                |field: &&str| Some(format!("{field}={}", plain(call.body.pointer(&format!("/{field}"))?)));
            std::iter::once(call.line.clone())
                .chain(fields.iter().filter_map(field))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let calls = std::mem::take(&mut *self.calls.get());
        assert_eq!(self.replies.get().len(), 0, "replies that nobody asked for");
        calls.into_iter().map(shown).collect::<Vec<_>>().join("\n")
    }
}

/// A text without its quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

async fn serve(listener: TcpListener, calls: Shared<Vec<Call>>, replies: Shared<VecDeque<Reply>>) {
    let mut open = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let call = read(&mut stream).await;
        calls.get().push(call);
        let reply = replies.get().pop_front().unwrap_or(Reply::Text(599, "nothing was planned"));
        match reply {
            Reply::Json(status, body) => write(&mut stream, status, "", &body.to_string()).await,
            Reply::Text(status, body) => write(&mut stream, status, "", body).await,
            Reply::After(status, after) => {
                write(&mut stream, status, &format!("retry-after: {after}\r\n"), "").await;
            }
            Reply::HangUp => {}
            Reply::Silence => open.push(stream),
        }
    }
}

async fn read(stream: &mut TcpStream) -> Call {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "a request without an end");
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    while bytes.len() < end + 4 + length {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "a body without an end");
    }
    let body = &bytes[end + 4..];
    let body = serde_json::from_slice(body).unwrap_or_else(|_| json!(String::from_utf8_lossy(body)));
    let (line, headers) = head.split_once("\r\n").unwrap();
    Call { line: line.trim_end_matches(" HTTP/1.1").to_owned(), headers: headers.replace("\r\n", "\n"), body }
}

async fn write(stream: &mut TcpStream, status: u16, headers: &str, body: &str) {
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}

/// An outcome as one line.
pub(crate) fn outcome(told: Result<(), Undelivered>) -> String {
    match told {
        Ok(()) => "told".to_owned(),
        Err(Undelivered::Later { after: None, why }) => format!("later: {why}"),
        Err(Undelivered::Later { after: Some(after), why }) => format!("later, in {}: {why}", seconds(after)),
        Err(Undelivered::Never { why }) => format!("never: {why}"),
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}
