//! A server that shows a request as it came over the wire, and can break the connection.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request, its head as it was sent.
#[derive(Debug)]
pub(crate) struct Received {
    /// The method, a space, and the target byte for byte.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Status(u16, String),
    /// With headers, each with its line's end.
    With(u16, String, String),
    /// The connection is closed without a word.
    Broken,
}

/// What comes back, when it comes.
pub(crate) type Replying = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// Serves on a port of the loopback interface for as long as the test runs; answers its host and port.
pub(crate) async fn serve(answer: impl Fn(Received) -> Replying + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move { converse(stream, &*answer).await });
        }
    });
    address
}

async fn converse(
    mut stream: TcpStream,
    answer: &(impl Fn(Received) -> Replying + Send + Sync),
) -> Option<()> {
    while let Some(received) = read(&mut stream).await {
        let (status, headers, body) = match answer(received).await {
            Reply::Status(status, body) => (status, String::new(), body),
            Reply::With(status, headers, body) => (status, headers, body),
            Reply::Broken => return None,
        };
        let head = format!("HTTP/1.1 {status} Said\r\n{headers}content-length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
    }
    Some(())
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).ok()?;
    let mut lines = head.lines();
    let line = lines.next()?.strip_suffix(" HTTP/1.1")?.to_owned();
    let header =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let mut received = Received { line, headers: lines.filter_map(header).collect(), body: Vec::new() };
    let length = received.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    received.body = body;
    Some(received)
}
