//! A stage for stories: the function, a firewall, a ledger and a bus, and words for what is sent and seen.

use std::collections::BTreeSet;
use std::time::Duration;

use egress::config::Config;
use egress::domain::DomainPattern;
use egress::events::RequestStateChanged;
use egress::firewall::Content;
use egress::lifecycle::Rulebook;
use egress::policy::Policy;
use egress::request::{Request, RequestId, StateName};
use jiff::Timestamp;
use requests::{Figures, Outcome, Requests, RequestsError};
use serde_json::{Value, json};
use tests::memory::{Faults, MemoryBus, MemoryFirewall, MemoryLedger, clock};

pub(crate) const MINUTE: Duration = Duration::from_mins(1);
pub(crate) const HOUR: Duration = Duration::from_hours(1);

const POLICY: &str = include_str!("../../../infra/config/policy.cedar");
const CONFIG: &str = r#"
denied_domains = [".evil.org"]
[groups]
approvers = ["bob", "carol"]
on_call = ["erin"]
auditors = ["frank"]
[risk]
anybody_can_upload = [".pastebin.com"]
[presets.pypi]
description = "Python packages"
domains = ["pypi.org", "files.pythonhosted.org"]
"#;

/// The edges, which outlive invocations.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) firewall: MemoryFirewall,
    pub(crate) ledger: MemoryLedger,
    pub(crate) bus: MemoryBus,
    pub(crate) rulebook: Rulebook,
}

impl Stage {
    /// A rule group that is all ours.
    pub(crate) fn new() -> Self {
        Self::of_groups(1)
    }

    /// A domain list in which others have these entries.
    pub(crate) fn shared_list(entries: &[&str]) -> Self {
        Self::on(vec![Content::DomainList(strings(entries))])
    }

    /// Two domain lists that others use, too.
    pub(crate) fn shared_lists() -> Self {
        Self::on(
            [".kaggle.com", "www.example.edu"].map(|entry| Content::DomainList(strings(&[entry]))).to_vec(),
        )
    }

    /// So many rule groups that are all ours.
    pub(crate) fn of_groups(groups: usize) -> Self {
        Self::on(vec![Content::Rules(egress::rules::no_grants()); groups])
    }

    fn on(contents: Vec<Content>) -> Self {
        clock::set("2026-11-21T12:00:00.123456789Z".parse().unwrap());
        Self {
            firewall: MemoryFirewall::with_groups(contents),
            ledger: MemoryLedger::new(),
            bus: MemoryBus::new(),
            rulebook: Rulebook {
                config: Config::parse(CONFIG).unwrap(),
                policy: Policy::parse(POLICY).unwrap(),
            },
        }
    }

    /// With one more policy than what is shipped.
    pub(crate) fn policy(mut self, more: &str) -> Self {
        self.rulebook.policy = Policy::parse(&format!("{POLICY}\n{more}")).unwrap();
        self
    }

    /// One invocation that meets these faults: what came of it, or nothing when it crashed.
    pub(crate) async fn invoke(
        &self,
        event: Value,
        faults: &Faults,
    ) -> Option<Result<Outcome, RequestsError>> {
        faults.until_crash(self.counted(event, faults)).await.map(|(done, _)| done)
    }

    /// The same, with its figures, of one that doesn't crash.
    pub(crate) async fn counted(
        &self,
        event: Value,
        faults: &Faults,
    ) -> (Result<Outcome, RequestsError>, Figures) {
        let requests = Requests {
            firewall: self.firewall.with(faults),
            ledger: self.ledger.with(faults),
            bus: self.bus.with(faults),
            rulebook: self.rulebook.clone(),
            now: clock::now,
            jitter: || 0.5,
        };
        requests.handle_and_count(event).await
    }

    /// An event that is worked off.
    pub(crate) async fn happens(&self, event: Value) -> Outcome {
        self.invoke(event, &Faults::none()).await.unwrap().unwrap()
    }

    /// An event that isn't worked off, and why.
    pub(crate) async fn fails(&self, event: Value, faults: &Faults) -> String {
        self.invoke(event, faults).await.expect("it doesn't crash").unwrap_err().to_string()
    }

    /// An event in whose course the function dies.
    pub(crate) async fn dies(&self, event: Value, faults: &Faults) {
        assert!(self.invoke(event, faults).await.is_none(), "the invocation came to its end: {faults:?}");
    }

    /// The clock's minute, now.
    pub(crate) async fn tick(&self) -> Outcome {
        self.happens(tick()).await
    }

    /// Time goes by, without ticks, and then there is one.
    pub(crate) async fn tick_after(&self, time: Duration) -> Outcome {
        clock::pass(time).await;
        self.tick().await
    }

    pub(crate) fn request(&self, name: &str) -> Request {
        self.ledger.request(&id(name)).expect("there is such a request")
    }

    pub(crate) fn state(&self, name: &str) -> StateName {
        self.request(name).state
    }

    /// What the firewall lets pass.
    pub(crate) fn lets_pass(&self) -> Vec<String> {
        self.firewall.patterns().into_iter().collect()
    }

    /// Our entries in the shared domain list.
    pub(crate) fn own_targets(&self) -> BTreeSet<String> {
        self.ledger.targets(&self.firewall.arns()[0])
    }

    /// What was told on the bus, one line an event, in order.
    pub(crate) fn told(&self) -> Vec<String> {
        self.bus.published().iter().map(|event| line(&event.detail_type, &event.detail)).collect()
    }

    /// Nothing is left to be done or said: firewall, ledger and bus agree.
    pub(crate) fn is_settled(&self) {
        let live: BTreeSet<DomainPattern> =
            self.ledger.live().into_iter().flat_map(|grant| grant.domains).collect();
        let contents = self.firewall.contents();
        let open: BTreeSet<DomainPattern> = contents.iter().flat_map(egress::rules::standing).collect();
        match self.firewall.content() {
            Content::Rules(_) => assert_eq!(open, live, "the firewall is not what the ledger says"),
            Content::DomainList(_) => {
                // Of two that differ by their dot only the wider one stands.
                assert!(
                    live.iter().all(|pattern| open.iter().any(|open| open.covers(pattern))),
                    "a grant is not open"
                );
                let mut live: BTreeSet<String> = live.iter().map(ToString::to_string).collect();
                // What keeps a list from being empty.
                live.insert("nothing-is-granted.invalid".to_owned());
                assert!(self.own_targets().is_subset(&live), "an entry of ours is nobody's grant");
                assert!(
                    self.own_targets().is_subset(&self.firewall.patterns()),
                    "an entry of ours is missing"
                );
            }
        }
        assert!(self.ledger.live().iter().all(|grant| grant.active), "a grant is not known to be active");
        assert_eq!(self.ledger.unpublished(), [], "something was not told");
        for request in self.ledger.requests() {
            let history = self.ledger.history_of(&request.id);
            let versions: Vec<u64> = history.iter().map(|entry| entry.version).collect();
            assert_eq!(
                versions,
                (1..=request.version).collect::<Vec<_>>(),
                "the history of {} has gaps",
                request.id
            );
            assert_eq!(history.last().map(|entry| entry.to), Some(request.state));
            let told = self
                .bus
                .published()
                .iter()
                .filter(|event| event.detail["request"]["id"] == request.id.as_str())
                .count();
            assert!(told >= history.len(), "a transition of {} was not told", request.id);
        }
    }
}

fn line(detail_type: &str, detail: &Value) -> String {
    let words = |field: &str| {
        let list = detail[field].as_array().into_iter().flatten().filter_map(Value::as_str);
        list.collect::<Vec<_>>().join(" ")
    };
    match detail_type {
        "RequestStateChanged" => {
            let changed: RequestStateChanged = serde_json::from_value(detail.clone()).unwrap();
            let ending =
                changed.ending.map(|ending| format!(" ({ending:?})").to_lowercase()).unwrap_or_default();
            let from = changed.from.map(|from| format!("{from} → ")).unwrap_or_default();
            format!("{from}{}{ending} by {}", changed.to, changed.by)
        }
        "AllowListChanged" => format!("allow list +[{}] -[{}]", words("added"), words("removed")),
        _ => format!("{detail_type}: {}", detail["found"].as_str().unwrap_or_default()),
    }
}

/// Somebody asks a question; `name` makes the message the same as another delivery of it.
pub(crate) fn question(name: &str, by: &str, question: &Value) -> Value {
    intake(
        "QuestionAsked",
        &json!({
            "version": 1, "message_key": key(name), "by": by, "question": question,
            "reply_to": {"via": "slack", "to": "C0123"},
        }),
    )
}

/// Alice asks for more time, `seconds` from the approval on, for the grant of the request that the message
/// `original` asked for.
pub(crate) fn extend(name: &str, original: &str, by: &str, seconds: u64) -> Value {
    intake(
        "ExtensionRequested",
        &json!({
            "version": 1, "message_key": key(name), "request_id": id(original), "requester": by,
            "justification": "not done yet", "duration_seconds": seconds,
        }),
    )
}

/// Alerts has seen the first use of the grant of the request that the message `name` asked for.
pub(crate) fn first_use(name: &str) -> Value {
    json!({
        "source": "egress.alerts", "detail-type": "GrantUsed",
        "detail": {
            "version": 1, "event_id": format!("first-use:{}", id(name)), "request_id": id(name),
            "at": clock::now(), "host": "github.com", "source": "10.2.3.4",
        },
    })
}

/// The id of the request that the message of this name asked for.
pub(crate) fn id(name: &str) -> RequestId {
    RequestId::of_message(&key(name))
}

fn key(name: &str) -> String {
    format!("webhook:{name}")
}

pub(crate) fn strings(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(ToString::to_string).collect()
}

pub(crate) fn tick() -> Value {
    json!({"source": "aws.events", "detail-type": "Scheduled Event"})
}

pub(crate) fn intake(detail_type: &str, detail: &Value) -> Value {
    json!({
        "source": "egress.intake", "detail-type": detail_type, "detail": detail, "time": clock::now(),
    })
}

/// Alice asks, for an hour. `name` makes the message the same as another delivery of it.
pub(crate) fn ask(name: &str, domains: &[&str]) -> Value {
    ask_for(name, domains, HOUR)
}

pub(crate) fn ask_for(name: &str, domains: &[&str], duration: Duration) -> Value {
    intake(
        "DomainRequested",
        &json!({
            "version": 1, "message_key": key(name), "requester": "alice", "domains": domains,
            "justification": "I need it", "duration_seconds": duration.as_secs(),
        }),
    )
}

pub(crate) fn ask_preset(name: &str, preset: &str) -> Value {
    intake(
        "DomainRequested",
        &json!({
            "version": 1, "message_key": key(name), "requester": "alice", "preset": preset, "justification": "pip",
        }),
    )
}

/// Somebody decides about the request that the message `name` asked for.
pub(crate) fn decide(name: &str, decision: &str, approver: &str) -> Value {
    intake(
        "RequestDecided",
        &json!({
            "version": 1, "message_key": key(&format!("{name}:{decision}:{approver}")), "request_id": id(name),
            "decision": decision, "approver": approver,
        }),
    )
}

pub(crate) fn approve(name: &str) -> Value {
    decide(name, "approve", "bob")
}

pub(crate) fn revoke(name: &str, by: &str) -> Value {
    intake(
        "GrantRevoked",
        &json!({
            "version": 1, "message_key": key(&format!("{name}:revoke:{by}")), "request_id": id(name),
            "by": by, "reason": "no longer needed",
        }),
    )
}

/// Sets the clock, as if the function ran on another machine.
pub(crate) fn step_clock(by: jiff::SignedDuration) {
    let now: Timestamp = clock::now();
    clock::set(now + by);
}
