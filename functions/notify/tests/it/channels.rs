//! What people see on each channel: in Slack (a channel, the requester, the thread), in Teams, through Amazon Q, on a
//! ticket. A block or an element is a line.

use egress::adapter::request_of;
use egress::adapter::writing::Facts;
use egress::config::Config;
use notify::notice::Notice;
use notify::render::{Reader, amazon_q, slack, teams, ticket};
use serde_json::{Value, json};

use crate::answers;
use crate::events::{
    allow_list_changed, answered, approved, blocked, broken, changed, digest, drift_found, granted,
    not_taken, raised, refused, request, risky, unknown, with,
};
use crate::grants::{awaited, first_used, glass_broken, waits};

/// Who is who in Slack.
pub(crate) fn config() -> Config {
    let identities = "[groups]\napprovers = [\"bob@example.com\"]\n[identities]\n\"bob@example.com\" = { slack = \"U0B0B\" }\n";
    Config::parse(identities).unwrap()
}

fn seen(event: Value) -> String {
    let (notice, config) = (Notice::read(event).unwrap(), config());
    let shown = |shown: slack::Shown| format!("{}\n{}", shown.text, lines(&shown.blocks));
    let card = |activity: Value| lines(activity["attachments"][0]["content"]["body"].as_array().unwrap());
    let in_channel = shown(slack::message(&notice, Reader::Channel, &config));
    let to_requester = shown(slack::message(&notice, Reader::Requester, &config));
    let mut parts = vec![
        ("Slack", in_channel.clone()),
        ("Slack, who asked, instead", without(&to_requester, &in_channel)),
        ("Slack, who asked, without", without(&in_channel, &to_requester)),
        ("Teams", card(teams::message(&notice))),
        ("Amazon Q", pretty(&amazon_q::notification(&notice))),
        ("Ticket", on_ticket(&ticket::facts(&notice, "OPS-1"))),
    ];
    if notice.request().is_some() {
        parts.insert(3, ("Slack, in the thread", shown(slack::entry(&notice, &config))));
        parts.insert(5, ("Teams, in the thread", card(teams::entry(&notice))));
    }
    let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
    parts.map(|(name, text)| format!("## {name}\n{text}")).collect::<Vec<_>>().join("\n\n")
}

/// The lines that others don't have.
fn without(text: &str, others: &str) -> String {
    text.lines().filter(|line| !others.lines().any(|other| other == *line)).collect::<Vec<_>>().join("\n")
}

fn on_ticket(facts: &Facts) -> String {
    let Facts { ticket, request_id, state, headline, text, by, comment, ends_at, event_id } = facts;
    format!(
        "{ticket} {request_id} {state} {event_id}\nheadline: {headline}\nby: {by}\ncomment: {comment}\nends_at: {ends_at}\n\n{text}"
    )
}

fn lines(blocks: &[Value]) -> String {
    blocks.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

macro_rules! shows {
    ($($name:ident: $event:expr,)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(seen($event));
        }
    )*};
}

shows! {
    asked: changed("pending", json!({"by": "alice@example.com"}), json!({})),
    asked_with_a_high_risk_and_one_yes: changed(
        "pending",
        json!({"from": "pending", "comment": "Fine with me"}),
        with(risky(), json!({"approvals": [{"by": "bob@example.com", "at": "2026-05-14T09:15:30Z"}]})),
    ),
    asked_for_more_time: changed(
        "pending",
        json!({"by": "alice@example.com"}),
        json!({"extends": "req-00000000000e", "extensions": 2}),
    ),
    asked_on_its_ticket: changed(
        "pending",
        json!({"by": "alice@example.com"}),
        json!({"id": request_of("jira", "OPS-1"), "reply_to": {"via": "jira", "to": "OPS-1"}}),
    ),
    approved_with_a_comment: changed("approved", json!({"from": "pending", "comment": "For the\nworkshop"}), approved()),
    active: changed(
        "active",
        json!({"from": "approved", "by": "firewall"}),
        with(approved(), json!({"approvals": [
            {"by": "bob@example.com", "at": "2026-05-14T09:15:30Z", "comment": "For the\nworkshop"}
        ]})),
    ),
    expired: changed("ended", json!({"from": "active", "by": "clock", "ending": "expired"}), approved()),
    revoked: changed("ended", json!({"from": "active", "ending": "revoked", "comment": "Workshop is over"}), approved()),
    denied: changed("denied", json!({"from": "pending", "comment": "Use the mirror\n\nPlease"}), json!({})),
    superseded: changed(
        "ended",
        json!({"from": "active", "by": "firewall", "ending": "superseded"}),
        with(approved(), json!({"ending": "superseded", "superseded_by": "req-00000000000f"})),
    ),
    lapsed: changed("lapsed", json!({"from": "pending", "by": "clock"}), json!({})),
    withdrawn: changed("withdrawn", json!({"from": "pending", "by": "alice@example.com"}), json!({})),
    refused_to_break_the_glass: changed(
        "refused",
        json!({"by": "policy", "comment": "no policy lets you break the glass"}),
        json!({"break_glass": "in a hurry"}),
    ),
    refused_domains: changed("refused", json!({"by": "policy", "comment": "One of the domains can't be granted"}), json!({
        "domains": ["github.com"], "refused_domains": [{"text": "*.com", "reason": "com is a public suffix"}]
    })),
    reminder: awaited(request(json!({}))),
    glass_is_broken: glass_broken(&request(broken())),
    no_room: waits(request(approved()), false),
    first_use: first_used(&request(with(approved(), json!({"state": "active"})))),
    blocked_in_a_preset: blocked(json!({})),
    blocked_in_no_preset: blocked(json!({
        "destination": "github.com", "domain": "github.com", "count": 1, "suggestion": {"pattern": "github.com"}
    })),
    blocked_without_a_name: blocked(json!({
        "destination": "198.51.100.3:443", "domain": "198.51.100.3", "suggestion": null, "owner": unknown()
    })),
    blocked_and_to_look_at: blocked(raised()),
    blocked_and_granted: blocked(granted()),
    blocked_in_all: digest(json!({})),
    silenced: answers::silenced(json!({})),
    drift: drift_found(),
    allow_list: allow_list_changed(),
    event_refused: refused(json!({})),
    command_not_taken: not_taken(),
    why: answers::why(),
    list: answers::list(),
    status: answers::status(&request(with(approved(), json!({"state": "active"})))),
    not_allowed: answers::not_allowed(),
    done: answered(&json!({"kind": "done", "request": request(risky())})),
}
