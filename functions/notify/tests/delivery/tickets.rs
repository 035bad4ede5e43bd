//! A ticket system, as a stand-in has it.

use egress::config::Config;
use jiff::Timestamp;
use notify::batch::Teller;
use notify::channels::tickets::TicketsChannel;
use notify::routing::Destination;
use serde_json::{Value, json};

use crate::events::{awaited, changed, notice, with};
use crate::memory::{Fixed, MemoryLedger};
use crate::stand_in::{Reply, StandIn, outcome};

const SECRET: &str = r#"{"desk": "Bearer hidden"}"#;

struct Story {
    desk: StandIn,
    ledger: MemoryLedger,
    channel: TicketsChannel<MemoryLedger, Fixed>,
}

impl Story {
    async fn begin(secret: &'static str) -> Self {
        let (desk, ledger) = (StandIn::start().await, MemoryLedger::default());
        let call = |path: &str, body: &str| {
            format!("url = \"{}tickets/{{{{ ticket }}}}{path}\"\nbody = '{body}'\n", desk.url)
        };
        let config = [
            "[groups]\napprovers = [\"bob\"]\n[adapters.desk]\nticket = \"$.id\"\n[adapters.desk.answer]\n"
                .to_owned(),
            call("/messages", "{\"text\": {{ text }}}"),
            "headers = { accept = \"application/json\" }\n".to_owned(),
            "[adapters.desk.transitions.active]\nmethod = \"PATCH\"\n".to_owned(),
            call("", "{\"state\": \"open\"}"),
            "[adapters.desk.transitions.ended]\nmethod = \"PATCH\"\n".to_owned(),
            call("", "{\"state\": \"closed\"}"),
        ];
        let config = Config::parse(&config.concat()).unwrap();
        let channel = TicketsChannel::new(&config, ledger.clone(), Fixed(secret)).unwrap();
        Self { desk, ledger, channel }
    }

    async fn tell(&self, event: Value, replies: impl IntoIterator<Item = Reply>) -> String {
        self.desk.will(replies);
        let to = Destination::Ticket { adapter: "desk".to_owned(), ticket: "A/1".to_owned() };
        outcome(self.channel.tell(&to, &notice(event), Timestamp::UNIX_EPOCH).await)
    }

    fn heard(&self) -> String {
        self.desk.heard(&["state"])
    }
}

fn ok() -> Reply {
    Reply::Text(204, "")
}

/// The ticket's own request has come into a state.
fn on_ticket(from: Option<&str>, to: &str, more: Value) -> Value {
    let own = egress::adapter::request_of("desk", "A/1");
    changed(3, from, to, with(json!({"id": own, "reply_to": {"via": "desk", "to": "A/1"}}), more))
}

#[tokio::test]
async fn a_notice_is_written_on_its_ticket_which_follows_its_request() {
    let story = Story::begin(SECRET).await;
    assert_eq!(story.tell(on_ticket(Some("approved"), "active", json!({})), [ok(), ok()]).await, "told");
    assert_eq!(story.tell(awaited(4, json!({})), [ok()]).await, "told");
    assert_eq!(story.tell(on_ticket(Some("approved"), "active", json!({})), []).await, "told");
    let call = story.desk.calls.get()[0].clone();
    assert_eq!(call.header("authorization"), Some("Bearer hidden"));
    assert_eq!(call.header("content-type"), Some("application/json"));
    assert_eq!(
        (call.header("accept"), call.header("user-agent")),
        (Some("application/json"), Some("studio-egress"))
    );
    insta::assert_snapshot!(story.heard(), @r"
    POST /tickets/A%2F1/messages
    PATCH /tickets/A%2F1 state=open
    POST /tickets/A%2F1/messages
    ");
}

#[tokio::test]
async fn only_what_was_not_done_is_done_again() {
    let story = Story::begin(SECRET).await;
    let active = || on_ticket(Some("approved"), "active", json!({}));
    let busy = Reply::After(503, "5");
    assert!(story.tell(active(), [busy.clone()]).await.starts_with("later, in 5 s"));
    assert!(story.tell(active(), [ok(), busy]).await.starts_with("later, in 5 s"));
    assert!(story.tell(active(), [Reply::HangUp]).await.starts_with("later"));
    assert_eq!(story.tell(active(), [ok()]).await, "told");
    insta::assert_snapshot!(story.heard(), @r"
    POST /tickets/A%2F1/messages
    POST /tickets/A%2F1/messages
    PATCH /tickets/A%2F1 state=open
    PATCH /tickets/A%2F1 state=open
    PATCH /tickets/A%2F1 state=open
    ");
}

#[tokio::test]
async fn what_the_ledger_did_not_take_is_done_again() {
    let story = Story::begin(SECRET).await;
    story.ledger.fail(1);
    let active = || on_ticket(Some("approved"), "active", json!({}));
    assert_eq!(story.tell(active(), [ok()]).await, "later: noting failed: told to fail");
    assert_eq!(story.tell(active(), [ok(), ok()]).await, "told");
}

#[tokio::test]
async fn a_ticket_follows_nothing_but_its_own_request_to_its_end() {
    let cases = [
        ("its own", on_ticket(Some("active"), "ended", json!({"ending": "expired"})), true),
        ("nothing new", on_ticket(Some("active"), "active", json!({})), false),
        ("extended", on_ticket(Some("active"), "ended", json!({"ending": "superseded"})), false),
        (
            "an extension",
            on_ticket(Some("approved"), "active", json!({"extends": "req-0123456789ab"})),
            false,
        ),
        (
            "the end of an extension",
            on_ticket(Some("active"), "ended", json!({"ending": "revoked", "extends": "req-0123456789ab"})),
            true,
        ),
        (
            "asked besides in a comment",
            on_ticket(Some("approved"), "active", json!({"id": "req-0123456789ab"})),
            false,
        ),
        ("only named", changed(3, Some("approved"), "active", json!({"ticket": "A/1"})), false),
        (
            "another's",
            on_ticket(Some("approved"), "active", json!({"reply_to": {"via": "desk", "to": "A/2"}})),
            false,
        ),
    ];
    for (name, event, follows) in cases {
        let story = Story::begin(SECRET).await;
        assert_eq!(story.tell(event, vec![ok(); 1 + usize::from(follows)]).await, "told", "{name}");
        assert_eq!(story.heard().contains("PATCH"), follows, "{name}");
    }
}

#[tokio::test]
async fn what_does_not_pass_is_said() {
    let story = Story::begin(SECRET).await;
    let pending = || changed(1, None, "pending", json!({}));
    let told = story.tell(pending(), [Reply::Text(404, "no such ticket")]).await;
    assert_eq!(told, "never: it was answered with 404 Not Found: no such ticket");
    let story = Story::begin(r#"{"other": "x"}"#).await;
    let told = story.tell(pending(), []).await;
    assert_eq!(told, "never: the secret has no authorization header for desk");
    let told = Story::begin("hidden").await.tell(pending(), []).await;
    assert_eq!(told, "never: the secret is not JSON of texts by the names of adapters");
    let unknown = Destination::Ticket { adapter: "jira".to_owned(), ticket: "A-1".to_owned() };
    let told = outcome(story.channel.tell(&unknown, &notice(pending()), Timestamp::UNIX_EPOCH).await);
    assert_eq!(told, "never: ticket:jira:A-1 is no destination of this channel");
}

#[test]
fn a_template_that_cannot_be_used_is_an_error_at_the_start() {
    let config = "[groups]\napprovers = [\"bob\"]\n[adapters.desk]\nticket = \"$.id\"\n[adapters.desk.answer]\nurl = \"https://desk.example.com/{{ tikket }}\"\nbody = '{}'\n";
    let config = Config::parse(config).unwrap();
    let error = TicketsChannel::new(&config, MemoryLedger::default(), Fixed("{}")).unwrap_err();
    assert!(error.to_string().starts_with("adapters.desk.answer: "), "{error}");
}
