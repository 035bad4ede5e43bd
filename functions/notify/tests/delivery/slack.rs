//! Slack, as a stand-in has it.

use std::time::Duration;

use egress::config::Config;
use jiff::Timestamp;
use notify::batch::Teller;
use notify::channels::slack::SlackChannel;
use notify::routing::Destination;
use serde_json::{Value, json};

use crate::events::{awaited, blocked, changed, first_used, glass_broken, not_taken, notice, waits};
use crate::memory::{Fixed, MemoryLedger};
use crate::stand_in::{Reply, StandIn, outcome};

struct Story {
    slack: StandIn,
    ledger: MemoryLedger,
    channel: SlackChannel<MemoryLedger, Fixed>,
}

impl Story {
    async fn begin() -> Self {
        let (slack, ledger) = (StandIn::start().await, MemoryLedger::default());
        let config = format!(
            "[groups]\napprovers = [\"bob\"]\n[slack]\napi = \"{0}api/\"\nanswers = \"{0}answers/\"",
            slack.url
        );
        let channel = SlackChannel::new(Config::parse(&config).unwrap(), ledger.clone(), Fixed("xoxb-1"));
        Self { slack, ledger, channel }
    }

    /// A notice in the channel, with what Slack answers to the calls for it.
    async fn tell(&self, event: Value, replies: impl IntoIterator<Item = Reply>) -> String {
        self.tell_at(&Destination::SlackChannel("C1".to_owned()), event, replies).await
    }

    async fn tell_at(
        &self,
        to: &Destination,
        event: Value,
        replies: impl IntoIterator<Item = Reply>,
    ) -> String {
        self.slack.will(replies);
        outcome(self.channel.tell(to, &notice(event), Timestamp::UNIX_EPOCH).await)
    }

    fn answer_url(&self) -> Destination {
        Destination::SlackAnswer(format!("{}answers/x", self.slack.url))
    }

    fn heard(&self) -> String {
        self.slack.heard(&["channel", "ts", "thread_ts", "reply_broadcast"])
    }
}

/// The message with this time is there.
fn done(ts: &str) -> Reply {
    Reply::Json(200, json!({"ok": true, "channel": "C1", "ts": ts, "message": {"text": "…"}}))
}

fn error(error: &str) -> Reply {
    Reply::Json(200, json!({"ok": false, "error": error}))
}

fn pending() -> Value {
    changed(1, None, "pending", json!({}))
}

fn approved() -> Value {
    changed(2, Some("pending"), "approved", json!({}))
}

fn active() -> Value {
    changed(3, Some("approved"), "active", json!({}))
}

#[tokio::test]
async fn a_request_is_one_message_with_its_story_in_the_thread() {
    let story = Story::begin().await;
    assert_eq!(story.tell(pending(), [done("1.1")]).await, "told");
    assert_eq!(story.tell(awaited(1, json!({})), [done("2.1")]).await, "told");
    assert_eq!(story.tell(approved(), [done("1.1"), done("2.2")]).await, "told");
    assert_eq!(story.tell(waits(2), [done("1.1"), done("2.3")]).await, "told");
    assert_eq!(story.tell(glass_broken(2), [done("2.4")]).await, "told");
    assert_eq!(story.tell(first_used(4, json!({})), [done("2.5")]).await, "told");
    insta::assert_snapshot!(story.heard(), @r"
    POST /api/chat.postMessage channel=C1
    POST /api/chat.postMessage channel=C1 thread_ts=1.1 reply_broadcast=true
    POST /api/chat.update channel=C1 ts=1.1
    POST /api/chat.postMessage channel=C1 thread_ts=1.1 reply_broadcast=false
    POST /api/chat.update channel=C1 ts=1.1
    POST /api/chat.postMessage channel=C1 thread_ts=1.1 reply_broadcast=false
    POST /api/chat.postMessage channel=C1 thread_ts=1.1 reply_broadcast=true
    POST /api/chat.postMessage channel=C1 thread_ts=1.1 reply_broadcast=false
    ");
}

#[tokio::test]
async fn a_message_says_what_it_is_and_shows_no_links() {
    let story = Story::begin().await;
    story.tell(pending(), [done("1.1")]).await;
    let call = story.slack.calls.get()[0].clone();
    assert_eq!(call.header("authorization"), Some("Bearer xoxb-1"));
    assert_eq!(call.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(call.header("user-agent"), Some("studio-egress"));
    assert_eq!((&call.body["unfurl_links"], &call.body["unfurl_media"]), (&json!(false), &json!(false)));
    assert_eq!(call.body["metadata"]["event_type"], "egress_notice");
    assert_eq!(call.body["metadata"]["event_payload"]["event_id"], "req.1");
    assert!(!call.body["text"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_person_is_written_to_and_the_conversation_is_kept() {
    let (story, person) = (Story::begin().await, Destination::SlackUser("U1".to_owned()));
    let there = Reply::Json(200, json!({"ok": true, "channel": "D1", "ts": "1.1"}));
    assert_eq!(story.tell_at(&person, pending(), [there]).await, "told");
    assert_eq!(story.tell_at(&person, approved(), [done("1.1"), done("2.1")]).await, "told");
    insta::assert_snapshot!(story.heard(), @r"
    POST /api/chat.postMessage channel=U1
    POST /api/chat.update channel=D1 ts=1.1
    POST /api/chat.postMessage channel=D1 thread_ts=1.1 reply_broadcast=false
    ");
}

#[tokio::test]
async fn what_was_told_is_not_told_again() {
    let story = Story::begin().await;
    for event in [pending(), blocked()] {
        assert_eq!(story.tell(event.clone(), [done("1.1")]).await, "told");
        assert_eq!(story.tell(event, []).await, "told");
    }
    insta::assert_snapshot!(story.heard(), @r"
    POST /api/chat.postMessage channel=C1
    POST /api/chat.postMessage channel=C1
    ");
}

#[tokio::test]
async fn an_older_notice_turns_nothing_back_and_has_its_entry() {
    let story = Story::begin().await;
    assert_eq!(story.tell(active(), [done("1.1")]).await, "told");
    assert_eq!(story.tell(approved(), [done("2.1")]).await, "told");
    insta::assert_snapshot!(story.heard(), @r"
    POST /api/chat.postMessage channel=C1
    POST /api/chat.postMessage channel=C1 thread_ts=1.1 reply_broadcast=false
    ");
}

#[tokio::test]
async fn an_older_notice_reminds_of_nothing_and_is_not_posted_anew() {
    let story = Story::begin().await;
    story.tell(active(), [done("1.1")]).await;
    assert_eq!(story.tell(awaited(1, json!({})), []).await, "told");
    assert_eq!(story.tell(approved(), [error("thread_not_found")]).await, "told");
    insta::assert_snapshot!(story.heard(), @r"
    POST /api/chat.postMessage channel=C1
    POST /api/chat.postMessage channel=C1 thread_ts=1.1 reply_broadcast=false
    ");
}

#[tokio::test]
async fn a_deleted_message_is_posted_anew() {
    let story = Story::begin().await;
    story.tell(pending(), [done("1.1")]).await;
    assert_eq!(story.tell(approved(), [error("message_not_found"), done("5.1")]).await, "told");
    assert_eq!(story.tell(awaited(2, json!({})), [error("thread_not_found"), done("6.1")]).await, "told");
    assert_eq!(story.tell(active(), [done("6.1"), done("6.2")]).await, "told");
    insta::assert_snapshot!(story.heard(), @r"
    POST /api/chat.postMessage channel=C1
    POST /api/chat.update channel=C1 ts=1.1
    POST /api/chat.postMessage channel=C1
    POST /api/chat.postMessage channel=C1 thread_ts=5.1 reply_broadcast=true
    POST /api/chat.postMessage channel=C1
    POST /api/chat.update channel=C1 ts=6.1
    POST /api/chat.postMessage channel=C1 thread_ts=6.1 reply_broadcast=false
    ");
}

#[tokio::test]
async fn where_nobody_may_edit_so_late_the_thread_tells() {
    let story = Story::begin().await;
    story.tell(pending(), [done("1.1")]).await;
    assert_eq!(story.tell(approved(), [error("edit_window_closed"), done("2.1")]).await, "told");
}

#[tokio::test]
async fn an_edit_is_done_again_and_an_entry_is_not() {
    let story = Story::begin().await;
    story.tell(pending(), [done("1.1")]).await;
    // The entry fails: with the next try, the edit changes nothing.
    let failed = story.tell(approved(), [done("1.1"), Reply::After(503, "7")]).await;
    assert_eq!(failed, "later, in 7 s: it was answered with 503 Service Unavailable");
    assert_eq!(story.tell(approved(), [done("1.1"), done("2.1")]).await, "told");
    assert_eq!(story.tell(approved(), []).await, "told");
    insta::assert_snapshot!(story.heard(), @r"
    POST /api/chat.postMessage channel=C1
    POST /api/chat.update channel=C1 ts=1.1
    POST /api/chat.postMessage channel=C1 thread_ts=1.1 reply_broadcast=false
    POST /api/chat.update channel=C1 ts=1.1
    POST /api/chat.postMessage channel=C1 thread_ts=1.1 reply_broadcast=false
    ");
}

#[tokio::test]
async fn what_passes_is_tried_later() {
    let story = Story::begin().await;
    let mut outcomes = Vec::new();
    for reply in [
        Reply::After(429, "30"),
        error("ratelimited"),
        error("internal_error"),
        Reply::Text(500, "oops"),
        Reply::Text(200, "<html>"),
        Reply::HangUp,
    ] {
        outcomes.push(story.tell(pending(), [reply]).await);
    }
    insta::assert_snapshot!(outcomes.join("\n"));
    assert_eq!(story.tell(pending(), [done("1.1")]).await, "told");
}

#[tokio::test]
async fn what_does_not_pass_is_said_as_slack_says_it() {
    let story = Story::begin().await;
    let mut outcomes = Vec::new();
    for reply in [
        error("channel_not_found"),
        error("invalid_auth"),
        Reply::Json(200, json!({"ok": false, "error": "missing_scope", "needed": "chat:write"})),
        Reply::Json(
            200,
            json!({"ok": false, "error": "invalid_blocks", "response_metadata": {"messages": ["[ERROR] no\nmore"]}}),
        ),
        Reply::Json(200, json!({"ok": true})),
        Reply::Text(404, "not found"),
    ] {
        outcomes.push(story.tell(pending(), [reply]).await);
    }
    insta::assert_snapshot!(outcomes.join("\n"));
}

#[tokio::test]
async fn nothing_is_noted_that_the_ledger_did_not_take() {
    let story = Story::begin().await;
    story.ledger.fail(1);
    assert_eq!(story.tell(pending(), [done("1.1")]).await, "later: noting failed: told to fail");
    assert_eq!(story.tell(pending(), [done("1.2")]).await, "told");
    assert_eq!(story.tell(approved(), [done("1.2"), done("2.1")]).await, "told");
}

#[tokio::test(start_paused = true)]
async fn a_call_is_given_up_after_ten_seconds() {
    let story = Story::begin().await;
    let begun = tokio::time::Instant::now();
    assert_eq!(story.tell(pending(), [Reply::Silence]).await, "later: there was no answer in 10s");
    assert!(begun.elapsed() < Duration::from_secs(11));
}

#[tokio::test]
async fn nobody_there_is_tried_later() {
    let story = Story::begin().await;
    let config = "[groups]\napprovers = [\"bob\"]\n[slack]\napi = \"http://127.0.0.1:1/\"";
    let channel = SlackChannel::new(Config::parse(config).unwrap(), story.ledger.clone(), Fixed("x"));
    let to = Destination::SlackChannel("C1".to_owned());
    let told = outcome(channel.tell(&to, &notice(pending()), Timestamp::UNIX_EPOCH).await);
    assert!(told.starts_with("later: the call failed: ") && told.contains("refused"), "{told}");
}

#[tokio::test]
async fn an_answer_is_seen_by_who_asked_alone() {
    let story = Story::begin().await;
    let (url, event) = (story.answer_url(), not_taken("slack", "U1"));
    assert_eq!(story.tell_at(&url, event.clone(), [Reply::Text(200, "ok")]).await, "told");
    assert_eq!(story.tell_at(&url, event, []).await, "told");
    assert_eq!(story.slack.calls.get()[0].header("authorization"), None);
    let heard = story.slack.heard(&["response_type", "replace_original"]);
    assert_eq!(heard, "POST /answers/x response_type=ephemeral replace_original=false");
}

#[tokio::test]
async fn a_response_url_that_is_used_up_is_done_with() {
    let story = Story::begin().await;
    let (url, event) = (story.answer_url(), not_taken("slack", "U1"));
    assert_eq!(story.tell_at(&url, event.clone(), [Reply::Text(404, "expired_url")]).await, "told");
    assert_eq!(story.tell_at(&url, event, []).await, "told");
    let other = changed(2, Some("pending"), "denied", json!({}));
    let busy = story.tell_at(&url, other, [Reply::Text(500, "rollup_error")]).await;
    assert_eq!(busy, "later: it was answered with 500 Internal Server Error: rollup_error");
}

#[tokio::test]
async fn nothing_is_posted_to_a_url_that_is_not_slacks() {
    let story = Story::begin().await;
    let url = Destination::SlackAnswer(format!("{}elsewhere/x", story.slack.url));
    let told = story.tell_at(&url, not_taken("slack", "U1"), []).await;
    assert_eq!(told, "never: the response URL is none of Slack's");
    let told = story.tell_at(&Destination::Mail, pending(), []).await;
    assert_eq!(told, "never: mail is no destination of this channel");
    assert_eq!(story.heard(), "");
}
