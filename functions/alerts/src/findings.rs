//! What makes blocked connections matter more than others: each by a rule that an operator can switch off.

use std::collections::HashMap;

use egress::aws::windows::WindowKey;
use egress::config::Raise;
use egress::counts::Counts;
use egress::domain::shared_suffix;
use egress::events::{Finding, FindingRule};
use jiff::Timestamp;

/// How many distinct names and addresses each owner asked for in each window.
#[derive(Debug, Default)]
pub struct Names<'a>(HashMap<(&'a str, Timestamp), u64>);

impl<'a> Names<'a> {
    /// Counts them: of each owner, domain and window, how many there are.
    pub fn of(counted: impl IntoIterator<Item = (&'a str, Timestamp, u64)>) -> Self {
        let mut names: HashMap<_, u64> = HashMap::new();
        for (owner, start, hosts) in counted {
            let sum = names.entry((owner, start)).or_default();
            *sum = sum.saturating_add(hosts);
        }
        Self(names)
    }

    /// What raises the severity of what an owner was blocked at of a domain in a window.
    pub fn findings(&self, key: &WindowKey, counts: &Counts, is_named: bool, raise: &Raise) -> Vec<Finding> {
        let names = self.0.get(&(&*key.owner, key.start)).copied().unwrap_or_default();
        let hosts = counts.hosts.iter().map(|host| host.host.as_str());
        let mut findings: Vec<Finding> = many_names(names, raise).into_iter().collect();
        findings.extend(of_destinations(hosts, is_named, raise));
        findings
    }
}

/// One owner asks for very many names: one by one they are nothing, together they carry data, or look for a way out.
fn many_names(names: u64, raise: &Raise) -> Option<Finding> {
    let text = || {
        format!(
            "{names} different names or addresses in one window: data may leave in them, or something looks for a way out."
        )
    };
    let many = raise.many_names > 0 && names >= raise.many_names;
    many.then(|| Finding { rule: FindingRule::ManyNames, text: text() })
}

/// What the destinations say by themselves.
fn of_destinations<'a>(
    mut hosts: impl Iterator<Item = &'a str>,
    is_named: bool,
    raise: &Raise,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if is_named && raise.shared_hosting {
        let shared = hosts.find_map(|host| shared_suffix(host).map(|suffix| (host, suffix)));
        findings.extend(shared.map(|(host, suffix)| Finding {
            rule: FindingRule::SharedHosting,
            text: format!("{host} is below {suffix}, where anybody can have a name."),
        }));
    }
    if !is_named && raise.bare_address {
        findings.push(Finding {
            rule: FindingRule::BareAddress,
            text: "The client went to an address and gave no name: what is behind it can't be told."
                .to_owned(),
        });
    }
    findings
}
