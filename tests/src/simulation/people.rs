//! What people do in a run: ask, decide, take back, revoke, extend, use, question, send nonsense. All of it
//! follows from the seed, before the run begins: ids follow from keys, so nobody has to wait for an answer.

use std::time::Duration;

use egress::request::RequestId;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::record::{LeadsTo, Sent};
use super::setting::Setting;
use crate::memory::Chance;

/// What is asked for, of low or medium risk. There are few, so that grants meet.
const ORDINARY: [&str; 8] = [
    "github.com",
    ".github.com",
    "api.github.com",
    "huggingface.co",
    ".huggingface.co",
    "data.example.org",
    "one.example.net",
    "two.example.net",
];
/// What is asked for, of high risk: two people have to say yes.
const RISKY: [&str; 3] = ["alice.github.io", "bucket.s3.amazonaws.com", "bücher.example"];
/// What nobody is granted.
const FORBIDDEN: [&str; 7] =
    ["tunnel.evil.org", ".evil.org", "x.pastebin.com", "10.0.0.1", "com", ".co.uk", "a b"];
/// Who asks.
const ASKERS: [&str; 6] = ["alice", "mallory", "alice", "bob", "erin", "Alice "];
/// Who decides, or tries to: approvers in several spellings, and somebody who is none.
const DECIDERS: [&str; 7] = ["bob", "carol", "dave", "BOB", " carol", "mallory", "alice"];
/// How long grants are asked for, in minutes.
const MINUTES: [u64; 7] = [2, 3, 5, 8, 12, 20, 45];

/// Whether a domain is one of those for which two people have to say yes.
pub(super) fn is_risky(domain: &str) -> bool {
    RISKY.contains(&domain) || domain == "xn--bcher-kva.example"
}

/// Whether a domain is one that nobody is granted.
pub(super) fn is_forbidden(domain: &str) -> bool {
    FORBIDDEN.contains(&domain)
}

/// A name that others may put into a list, too.
pub(super) fn some_name(chance: &mut Chance) -> &'static str {
    chance.pick(&ORDINARY).copied().unwrap_or("github.com")
}

/// Something that happens because somebody wants it.
#[derive(Debug)]
pub(super) enum Deed {
    /// Somebody says something, and intake puts it on the bus.
    Says(Value, Sent),
    /// Somebody's notebook connects to what a request asks for; the firewall's log has it after `lag`.
    Uses {
        /// The request.
        id: RequestId,
        /// How long the log takes.
        lag: Duration,
    },
    /// Somebody changes a rule group by hand: which, and a number from which follows what.
    Edits(usize, u64),
    /// The clock of all machines is set.
    ClockSteps(SignedDuration),
}

/// What happens in a run, in order of time.
#[derive(Debug)]
pub(super) struct Script {
    chance: Chance,
    crowded: bool,
    deeds: Vec<(Duration, Deed)>,
    messages: u32,
}

impl Script {
    /// The script of a run.
    pub(super) fn write(mut chance: Chance, setting: &Setting) -> Vec<(Duration, Deed)> {
        let length = setting.length;
        let requests = 4 + chance.below(6);
        let mut script = Self { chance, crowded: setting.crowded, deeds: Vec::new(), messages: 0 };
        for _ in 0..requests {
            script.request(length);
        }
        for _ in 0..script.chance.below(4) {
            script.question(length);
        }
        if !setting.is_calm() {
            script.trouble(length);
        }
        script.deeds.sort_by_key(|(at, _)| *at);
        script.deeds
    }

    fn trouble(&mut self, length: Duration) {
        for _ in 0..self.chance.below(6) {
            let (at, group) = (self.moment(length), self.chance.below(8));
            let what = self.chance.next_number();
            self.deeds.push((at, Deed::Edits(group, what)));
        }
        if self.chance.percent(20) {
            for _ in 0..=self.chance.below(2) {
                let (at, seconds) = (self.moment(length), self.chance.below(181));
                let seconds = i64::try_from(seconds).unwrap_or(0) - 90;
                self.deeds.push((at, Deed::ClockSteps(SignedDuration::from_secs(seconds))));
            }
        }
    }

    /// Somebody asks, and the rest follows: decisions, uses, an extension, the end.
    fn request(&mut self, length: Duration) {
        let (at, key) = (self.moment(length), self.key("ask"));
        let by = self.one_of(&ASKERS);
        let mut detail = json!({
            "version": 1, "message_key": key, "requester": by, "justification": "I need it for my notebook",
        });
        match self.chance.below(20) {
            0..3 => set(&mut detail, "preset", json!("pypi")),
            3 => set(&mut detail, "preset", json!("nothing")),
            4..6 => {
                set(&mut detail, "requester", json!(if self.chance.percent(80) { "erin" } else { by }));
                set(&mut detail, "break_glass", json!("production is down, and nobody answers"));
                set(&mut detail, "domains", self.domains());
            }
            6 => set(&mut detail, "domains", json!([self.one_of(&FORBIDDEN), self.one_of(&ORDINARY)])),
            _ => set(&mut detail, "domains", self.domains()),
        }
        if self.chance.percent(85) {
            set(&mut detail, "duration_seconds", json!(60 * self.minutes()));
        }
        if self.chance.percent(30) {
            set(&mut detail, "ticket", json!("DATA-17"));
        }
        self.says(at, "DomainRequested", detail, LeadsTo::Request { key: key.clone(), extension: false });
        self.follow(at, &key, by, 2);
    }

    /// What follows a request: what is decided about it, what becomes of its grant.
    fn follow(&mut self, at: Duration, key: &str, by: &'static str, extensions: u32) {
        let id = RequestId::of_message(key);
        for _ in 0..self.chance.below(5) {
            self.decision(at, &id, by);
        }
        if self.chance.percent(12) {
            let by = if self.chance.percent(80) { by } else { "mallory" };
            self.command(at, "RequestWithdrawn", &id, json!({"by": by}));
        }
        for _ in 0..self.chance.below(3) {
            let (after, lag) = (self.seconds(10, 900), self.seconds(0, 90));
            self.deeds.push((at + after, Deed::Uses { id: id.clone(), lag }));
        }
        if self.chance.percent(35) {
            let by = if self.chance.percent(50) { by } else { self.one_of(&DECIDERS) };
            self.command(at, "GrantRevoked", &id, json!({"by": by, "reason": "no longer needed"}));
        }
        if extensions > 0 && self.chance.percent(30) {
            self.extension(at, &id, by, extensions - 1);
        }
    }

    fn decision(&mut self, at: Duration, id: &RequestId, requester: &'static str) {
        let approver = if self.chance.percent(10) { requester } else { self.one_of(&DECIDERS) };
        let decision = if self.chance.percent(90) { "approve" } else { "deny" };
        self.command(at, "RequestDecided", id, json!({"approver": approver, "decision": decision}));
    }

    fn extension(&mut self, at: Duration, id: &RequestId, by: &'static str, left: u32) {
        let (at, key) = (at + self.seconds(60, 500), self.key("extend"));
        let by = if self.chance.percent(90) { by } else { "mallory" };
        let mut detail = json!({
            "version": 1, "message_key": key, "request_id": id, "requester": by, "justification": "not done yet",
        });
        if self.chance.percent(80) {
            set(&mut detail, "duration_seconds", json!(60 * self.minutes()));
        }
        self.says(at, "ExtensionRequested", detail, LeadsTo::Request { key: key.clone(), extension: true });
        self.follow(at, &key, by, left);
    }

    /// A command about a request, some time after it was asked for, rarely before; rarely about none.
    fn command(&mut self, asked: Duration, what: &str, id: &RequestId, mut detail: Value) {
        let early = self.chance.percent(8);
        let at = if early { asked.saturating_sub(self.seconds(0, 5)) } else { asked + self.seconds(5, 420) };
        let key = self.key("command");
        let id = if self.chance.percent(2) { RequestId::of_message("nothing") } else { id.clone() };
        set(&mut detail, "version", json!(1));
        set(&mut detail, "message_key", json!(key));
        set(&mut detail, "request_id", json!(id));
        self.says(at, what, detail, LeadsTo::Command { key });
    }

    fn question(&mut self, length: Duration) {
        let (at, key) = (self.moment(length), self.key("question"));
        let question = match self.chance.below(3) {
            0 => json!({"kind": "why", "host": "api.github.com"}),
            1 => json!({"kind": "list", "which": self.one_of(&["mine", "pending", "live", "unused"])}),
            _ => json!({"kind": "status", "request_id": RequestId::of_message("ask-0")}),
        };
        let by = self.one_of(&["alice", "frank", "bob"]);
        let detail = json!({"version": 1, "message_key": key, "by": by, "question": question});
        self.says(at, "QuestionAsked", detail, LeadsTo::Command { key });
    }

    /// It goes onto the bus, rarely in a form that nobody can take.
    fn says(&mut self, at: Duration, what: &str, mut detail: Value, mut leads_to: LeadsTo) {
        if self.chance.percent(60) {
            set(&mut detail, "reply_to", json!({"via": "slack", "to": "C17"}));
        }
        if self.chance.percent(3) {
            match self.chance.below(3) {
                0 => set(&mut detail, "version", json!(2)),
                1 => set(&mut detail, "surprise", json!(true)),
                _ => set(&mut detail, "message_key", json!("")),
            }
            leads_to = LeadsTo::Refusal;
        }
        let event = json!({"source": "egress.intake", "detail-type": what, "detail": detail});
        let what = format!("{what} {}", in_short(&event));
        let at = if self.crowded { Duration::from_secs(at.as_secs() / 120 * 120) } else { at };
        self.deeds.push((at, Deed::Says(event, Sent { leads_to, what })));
    }

    fn domains(&mut self) -> Value {
        let mut domains = Vec::new();
        for _ in 0..=self.chance.below(3) {
            let domain = if self.chance.percent(15) { self.one_of(&RISKY) } else { self.one_of(&ORDINARY) };
            domains.push(domain);
        }
        json!(domains)
    }

    /// A moment of the run; often one at which other things happen, too.
    fn moment(&mut self, length: Duration) -> Duration {
        let seconds = self.chance.below(usize::try_from(length.as_secs()).unwrap_or(0));
        let seconds = if self.chance.percent(35) { seconds / 60 * 60 } else { seconds };
        Duration::from_secs(seconds as u64)
    }

    fn seconds(&mut self, least: usize, most: usize) -> Duration {
        Duration::from_secs((least + self.chance.below(most - least + 1)) as u64)
    }

    fn minutes(&mut self) -> u64 {
        self.chance.pick(&MINUTES).copied().unwrap_or(5)
    }

    fn one_of(&mut self, several: &[&'static str]) -> &'static str {
        self.chance.pick(several).copied().unwrap_or_default()
    }

    fn key(&mut self, what: &str) -> String {
        let key = format!("{what}-{}", self.messages);
        self.messages += 1;
        key
    }
}

/// Sets a field.
fn set(detail: &mut Value, field: &str, value: Value) {
    if let Some(fields) = detail.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

/// Who says what about which request, for the trace.
fn in_short(event: &Value) -> String {
    let fields = ["message_key", "requester", "approver", "by", "decision", "domains", "request_id"];
    let said = |field: &&str| Some(format!("{field}={}", event.get("detail")?.get(*field)?));
    let said = fields.iter().filter_map(said);
    said.collect::<Vec<_>>().join(" ")
}
