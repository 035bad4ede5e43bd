//! What a run is set in, by its seed: the rule groups and their room, how slow and how unreliable everything is,
//! and the operator's rules.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use egress::config::Config;
use egress::firewall::Content;
use egress::lifecycle::Rulebook;
use egress::policy::Policy;
use egress::rules::no_grants;

use crate::memory::Chance;

/// The policies that are shipped.
const POLICY: &str = include_str!("../../../infra/config/policy.cedar");
/// Policies that let everybody do everything, with one yes.
const GENEROUS: &str = r#"
@id("everybody_everything")
permit (principal, action, resource)
unless { action == Egress::Action::"AutoApprove" || action == Egress::Action::"BreakGlass" || action == Egress::Action::"Grant" };
@id("one_yes")
permit (principal, action == Egress::Action::"Grant", resource)
when { context.approvals >= 1 };
"#;
/// Times are short, so that everything happens within minutes.
const CONFIG: &str = r#"
denied_domains = [".evil.org"]
[groups]
approvers = ["bob", "Carol", "dave"]
on_call = ["erin"]
auditors = ["frank"]
[durations]
default = "10m"
pending = "12m"
reminder = "2m"
[risk]
anybody_can_upload = [".pastebin.com"]
[presets.pypi]
description = "Python packages"
domains = ["pypi.org", "files.pythonhosted.org"]
"#;

/// What a run is set in.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// The rule groups in the beginning.
    pub(super) contents: Vec<Content>,
    /// Units of capacity that each of them has.
    pub(super) capacity: u64,
    /// How long it takes until every availability zone works with what was written.
    pub(super) sync_delay: Duration,
    /// How many invocations run at once at most.
    pub(super) concurrency: usize,
    /// Whether people do things at the same moments, every other minute.
    pub(super) crowded: bool,
    /// For how long people do things.
    pub(super) length: Duration,
    /// Of a thousand calls, so many go wrong.
    pub(super) trouble: usize,
    /// How many milliseconds a call takes at most, where it isn't slow.
    pub(super) slowest: usize,
}

impl Setting {
    /// The setting that chance gives.
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let one_of =
            |chance: &mut Chance, several: &[usize]| chance.pick(several).copied().unwrap_or_default();
        let crowded = chance.percent(40);
        let length = if crowded { 6 + chance.below(6) } else { 8 + chance.below(18) };
        let length = if chance.percent(3) { 4 * length } else { length };
        Self {
            contents: contents(chance),
            capacity: one_of(chance, &[5, 7, 9, 13, 400, 400]) as u64,
            sync_delay: Duration::from_secs(one_of(chance, &[0, 0, 2, 6, 15, 40, 95]) as u64),
            concurrency: 2 + chance.below(7),
            crowded,
            length: Duration::from_secs(60 * length as u64),
            trouble: one_of(chance, &[0, 10, 30, 80]),
            slowest: one_of(chance, &[5, 40, 400, 3_000]),
        }
    }

    /// Whether nothing goes wrong but by the order in which things happen.
    pub(super) fn is_calm(&self) -> bool {
        self.trouble == 0
    }
}

fn contents(chance: &mut Chance) -> Vec<Content> {
    let rules = || Content::Rules(no_grants());
    let list = |name: &str| Content::DomainList(BTreeSet::from([".kaggle.com".to_owned(), name.to_owned()]));
    match chance.below(9) {
        0..3 => vec![rules()],
        3..5 => vec![rules(), rules()],
        5 => vec![rules(), rules(), rules()],
        6 => vec![list("Intranet.Example.com")],
        7 => vec![list("intranet.example.com"), rules()],
        _ => vec![list("intranet.example.com"), list("www.example.edu")],
    }
}

/// The operator's rules: those that are shipped, or generous ones. They are read once.
pub(super) fn rulebook(generous: bool) -> anyhow::Result<Rulebook> {
    static SHIPPED: OnceLock<Rulebook> = OnceLock::new();
    static ALL: OnceLock<Rulebook> = OnceLock::new();
    let (once, text) = if generous { (&ALL, GENEROUS) } else { (&SHIPPED, POLICY) };
    if let Some(rulebook) = once.get() {
        return Ok(rulebook.clone());
    }
    let config = Config::parse(CONFIG).context("the simulation's configuration")?;
    let policy = Policy::parse(text).context("the simulation's policies")?;
    Ok(once.get_or_init(|| Rulebook { config, policy }).clone())
}
