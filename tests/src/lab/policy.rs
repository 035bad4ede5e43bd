//! A firewall policy as plain data, and the one file of Suricata rules that behaves like it.
//!
//! Network Firewall evaluates a `STRICT_ORDER` policy rule by rule: the first that passes or blocks a
//! packet decides. Suricata sorts its rules by action first. With the order *drop, pass, reject, alert*
//! one shape of policy comes out the same: first what blocks, then what passes, then what refuses the
//! rest. In that last part a silent `drop` is written as a reject of the server's side alone: it sorts with
//! the rejects, and the client hears nothing, as from a drop. Any other shape (a drop
//! or a reject between two passes) can't be reproduced, and is refused with an error.
//!
//! Suricata also goes on after a drop, and a later rule that rejects would still reset the client. So a
//! rule that drops marks the connection, and those that refuse the rest pass by a marked one.
//!
//! A reject before the passes is written twice. First as a drop, which decides and is logged, and leaves a mark of its
//! own; passes go by a connection with that mark, since a pass would end the evaluation. Then among the rejects, with
//! the same conditions but for flowbits (the drop may have changed them), for marked connections alone and without a
//! record: it resets the sender of that same packet, so that the one record says so, too. A pass for the protocol `ip`
//! can't look at a mark: what it meets, too, is dropped without a reset.
//!
//! A `DEFAULT_ACTION_ORDER` policy passes, then drops, then rejects, whatever the order of its groups: that is such a
//! shape once its rules are sorted.
//!
//! Within each part Suricata goes by priority and then by sid, so all rules are numbered anew in the
//! policy's order; [`Rendered::origins`] leads from the new number to the rule.

mod default_actions;
mod domain_list;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

pub use domain_list::{DomainList, ListAction, Protocol};
use rule::{Action, Rule};

/// The order in which a policy's rules decide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// `STRICT_ORDER`: as they stand.
    #[default]
    Strict,
    /// `DEFAULT_ACTION_ORDER`: by what they do. Allow lists come with a drop of what is on none of them.
    Action,
}

/// A policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Its rule order.
    pub order: Order,
    /// `HOME_NET` where the policy sets it; the lab's VPC otherwise.
    pub home_net: Option<Vec<String>>,
    /// The stateful default actions, with Network Firewall's names (`aws:…`).
    pub default_actions: Vec<String>,
    /// The stateful rule groups, the one with the lowest priority number first.
    pub groups: Vec<RuleGroup>,
}

/// One stateful rule group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleGroup {
    /// Its name or ARN; for messages.
    pub name: String,
    /// Its own variables (`HOME_NET` → addresses, or ports), which come before the policy's.
    pub variables: BTreeMap<String, Vec<String>>,
    /// Its rules.
    pub source: Source,
}

impl RuleGroup {
    /// A group of Suricata rules.
    pub fn rules(name: &str, text: &str) -> Self {
        Self { name: name.into(), variables: BTreeMap::new(), source: Source::Rules(text.into()) }
    }

    /// A domain list for HTTP hosts and TLS server names.
    pub fn domains(name: &str, action: ListAction, targets: &[&str]) -> Self {
        let list = DomainList {
            action,
            protocols: vec![Protocol::HttpHost, Protocol::TlsSni],
            targets: targets.iter().map(|&target| target.to_owned()).collect(),
        };
        Self { name: name.into(), variables: BTreeMap::new(), source: Source::Domains(list) }
    }
}

/// What a rule group is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Suricata's own language, one rule a line.
    Rules(String),
    /// A domain list, from which Network Firewall makes the rules.
    Domains(DomainList),
}

/// A policy as Suricata gets it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The rules file.
    pub text: String,
    /// Where the rules come from: the number in the file, and what it stands for.
    pub origins: BTreeMap<u64, Origin>,
}

/// Where a rendered rule comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The rule group, or `default action`.
    pub group: String,
    /// The rule's sid there.
    pub sid: u64,
    /// The policy drops silently what this rule refuses, whatever the file says.
    pub silent: bool,
}

impl Policy {
    /// The rules file, its rules numbered from `first_sid`.
    pub fn render(&self, first_sid: u64) -> Result<Rendered> {
        let mut rules = Vec::new();
        for group in &self.groups {
            let variables = self.variables_of(group);
            let text = match &group.source {
                Source::Rules(text) => text.clone(),
                Source::Domains(list) => list.rules(self.order),
            };
            for (number, line) in text.lines().enumerate() {
                let rule = Rule::parse(line, &variables)
                    .with_context(|| format!("rule group {}, line {}", group.name, number + 1))?;
                rules.extend(rule.map(|rule| (group.name.clone(), rule)));
            }
        }
        if self.order == Order::Action {
            ensure!(self.default_actions.is_empty(), "default actions need STRICT_ORDER");
            rules.sort_by_key(|(_, rule)| rule.action.rank());
        }
        for line in default_actions::rules(&self.default_actions)? {
            let rule = Rule::parse(&line, &BTreeMap::new())?;
            rules.extend(rule.map(|rule| (DEFAULT_ACTION.to_owned(), rule)));
        }
        write(rules, first_sid)
    }

    fn variables_of(&self, group: &RuleGroup) -> BTreeMap<String, Vec<String>> {
        let mut variables = group.variables.clone();
        if let Some(home) = &self.home_net {
            variables.entry("HOME_NET".into()).or_insert_with(|| home.clone());
            let outside = vec![format!("![{}]", home.join(","))];
            variables.entry("EXTERNAL_NET".into()).or_insert(outside);
        }
        variables
    }
}

/// Numbers the rules in their order and gives each the keyword that sorts it into its part.
fn write(rules: Vec<(String, Rule)>, first_sid: u64) -> Result<Rendered> {
    let plan = Plan::of(&rules)?;
    let mut rendered = Rendered::default();
    let mut resets = Vec::new();
    let mut group_before = String::new();
    let mut numbers = first_sid..;
    for ((at, (group, rule)), number) in rules.into_iter().enumerate().zip(&mut numbers) {
        if group != group_before {
            rendered.text.push_str(&["# ", &group, "\n"].concat());
            group_before.clone_from(&group);
        }
        let silent = rule.action == Action::Drop;
        rendered.text.push_str(&rule.write(plan.keyword(at, &rule), plan.marks(at, &rule), number));
        rendered.text.push('\n');
        rendered.origins.insert(number, Origin { group, sid: rule.sid, silent });
        if plan.is_early_reject(at, &rule) {
            resets.push(rule.in_silence());
        }
    }
    if !resets.is_empty() {
        rendered.text.push_str("# resets\n");
    }
    for (reset, number) in resets.iter().zip(numbers) {
        rendered.text.push_str(&reset.write("reject", &["flowbits:isset,lab.rejected"], number));
        rendered.text.push('\n');
    }
    Ok(rendered)
}

/// Which part of the file each rule falls into.
#[derive(Debug)]
struct Plan {
    last_pass: Option<usize>,
    any_reject: bool,
    /// A reject stands before the passes.
    any_early_reject: bool,
}

impl Plan {
    fn of(rules: &[(String, Rule)]) -> Result<Self> {
        let is = |action| move |(_, rule): &(String, Rule)| rule.action == action;
        let first_pass = rules.iter().position(is(Action::Pass));
        let last_pass = rules.iter().rposition(is(Action::Pass));
        let mut rejects = rules.iter().enumerate().filter(|(_, rule)| is(Action::Reject)(rule));
        let any_reject = rejects.clone().next().is_some();
        let any_early_reject = rejects.any(|(at, _)| last_pass.is_some_and(|last| at < last));
        let plan = Self { last_pass, any_reject, any_early_reject };
        let mut priority = 0;
        for (at, (group, rule)) in rules.iter().enumerate() {
            if last_pass.is_some_and(|last| at < last) {
                let blocks = matches!(rule.action, Action::Drop | Action::Reject);
                let blocked_first = blocks && first_pass.is_some_and(|first| at < first);
                ensure!(
                    blocked_first || rule.action == Action::Pass,
                    "the lab can't reproduce this policy: rule {} of {group} ({:?}) comes before a pass rule. \
                     Suricata sorts by action, so only this order behaves as in Network Firewall: drops and \
                     rejects, then passes, then everything else",
                    rule.sid,
                    rule.action
                );
            } else if matches!(rule.action, Action::Drop | Action::Reject) {
                ensure!(
                    rule.priority >= priority,
                    "the lab can't reproduce this policy: rule {} of {group} has priority {}, and would be \
                     looked at before rules that stand above it",
                    rule.sid,
                    rule.priority
                );
                priority = rule.priority;
            }
        }
        Ok(plan)
    }

    /// What a rule says besides of the marks that a drop or an early reject leaves on a connection.
    fn marks(&self, at: usize, rule: &Rule) -> &'static [&'static str] {
        match rule.action {
            _ if !may_be_rejected(rule.protocol()) => &[],
            Action::Reject if self.is_early_reject(at, rule) => {
                &["flowbits:set,lab.dropped", "flowbits:set,lab.rejected"]
            }
            Action::Drop if !self.is_behind(at) => &["flowbits:set,lab.dropped"],
            Action::Drop | Action::Reject => &["flowbits:isnotset,lab.dropped"],
            Action::Pass if self.any_early_reject => &["flowbits:isnotset,lab.rejected"],
            Action::Pass | Action::Alert => &[],
        }
    }

    /// Whether a rule rejects before something passes.
    fn is_early_reject(&self, at: usize, rule: &Rule) -> bool {
        rule.action == Action::Reject && self.last_pass.is_some_and(|last| at < last)
    }

    /// Whether a rule is one of those that refuse the rest.
    fn is_behind(&self, at: usize) -> bool {
        self.last_pass.map_or(self.any_reject, |last| at > last)
    }

    fn keyword(&self, at: usize, rule: &Rule) -> &'static str {
        match rule.action {
            // Of an answer, the server is the source.
            Action::Drop if self.is_behind(at) && rule.is_about_answers() => "rejectsrc",
            Action::Drop if self.is_behind(at) => "rejectdst",
            Action::Drop => "drop",
            Action::Reject if self.is_early_reject(at, rule) => "drop",
            Action::Pass => "pass",
            Action::Reject => "reject",
            Action::Alert => "alert",
        }
    }
}

/// The group, in [`Origin`], of the rules that stand for the default actions.
pub(crate) const DEFAULT_ACTION: &str = "default action";

/// What the lab starts with: nothing passes until a policy is loaded.
pub(crate) const CLOSED: &str = "drop ip any any -> any any (msg:\"no policy is loaded\"; noalert; sid:1;)\n";

fn unknown(what: &str, given: &str) -> anyhow::Error {
    anyhow::anyhow!("{what} `{given}` is not one that the lab knows")
}

/// Refuses what Network Firewall would refuse too, before Suricata sees it.
fn acceptable(action: Action, protocol: &str) -> Result<()> {
    if action == Action::Reject && !may_be_rejected(protocol) {
        bail!("{protocol} reject is not supported");
    }
    Ok(())
}

/// Whether a protocol is one over TCP.
fn may_be_rejected(protocol: &str) -> bool {
    ["tcp", "http", "tls", "smb", "ssh", "smtp", "dcerpc"].contains(&protocol)
}
