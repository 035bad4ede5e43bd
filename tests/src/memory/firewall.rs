//! A rule group and its firewall in memory: update tokens, capacity, AWS's own refusals, and a time until
//! it is in sync.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egress::firewall::{Content, Firewall, FirewallError, RuleGroup, Settings, UpdateToken};
use egress::rules::ReadBack;
use tokio::time::Instant;

use super::{Call, Fault, Faults, lock};

/// The longest rules text that AWS takes, in bytes.
const LONGEST_TEXT: usize = 2_000_000;

/// One rule group of one firewall.
#[derive(Debug, Clone)]
pub struct MemoryFirewall {
    state: Arc<Mutex<State>>,
    faults: Faults,
}

#[derive(Debug)]
struct State {
    content: Content,
    settings: Settings,
    capacity: usize,
    /// How long the text of rules may be, in bytes.
    longest_text: usize,
    /// How many versions there were: the token says it.
    version: u64,
    written_at: Instant,
    /// How long the slowest availability zone takes.
    sync_delay: Duration,
}

impl MemoryFirewall {
    /// A group with this content, in sync, with the largest capacity that AWS has.
    pub fn new(content: Content) -> Self {
        let settings = Settings {
            rule_order: Some("STRICT_ORDER".to_owned()),
            target_types: match content {
                Content::Rules(_) => Vec::new(),
                Content::DomainList(_) => vec!["TLS_SNI".to_owned(), "HTTP_HOST".to_owned()],
            },
            ..Settings::default()
        };
        let state = State {
            content,
            settings,
            capacity: 30_000,
            longest_text: LONGEST_TEXT,
            version: 1,
            written_at: Instant::now(),
            sync_delay: Duration::ZERO,
        };
        Self { state: Arc::new(Mutex::new(state)), faults: Faults::none() }
    }

    /// The same group, with these faults.
    #[must_use]
    pub fn with(&self, faults: &Faults) -> Self {
        Self { state: Arc::clone(&self.state), faults: faults.clone() }
    }

    /// How many rules fit, from the next write on.
    pub fn set_capacity(&self, capacity: usize) {
        lock(&self.state).capacity = capacity;
    }

    /// How many bytes of rules fit, from the next write on.
    pub fn set_longest_text(&self, bytes: usize) {
        lock(&self.state).longest_text = bytes;
    }

    /// How long it takes until what is written is in sync, also for what was written last.
    pub fn set_sync_delay(&self, delay: Duration) {
        lock(&self.state).sync_delay = delay;
    }

    /// What a person does in the console: new content, whatever it is, and a new token.
    pub fn edit(&self, change: impl FnOnce(&mut Content)) {
        let mut state = lock(&self.state);
        change(&mut state.content);
        state.replaced();
    }

    /// What stands in the group.
    pub fn content(&self) -> Content {
        lock(&self.state).content.clone()
    }

    /// The patterns that the group lets pass; of a domain list all entries, whose ever they are.
    pub fn patterns(&self) -> BTreeSet<String> {
        match self.content() {
            Content::Rules(text) => ReadBack::of(&text).sids.keys().map(ToString::to_string).collect(),
            Content::DomainList(targets) => targets,
        }
    }

    /// How often it has been written, by whomever.
    pub fn writes(&self) -> u64 {
        lock(&self.state).version - 1
    }
}

impl Firewall for MemoryFirewall {
    async fn read(&self) -> Result<RuleGroup, FirewallError> {
        let read = || {
            let state = lock(&self.state);
            Ok(RuleGroup {
                token: state.token(),
                content: state.content.clone(),
                settings: state.settings.clone(),
            })
        };
        self.faults.call(Call::Read, FirewallError::Unavailable, read).await
    }

    async fn write(&self, group: &RuleGroup) -> Result<UpdateToken, FirewallError> {
        let write = || {
            let mut state = lock(&self.state);
            if group.token != state.token() {
                return Err(FirewallError::StaleToken);
            }
            check(group, state.capacity, state.longest_text)?;
            state.content = group.content.clone();
            state.settings = group.settings.clone();
            state.replaced();
            Ok(state.token())
        };
        let fault = self.faults.begin(Call::Write).await;
        if matches!(fault, Some(Fault::Contended)) {
            return Err(FirewallError::StaleToken);
        }
        self.faults.apply(fault, FirewallError::Unavailable, write).await
    }

    async fn in_sync(&self, token: &UpdateToken) -> Result<bool, FirewallError> {
        let look = || {
            let state = lock(&self.state);
            Ok(*token == state.token() && state.written_at.elapsed() >= state.sync_delay)
        };
        self.faults.call(Call::InSync, FirewallError::Unavailable, look).await
    }
}

impl State {
    fn token(&self) -> UpdateToken {
        UpdateToken(format!("00000000-0000-4000-8000-{:012}", self.version))
    }

    fn replaced(&mut self) {
        self.version += 1;
        self.written_at = Instant::now();
    }
}

/// What AWS checks of a group's content, with its own messages.
fn check(group: &RuleGroup, capacity: usize, longest_text: usize) -> Result<(), FirewallError> {
    let needed = match &group.content {
        Content::Rules(text) => check_rules(text, longest_text)?,
        Content::DomainList(targets) => {
            check_targets(targets)?;
            let http = group.settings.target_types.iter().any(|target| target == "HTTP_HOST");
            targets.len() * group.settings.target_types.len() + usize::from(http)
        }
    };
    if needed > capacity {
        let message = format!(
            "StatefulRules capacity exceeded, parameter: [{needed}], context: RulesSource.StatefulRules"
        );
        return Err(FirewallError::Full(message));
    }
    Ok(())
}

/// How many rules there are; each needs one unit of capacity and a sid of its own.
fn check_rules(text: &str, longest_text: usize) -> Result<usize, FirewallError> {
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
    Ok(rules.len())
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
