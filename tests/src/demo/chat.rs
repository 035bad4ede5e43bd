//! What stands in Slack, as the report shows it: each channel's messages with their threads.

use serde::Serialize;
use serde_json::Value;

use crate::channels::slack::{Message, Workspace};

/// A channel, as its readers have it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Channel {
    /// Its name, or whose conversation with the app it is.
    title: &'static str,
    messages: Vec<Shown>,
}

/// A message as it is now.
#[derive(Debug, Clone, Serialize)]
struct Shown {
    blocks: Vec<Value>,
    text: String,
    edited: bool,
    thread: Vec<Shown>,
}

impl Channel {
    /// The messages of a channel, or of a person's conversation with the app.
    pub(super) fn of(workspace: &Workspace, id: &str, title: &'static str) -> Self {
        let shown = |message: &&Message| {
            let thread = workspace.thread(&message.channel, &message.ts);
            Shown { thread: thread.into_iter().map(Shown::of).collect(), ..Shown::of(message) }
        };
        Self { title, messages: workspace.in_channel(id).iter().map(shown).collect() }
    }
}

impl Shown {
    fn of(message: &Message) -> Self {
        Self {
            blocks: message.blocks.clone(),
            text: message.text.clone(),
            edited: message.edits > 0,
            thread: Vec::new(),
        }
    }
}
