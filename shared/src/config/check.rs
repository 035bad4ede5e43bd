//! What is of the right form in an `egress.toml`, and can't be meant.

use std::collections::BTreeSet;

use super::field::FieldPath;
use super::{APPROVERS, Alerts, Config, HOUR, LONGEST, MINUTE, Place, Route, Subject, same_spelling};
use crate::domain::DomainPattern;

/// For so many days alerts keep what was blocked.
const MOST_DAYS: u32 = 14;
/// The most windows for which an alert is not repeated: so many are looked for when one begins.
const MOST_WINDOWS: u32 = 96;
/// The most domains of a preset: a request for it is one item of the ledger and one event of the bus.
const LARGEST_PRESET: usize = 100;
/// Ways to say something that are no adapters.
const TAKEN: [&str; 5] = ["slack", "teams", "webhook", "mail", "answer"];

/// Fields, and why they can't be meant.
#[derive(Debug, Default)]
struct Found(Vec<(FieldPath, String)>);

impl Found {
    fn add<'a>(&mut self, keys: impl IntoIterator<Item = &'a str>, reason: impl Into<String>) {
        self.0.push((FieldPath::of(keys), reason.into()));
    }

    fn add_item<'a>(
        &mut self,
        keys: impl IntoIterator<Item = &'a str>,
        index: usize,
        reason: impl Into<String>,
    ) {
        self.0.push((FieldPath::of(keys).item(index), reason.into()));
    }
}

impl Config {
    /// Everything that can't be meant, by its field.
    pub(super) fn check(&self) -> Vec<(FieldPath, String)> {
        let mut found = Found::default();
        self.check_numbers(&mut found);
        self.check_groups(&mut found);
        self.check_identities(&mut found);
        self.check_routes(&mut found);
        self.check_adapters(&mut found);
        self.check_presets(&mut found);
        found.0
    }

    fn check_numbers(&self, found: &mut Found) {
        let durations = &self.durations;
        let all = [
            ("default", durations.default),
            ("pending", durations.pending),
            ("reminder", durations.reminder),
        ];
        for (name, duration) in all {
            if duration < MINUTE || duration > LONGEST {
                found.add(["durations", name], "it is under a minute, or over ten years");
            }
        }
        let Alerts { window, repeat, .. } = self.alerts;
        if window < MINUTE || window > HOUR {
            found.add(["alerts", "window"], "it is under a minute, or over an hour");
        } else if repeat < window || repeat > MOST_WINDOWS * window {
            found.add(["alerts", "repeat"], format!("it is under one window, or over {MOST_WINDOWS}"));
        }
        let days = self.risk.days;
        if days == 0 || days > MOST_DAYS {
            found.add(["risk", "days"], format!("{days} is not from 1 to {MOST_DAYS}"));
        }
    }

    fn check_groups(&self, found: &mut Found) {
        if self.groups.get(APPROVERS).is_none_or(Vec::is_empty) {
            found.add(["groups", APPROVERS], "it is missing or empty: somebody has to decide");
        }
        for (name, people) in &self.groups {
            for (index, _) in people.iter().enumerate().filter(|(_, person)| person.trim().is_empty()) {
                found.add_item(["groups", name], index, "somebody in it has no name");
            }
        }
    }

    /// One id elsewhere is one person here, and one person here is one: who were two could approve an own request.
    fn check_identities(&self, found: &mut Found) {
        let (mut ids, mut people) = (BTreeSet::new(), BTreeSet::new());
        for (person, channels) in &self.identities {
            if person.trim().is_empty() {
                found.add(["identities", person], "somebody has no name");
            } else if !people.insert(same_spelling(person)) {
                found.add(["identities", person], "the same person is there twice, in other letters");
            }
            for (channel, id) in channels {
                let field = ["identities", person.as_str(), channel.as_str()];
                if !["slack", "teams"].contains(&channel.as_str()) && !self.adapters.contains_key(channel) {
                    found.add(field, "there are slack, teams, and the names of adapters");
                }
                if id.trim().is_empty() {
                    found.add(field, "it is empty");
                } else if !ids.insert((channel, id)) {
                    found.add(field, "it is somebody else's, too");
                }
            }
        }
    }

    fn check_routes(&self, found: &mut Found) {
        for (name, Route { to, tells }) in &self.routes {
            if !is_known(to) {
                found.add(["routes", name, "to"], "it is no channel's id");
            }
            if tells.is_empty() {
                found.add(["routes", name, "tells"], "it is empty");
            }
            // The buttons under a reminder go away by what is told of its request afterwards.
            let chat = matches!(to, Place::Slack(_) | Place::Teams(_));
            if chat && tells.contains(&Subject::Reminders) && !self.hears(to, Subject::Requests) {
                let reason = "a chat that is reminded of requests has to be told \"requests\", too";
                found.add(["routes", name, "tells"], reason);
            }
        }
    }

    fn hears(&self, place: &Place, subject: Subject) -> bool {
        self.routes.values().any(|Route { to, tells }| to == place && tells.contains(&subject))
    }

    /// Names only: what stands in a table is read where it is used ([`crate::adapter`]).
    fn check_adapters(&self, found: &mut Found) {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        for name in self.adapters.keys() {
            let good = (1..=40).contains(&name.len()) && name.bytes().all(plain);
            if !good || TAKEN.contains(&name.as_str()) {
                let taken = TAKEN.join(", ");
                let reason = format!("a name is of a-z, 0-9 and -, at most 40, and none of {taken}");
                found.add(["adapters", name], reason);
            }
        }
    }

    fn check_presets(&self, found: &mut Found) {
        for (name, preset) in &self.presets {
            let field = ["presets", name.as_str(), "domains"];
            if preset.domains.is_empty() {
                found.add(field, "it is empty");
            }
            if preset.domains.len() > LARGEST_PRESET {
                found.add(field, format!("there are more than {LARGEST_PRESET}"));
                continue;
            }
            for (index, pattern) in preset.domains.iter().enumerate() {
                if let Err(reason) = DomainPattern::requested(&pattern.to_string(), &self.denied_domains) {
                    found.add_item(field, index, reason.to_string());
                }
            }
        }
    }
}

/// Whether a place is of the form that its system's ids have.
fn is_known(place: &Place) -> bool {
    let plain = |id: &str, others: &[u8]| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
        (2..=256).contains(&id.len()) && id.bytes().all(plain)
    };
    match place {
        Place::Slack(id) => plain(id, b""),
        Place::Teams(id) => plain(id, b":@._-;="),
        Place::Mail | Place::AmazonQ => true,
    }
}
