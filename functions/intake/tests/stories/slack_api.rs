//! A stand-in of Slack's Web API, as far as dialogs are opened: it holds views against the limits that are documented.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The bot token that it takes.
pub(crate) const TOKEN: &str = "xoxb-0-stand-in";

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Answers with this error.
    Refuses(&'static str),
    /// Answers with a page.
    Down,
    /// Takes the call and says nothing.
    Silent,
}

/// The stand-in, at a port of the loopback interface for as long as the test runs.
#[derive(Clone)]
pub(crate) struct SlackApi {
    pub(crate) url: String,
    opened: Arc<Mutex<Vec<Value>>>,
}

impl SlackApi {
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/", listener.local_addr().unwrap());
        let opened = Arc::new(Mutex::new(Vec::new()));
        let api = Self { url, opened };
        let serving = api.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().converse(stream, mood));
            }
        });
        api
    }

    /// The one dialog that was opened: the arguments of the call.
    pub(crate) fn opened(&self) -> Value {
        let opened = self.opened.lock().unwrap();
        let [one] = opened.as_slice() else { panic!("{opened:?}") };
        one.clone()
    }

    pub(crate) fn is_unused(&self) -> bool {
        self.opened.lock().unwrap().is_empty()
    }

    async fn converse(self, mut stream: TcpStream, mood: Mood) {
        let (head, body) = read(&mut stream).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        let answer = match mood {
            Mood::Silent => return std::future::pending().await,
            Mood::Down => "<html>".to_owned(),
            Mood::Refuses(error) => json!({"ok": false, "error": error}).to_string(),
            Mood::Well => self.views_open(&head, body).to_string(),
        };
        let status = if mood == Mood::Down { 503 } else { 200 };
        let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n\r\n", answer.len());
        stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
    }

    fn views_open(&self, head: &str, body: Value) -> Value {
        assert!(head.starts_with("POST /api/views.open HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("content-type: application/json; charset=utf-8\r\n"), "{head}");
        if !head.contains(&format!("authorization: Bearer {TOKEN}\r\n")) {
            return json!({"ok": false, "error": "invalid_auth"});
        }
        check(&body["view"]);
        self.opened.lock().unwrap().push(body);
        json!({"ok": true, "view": {"id": "V02ABCDEF01"}})
    }
}

async fn read(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    while body.len() < length.parse().unwrap() {
        assert!(stream.read_buf(&mut body).await.unwrap() > 0);
    }
    (head, body)
}

/// Holds a view against the limits (<https://docs.slack.dev/reference/views/modal-views>,
/// <https://docs.slack.dev/reference/block-kit/blocks/input-block>,
/// <https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element>,
/// <https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element>).
pub(crate) fn check(view: &Value) {
    let within = |text: &Value, longest: usize| {
        assert_eq!(text["type"], "plain_text");
        assert!((1..=longest).contains(&text["text"].as_str().unwrap().chars().count()), "{text}");
    };
    assert!(view.to_string().len() < 250_000);
    for name in ["title", "submit", "close"] {
        within(&view[name], 24);
    }
    let blocks = view["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 100);
    for block in blocks {
        within(&block["label"], 2_000);
        let element = &block["element"];
        within(&element["placeholder"], 150);
        if element["type"] == "plain_text_input" {
            let longest = element["max_length"].as_u64().unwrap();
            let filled_in = element["initial_value"].as_str().unwrap_or_default().chars().count();
            assert!(longest <= 3_000 && filled_in as u64 <= longest);
            continue;
        }
        assert_eq!(element["type"], "static_select");
        let options = element["options"].as_array().unwrap();
        assert!((1..=100).contains(&options.len()));
        assert!(element["initial_option"].is_null() || options.contains(&element["initial_option"]));
        for option in options {
            within(&option["text"], 75);
            within(&option["description"], 75);
            assert!((1..=150).contains(&option["value"].as_str().unwrap().chars().count()));
        }
    }
}
