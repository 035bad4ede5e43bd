//! Rule groups and their firewall in memory: update tokens, capacity, AWS's own refusals, and a time until
//! it is in sync.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egress::firewall::{
    Content, Firewall, FirewallError, Flow, PolicyGroup, PolicyRules, RuleGroup, RuleGroups, Settings,
    UpdateToken,
};
use egress::rules;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Call, Fault, Faults, clock, lock};

/// The longest rules text that AWS takes, in bytes.
const LONGEST_TEXT: usize = 2_000_000;

/// The grants groups of one firewall.
#[derive(Debug, Clone)]
pub struct MemoryFirewall {
    state: Arc<Mutex<State>>,
    faults: Faults,
}

#[derive(Debug)]
struct State {
    groups: Vec<Group>,
    /// What stands in the policy beside them.
    others: Vec<PolicyGroup>,
    /// How long the text of rules may be, in bytes.
    longest_text: usize,
    /// How long the slowest availability zone takes.
    sync_delay: Duration,
    logs_alerts: bool,
    flushed: Vec<Flow>,
}

#[derive(Debug)]
struct Group {
    /// Which of the groups it is: the token says it, too, as no two groups have the same.
    place: usize,
    content: Content,
    settings: Settings,
    capacity: u64,
    /// How many versions there were: the token says it.
    version: u64,
    written_at: Instant,
    changed_at: Timestamp,
    /// Why it can't be read.
    unreadable: Option<FirewallError>,
}

impl MemoryFirewall {
    /// One group with this content, in sync, with the largest capacity that AWS has.
    pub fn new(content: Content) -> Self {
        Self::with_groups(vec![content])
    }

    /// Groups with these contents, in sync, with the largest capacity that AWS has.
    pub fn with_groups(contents: Vec<Content>) -> Self {
        let state = State {
            groups: contents
                .into_iter()
                .enumerate()
                .map(|(place, content)| Group::new(place, content))
                .collect(),
            others: Vec::new(),
            longest_text: LONGEST_TEXT,
            sync_delay: Duration::ZERO,
            logs_alerts: true,
            flushed: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), faults: Faults::none() }
    }

    /// The same firewall, with these faults.
    #[must_use]
    pub fn with(&self, faults: &Faults) -> Self {
        Self { state: Arc::clone(&self.state), faults: faults.clone() }
    }

    /// How many rules fit into each group, from the next write on.
    pub fn set_capacity(&self, capacity: u64) {
        for group in &mut lock(&self.state).groups {
            group.capacity = capacity;
        }
    }

    /// How many rules fit into one of several groups, the first of which is 0, from the next write on.
    pub fn set_capacity_of(&self, place: usize, capacity: u64) {
        if let Some(group) = lock(&self.state).groups.get_mut(place) {
            group.capacity = capacity;
        }
    }

    /// Whether one of the groups can be read, and if not, why.
    pub fn set_unreadable(&self, place: usize, why: Option<FirewallError>) {
        if let Some(group) = lock(&self.state).groups.get_mut(place) {
            group.unreadable = why;
        }
    }

    /// All groups, none of which can be read.
    pub(crate) fn unreadable(&self, why: &FirewallError) -> RuleGroups {
        let unreadable = self.arns().into_iter().map(|arn| (arn, why.clone())).collect();
        RuleGroups { groups: Vec::new(), unreadable }
    }

    /// How many bytes of rules fit, from the next write on.
    pub fn set_longest_text(&self, bytes: usize) {
        lock(&self.state).longest_text = bytes;
    }

    /// How long it takes until what is written is in sync, also for what was written last.
    pub fn set_sync_delay(&self, delay: Duration) {
        lock(&self.state).sync_delay = delay;
    }

    /// Whether the firewall logs alerts, and so the uses of grants.
    pub fn set_logs_alerts(&self, logs_alerts: bool) {
        lock(&self.state).logs_alerts = logs_alerts;
    }

    /// What stands in the firewall's policy behind the grants groups.
    pub fn set_other_groups(&self, others: Vec<PolicyGroup>) {
        lock(&self.state).others = others;
    }

    /// What a person does in the console with the first group: new content, whatever it is, and a new token.
    pub fn edit(&self, change: impl FnOnce(&mut Content)) {
        self.edit_group(0, change);
    }

    /// The same with one of several groups.
    pub fn edit_group(&self, place: usize, change: impl FnOnce(&mut Content)) {
        if let Some(group) = lock(&self.state).groups.get_mut(place) {
            change(&mut group.content);
            group.replaced();
        }
    }

    /// Replaces all contents, as [`MemoryFirewall::edit`] does.
    pub fn set_contents(&self, contents: Vec<Content>) {
        for (group, content) in lock(&self.state).groups.iter_mut().zip(contents) {
            group.content = content;
            group.replaced();
        }
    }

    /// What stands in the first group.
    pub fn content(&self) -> Content {
        self.contents().swap_remove(0)
    }

    /// What stands in each group.
    pub fn contents(&self) -> Vec<Content> {
        lock(&self.state).groups.iter().map(|group| group.content.clone()).collect()
    }

    /// The patterns that the groups let pass; of a domain list all entries, whose ever they are.
    pub fn patterns(&self) -> BTreeSet<String> {
        self.contents().iter().flat_map(patterns).collect()
    }

    /// The patterns that one of the groups lets pass.
    pub fn patterns_of(&self, place: usize) -> Vec<String> {
        self.contents().get(place).map(patterns).unwrap_or_default().into_iter().collect()
    }

    /// The groups' ARNs.
    pub fn arns(&self) -> Vec<String> {
        lock(&self.state).groups.iter().map(|group| arn(group.place)).collect()
    }

    /// How often the groups have been written, by whomever.
    pub fn writes(&self) -> u64 {
        lock(&self.state).groups.iter().map(|group| group.version - 1).sum()
    }

    /// The connections that were ended, in order.
    pub fn flushed(&self) -> Vec<Flow> {
        lock(&self.state).flushed.clone()
    }
}

impl Firewall for MemoryFirewall {
    async fn read(&self) -> RuleGroups {
        let read = || {
            let state = lock(&self.state);
            let mut read = RuleGroups::default();
            for group in &state.groups {
                match &group.unreadable {
                    None => read.groups.push(group.described()),
                    Some(error) => _ = read.unreadable.insert(arn(group.place), error.clone()),
                }
            }
            Ok(read)
        };
        let read = self.faults.call(Call::Read, FirewallError::Unavailable, read).await;
        read.unwrap_or_else(|error| self.unreadable(&error))
    }

    async fn write(&self, group: &RuleGroup) -> Result<UpdateToken, FirewallError> {
        let write = || {
            let state = &mut *lock(&self.state);
            let (longest, standing) = (state.longest_text, state.find(group)?);
            if group.token != standing.token() {
                return Err(FirewallError::StaleToken);
            }
            check(group, standing.capacity, longest)?;
            standing.content = group.content.clone();
            standing.settings = group.settings.clone();
            standing.replaced();
            Ok(standing.token())
        };
        let fault = self.faults.begin(Call::Write).await;
        if matches!(fault, Some(Fault::Contended)) {
            return Err(FirewallError::StaleToken);
        }
        self.faults.apply(fault, FirewallError::Unavailable, write).await
    }

    async fn try_out(&self, group: &RuleGroup) -> Result<u64, FirewallError> {
        let try_out = || {
            let state = &mut *lock(&self.state);
            let (longest, standing) = (state.longest_text, state.find(group)?);
            if group.token != standing.token() {
                return Err(FirewallError::StaleToken);
            }
            check(group, standing.capacity, longest)
        };
        self.faults.call(Call::TryOut, FirewallError::Unavailable, try_out).await
    }

    async fn in_sync(&self, versions: &BTreeMap<String, UpdateToken>) -> Result<bool, FirewallError> {
        let look = || {
            let state = lock(&self.state);
            let works_with = |(wanted, token): (&String, &UpdateToken)| {
                state.groups.iter().any(|group| {
                    arn(group.place) == *wanted
                        && group.token() == *token
                        && group.written_at.elapsed() >= state.sync_delay
                })
            };
            Ok(versions.iter().all(works_with))
        };
        self.faults.call(Call::InSync, FirewallError::Unavailable, look).await
    }

    async fn flush(&self, flows: &[Flow]) -> Result<(), FirewallError> {
        let flush = || {
            lock(&self.state).flushed.extend_from_slice(flows);
            Ok(())
        };
        self.faults.call(Call::Flush, FirewallError::Unavailable, flush).await
    }

    async fn policy(&self) -> Result<Vec<PolicyGroup>, FirewallError> {
        let read = || {
            let state = lock(&self.state);
            let grants = state.groups.iter().map(Group::in_policy);
            Ok(grants.chain(state.others.iter().cloned()).collect())
        };
        self.faults.call(Call::Policy, FirewallError::Unavailable, read).await
    }

    async fn logs_alerts(&self) -> Result<bool, FirewallError> {
        let look = || Ok(lock(&self.state).logs_alerts);
        self.faults.call(Call::LogsAlerts, FirewallError::Unavailable, look).await
    }
}

impl State {
    fn find(&mut self, wanted: &RuleGroup) -> Result<&mut Group, FirewallError> {
        let found = self.groups.iter_mut().find(|group| arn(group.place) == wanted.arn);
        found.ok_or_else(|| FirewallError::Shape(format!("no {}", wanted.arn)))
    }
}

impl Group {
    fn new(place: usize, content: Content) -> Self {
        let settings = Settings {
            rule_order: Some("STRICT_ORDER".to_owned()),
            target_types: match content {
                Content::Rules(_) => Vec::new(),
                Content::DomainList(_) => vec!["TLS_SNI".to_owned(), "HTTP_HOST".to_owned()],
            },
            ..Settings::default()
        };
        let (written_at, changed_at) = (Instant::now(), clock::now());
        let (version, unreadable) = (1, None);
        Self { place, content, settings, capacity: 30_000, version, written_at, changed_at, unreadable }
    }

    fn token(&self) -> UpdateToken {
        UpdateToken(format!("{:08}-0000-4000-8000-{:012}", self.place, self.version))
    }

    fn replaced(&mut self) {
        self.version += 1;
        self.written_at = Instant::now();
        self.changed_at = clock::now();
    }

    fn described(&self) -> RuleGroup {
        RuleGroup {
            arn: arn(self.place),
            token: self.token(),
            content: self.content.clone(),
            settings: self.settings.clone(),
            capacity: self.capacity,
            consumed: consumed(&self.content, &self.settings),
            changed_at: Some(self.changed_at),
        }
    }

    fn in_policy(&self) -> PolicyGroup {
        let rules = match &self.content {
            Content::Rules(text) => PolicyRules::Text(text.clone()),
            Content::DomainList(targets) => PolicyRules::DomainList {
                kind: "ALLOWLIST".to_owned(),
                targets: targets.iter().cloned().collect(),
                target_types: self.settings.target_types.clone(),
            },
        };
        PolicyGroup { name: format!("grants-{}", self.place), arn: arn(self.place), rules }
    }
}

fn arn(place: usize) -> String {
    format!("arn:aws:network-firewall:us-east-1:000000000000:stateful-rulegroup/grants-{place}")
}

fn patterns(content: &Content) -> BTreeSet<String> {
    match content {
        Content::Rules(_) => rules::standing(content).iter().map(ToString::to_string).collect(),
        Content::DomainList(targets) => targets.clone(),
    }
}

/// What AWS counts: a unit a rule; in a list a unit for each entry and type, one more for HTTP, and in action
/// order one for each type's drop rule.
fn consumed(content: &Content, settings: &Settings) -> u64 {
    let units = match content {
        Content::Rules(text) => {
            text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count()
        }
        Content::DomainList(targets) => {
            let types = settings.target_types.len();
            let http = settings.target_types.iter().any(|target| target == "HTTP_HOST");
            let strict = settings.rule_order.as_deref() == Some("STRICT_ORDER");
            targets.len() * types + usize::from(http) + if strict { 0 } else { types }
        }
    };
    u64::try_from(units).unwrap_or(u64::MAX)
}

/// What AWS checks of a group's content, with its own messages.
fn check(group: &RuleGroup, capacity: u64, longest_text: usize) -> Result<u64, FirewallError> {
    match &group.content {
        Content::Rules(text) => check_rules(text, longest_text)?,
        Content::DomainList(targets) => check_targets(targets)?,
    }
    let needed = consumed(&group.content, &group.settings);
    if needed > capacity {
        let message = format!(
            "StatefulRules capacity exceeded, parameter: [{needed}], context: RulesSource.StatefulRules"
        );
        return Err(FirewallError::Full(message));
    }
    Ok(needed)
}

/// Each rule needs a sid of its own.
fn check_rules(text: &str, longest_text: usize) -> Result<(), FirewallError> {
    if text.len() > longest_text {
        return Err(FirewallError::Refused(
            "RulesString is too long, context: RulesSource.RulesString".to_owned(),
        ));
    }
    let rules: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut sids = BTreeSet::new();
    for rule in &rules {
        let sid = rule.split_once("; sid:").and_then(|(_, after)| after.split_once(';')).map(|(sid, _)| sid);
        if !sid.is_some_and(|sid| sids.insert(sid)) {
            let message = format!(
                "stateful rule is invalid, rule: {rule}, reason: sid not assigned, or assigned twice"
            );
            return Err(FirewallError::Refused(message));
        }
    }
    Ok(())
}

/// AWS compares targets without their leading dot and with their case.
fn check_targets(targets: &BTreeSet<String>) -> Result<(), FirewallError> {
    if targets.is_empty() {
        return Err(FirewallError::Refused(
            "Targets cannot be empty, context: RulesSource.RulesSourceList".to_owned(),
        ));
    }
    let mut names = BTreeSet::new();
    for (place, target) in targets.iter().enumerate() {
        let name = target.strip_prefix('.').unwrap_or(target);
        let problem = if name.is_empty() || name.contains(['*', '/', ' ', ':']) {
            "invalid format"
        } else if !names.insert(name) {
            "duplicate values"
        } else {
            continue;
        };
        let message = format!(
            "Targets has {problem}, parameter: [{target}], context: RulesSource.RulesSourceList.Targets[{place}]"
        );
        return Err(FirewallError::Refused(message));
    }
    Ok(())
}
