//! Rule groups as AWS has them, and words for what is planned for them.

use std::collections::{BTreeMap, BTreeSet};

use egress::domain::DomainPattern;
use egress::firewall::{Content, RuleGroup, Settings, UpdateToken};
use egress::ledger::OwnTargets;
use egress::request::{LiveGrant, RequestId};
use egress::rules::{self, GroupPlan, Plan, Refusal, no_grants};
use jiff::Timestamp;

/// A grant that isn't active yet.
pub(crate) fn grant(message: &str, domains: &[&str]) -> LiveGrant {
    let patterns: Vec<_> = domains.iter().map(|text| DomainPattern::parse(text).unwrap()).collect();
    grant_of(message, &patterns)
}

pub(crate) fn grant_of(message: &str, domains: &[DomainPattern]) -> LiveGrant {
    LiveGrant {
        request_id: RequestId::of_message(message),
        requester: "alice".to_owned(),
        domains: domains.to_vec(),
        approved_at: Timestamp::UNIX_EPOCH,
        ends_at: Timestamp::MAX,
        active: false,
        used: false,
        waits: false,
        extends: None,
    }
}

/// The same grant, active.
pub(crate) fn active(grant: LiveGrant) -> LiveGrant {
    LiveGrant { active: true, ..grant }
}

/// The same grants, each approved a second after the one before it.
pub(crate) fn in_turn(grants: impl IntoIterator<Item = LiveGrant>) -> Vec<LiveGrant> {
    let second = |(second, grant): (i64, LiveGrant)| LiveGrant {
        approved_at: Timestamp::from_second(second).unwrap(),
        ..grant
    };
    (1..).zip(grants).map(second).collect()
}

/// Rule groups, and what the ledger knows of them.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) groups: Vec<RuleGroup>,
    pub(crate) own: BTreeMap<String, OwnTargets>,
    pub(crate) refused: BTreeMap<String, Refusal>,
}

impl Stage {
    /// Groups that are all ours, of these capacities, without a grant.
    pub(crate) fn rules(capacities: &[u64]) -> Self {
        let group = |(number, &capacity)| group(number, Content::Rules(no_grants()), capacity);
        let groups = capacities.iter().enumerate().map(group).collect();
        Self { groups, own: BTreeMap::new(), refused: BTreeMap::new() }
    }

    /// One group that is all ours, with this text.
    pub(crate) fn text(text: &str) -> Self {
        let mut stage = Self::rules(&[30_000]);
        stage.set(0, Content::Rules(text.to_owned()));
        stage
    }

    /// One domain list with these entries, of which these are ours.
    pub(crate) fn list(targets: &[&str], own: &[&str]) -> Self {
        let mut stage = Self::rules(&[30_000]);
        stage.make_list(0, strings(targets), strings(own));
        stage
    }

    /// Makes one of the groups a domain list.
    pub(crate) fn make_list(&mut self, place: usize, targets: BTreeSet<String>, own: BTreeSet<String>) {
        self.groups[place].settings.target_types = vec!["TLS_SNI".to_owned(), "HTTP_HOST".to_owned()];
        self.own.insert(self.groups[place].arn.clone(), OwnTargets { targets: own, claims: 0 });
        self.set(place, Content::DomainList(targets));
    }

    /// What a write does, by us or by hand.
    pub(crate) fn set(&mut self, place: usize, content: Content) {
        let group = &mut self.groups[place];
        group.consumed = consumed(&content, &group.settings);
        group.content = content;
    }

    /// A group takes nothing new.
    pub(crate) fn close(mut self, place: usize, reason: &str) -> Self {
        self.refused.insert(self.groups[place].arn.clone(), Refusal::Everything(reason.to_owned()));
        self
    }

    pub(crate) fn plan(&self, live: &[LiveGrant]) -> Plan {
        rules::plan(&self.groups, live, &self.own, &self.refused)
    }

    /// Plans, and writes what is planned.
    pub(crate) fn bring_to(&mut self, live: &[LiveGrant]) -> Plan {
        let plan = self.plan(live);
        for (place, GroupPlan { content, own_targets, .. }) in plan.groups.iter().enumerate() {
            if let Some(own) = self.own.get_mut(&self.groups[place].arn) {
                own.targets.clone_from(own_targets);
            }
            self.set(place, content.clone());
        }
        plan
    }

    pub(crate) fn text_of(&self, place: usize) -> &str {
        text(&self.groups[place].content)
    }

    /// What stands in each group, in one line each.
    pub(crate) fn shown(&self) -> String {
        let line = |group: &RuleGroup| {
            let names: Vec<_> = rules::standing(&group.content).iter().map(ToString::to_string).collect();
            format!("{}: {}", group.arn, names.join(" "))
        };
        self.groups.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

pub(crate) fn strings(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(ToString::to_string).collect()
}

pub(crate) fn text(content: &Content) -> &str {
    match content {
        Content::Rules(text) => text,
        Content::DomainList(targets) => panic!("a domain list: {targets:?}"),
    }
}

/// The reasons of the grants that have no place.
pub(crate) fn unplaced(plan: &Plan) -> Vec<&str> {
    plan.unplaced.values().map(String::as_str).collect()
}

/// What a group without a grant becomes with these.
pub(crate) fn written(before: &str, grants: &[LiveGrant]) -> String {
    let mut stage = Stage::text(before);
    stage.bring_to(grants);
    stage.text_of(0).to_owned()
}

/// Each rule for TLS in a text: its pattern and its sid.
pub(crate) fn sids(text: &str) -> BTreeMap<String, u32> {
    let rule = |line: &str| {
        let (_, after) = line.strip_prefix("pass tls ")?.split_once("egress grant ")?;
        let (_, sid) = line.split_once("sid:")?;
        Some((after.split_once('"')?.0.to_owned(), sid.split_once(';')?.0.parse().ok()?))
    };
    text.lines().filter_map(rule).collect()
}

fn group(number: usize, content: Content, capacity: u64) -> RuleGroup {
    let settings = Settings { rule_order: Some("STRICT_ORDER".to_owned()), ..Settings::default() };
    RuleGroup {
        arn: format!("group-{}", number + 1),
        token: UpdateToken("00000000-0000-4000-8000-000000000001".to_owned()),
        consumed: consumed(&content, &settings),
        content,
        settings,
        capacity,
        changed_at: None,
    }
}

/// How many units a content takes, as AWS counts in strict order.
pub(crate) fn consumed(content: &Content, settings: &Settings) -> u64 {
    let count = match content {
        Content::Rules(text) => {
            text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count()
        }
        Content::DomainList(targets) => {
            let http = settings.target_types.iter().any(|target| target == "HTTP_HOST");
            targets.len() * settings.target_types.len() + usize::from(http)
        }
    };
    u64::try_from(count).unwrap()
}
