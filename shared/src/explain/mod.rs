//! Why a host is blocked, or passes: which rule, grant or absence decides.
//!
//! A pure function over what the firewall and the ledger hold. It judges a policy in `STRICT_ORDER` whose default
//! action drops what a client says after the handshake, as that of this stack does, or one in action order that comes
//! to the same (the adapter for AWS tells), and connections as clients usually make them: from `HOME_NET` to outside of
//! it, TLS to port 443, HTTP/1.1 to port 80. It knows the part of Suricata that rules about names are made of; where
//! another part could change the verdict, that is unknown, and a note says because of what.

mod advice;
mod conditions;
mod connection;
mod content;
mod meaning;
mod sentences;
mod shown;
mod suricata;
mod track;
mod walk;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::domain::{DomainPattern, PatternError};
use crate::firewall::PolicyGroup;
use crate::ledger::BlockedCount;
use crate::request::{Request, RequestId, StateName};

pub use sentences::sentences;
use shown::{NAME, SENTENCE, shown};
use walk::Judged;

/// The grants, the requests, the presets and the addresses that are named; there may be more of each.
const MOST: usize = 10;

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The stateful rule groups of the firewall's policy, in the order in which they decide.
    pub policy: &'a [PolicyGroup],
    /// The ARNs of those that hold grants.
    pub grants: &'a [String],
    /// The requests that are pending or live.
    pub requests: &'a [Request],
    /// The operator's configuration.
    pub config: &'a Config,
    /// What was blocked lately of the hosts below the same registrable domain.
    pub blocked: &'a [BlockedCount],
    /// The time.
    pub now: Timestamp,
}

/// Why a host is blocked, or passes. All texts are bounded and made visible; as JSON it has less than 128 KB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The host as it was understood: its name in lower case and A-labels, or an address. Where it is neither, what
    /// was asked.
    pub host: String,
    /// Why it is not the name of a host: a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_a_name: Option<String>,
    /// What becomes of TLS, port 443.
    pub tls: Judgement,
    /// What becomes of HTTP in the clear, port 80.
    pub http: Judgement,
    /// The live requests that hold it; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<MatchingGrant>,
    /// The pending requests that ask for it; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<PendingRequest>,
    /// The names of the presets that hold it; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub presets: Vec<String>,
    /// The entry of `denied_domains` because of which it can't be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<DomainPattern>,
    /// When it was last blocked, as far as alerts counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_blocked: Option<LastBlocked>,
    /// What else there is to know: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What to do: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub what_to_do: Vec<String>,
}

/// What becomes of connections of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Whether they pass.
    pub verdict: Verdict,
    /// What decides. Where the verdict is unknown, what decides unless something does that couldn't be judged; the
    /// notes name that. None where nothing was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<DecidedBy>,
}

/// Whether connections pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// They do.
    Passes,
    /// They don't.
    Blocked,
    /// It can't be said.
    Unknown,
}

/// What a rule does with what it meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It lets it pass.
    Pass,
    /// It drops it: the client waits for its own time-out.
    Drop,
    /// It rejects it: the client hears of it at once.
    Reject,
}

/// What decides about a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DecidedBy {
    /// A Suricata rule: one that looks at the name, or decides without it before the client has given one.
    Rule {
        /// The name of its rule group.
        group: String,
        /// Whether that group holds grants.
        holds_grants: bool,
        /// What it does.
        action: Action,
        /// Its number in the group.
        sid: u64,
        /// Its message, as the log has it.
        message: String,
        /// In a group that holds grants, the requests that it stands for; at most ten.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        requests: Vec<RequestId>,
    },
    /// An entry of a domain list.
    Entry {
        /// The name of its rule group.
        group: String,
        /// Whether that group holds grants.
        holds_grants: bool,
        /// What it does.
        action: Action,
        /// The list's kind: `ALLOWLIST`, `DENYLIST`, `REJECTLIST`.
        list: String,
        /// The entry, as it stands there.
        entry: String,
    },
    /// Nothing allows it: a rule that blocks whatever comes as far as it, as those of the last word do.
    NothingAllows {
        /// The name of its rule group.
        group: String,
        /// What it does.
        action: Action,
        /// Its number in the group.
        sid: u64,
        /// Its message, as the log has it.
        message: String,
    },
    /// Nothing allows it, and no rule speaks of it: the policy's default action.
    DefaultAction,
}

/// A live request that holds a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchingGrant {
    /// Its id.
    pub id: RequestId,
    /// Who asked.
    pub requester: String,
    /// What it is in: approved, or active.
    pub state: StateName,
    /// The domain of it that holds the host.
    pub domain: DomainPattern,
    /// When it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// Why its rules can't stand in the firewall; none when they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

/// A pending request that asks for a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRequest {
    /// Its id.
    pub id: RequestId,
    /// Who asked.
    pub requester: String,
    /// The domain of it that would hold the host.
    pub domain: DomainPattern,
    /// When it lapses, if nobody decides until then.
    pub lapses_at: Timestamp,
    /// How many people have said yes.
    pub approvals: usize,
    /// How many have to.
    pub approvals_needed: usize,
}

/// What was blocked of a host lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBlocked {
    /// The last time.
    pub at: Timestamp,
    /// How many connections.
    pub connections: u64,
    /// Whose, as far as alerts knew, the last first; at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// How many those are in all.
    #[serde(default)]
    pub owner_count: usize,
    /// The addresses whose connections are nobody's that is known, the last first; at most ten.
    pub sources: Vec<String>,
    /// How many those are in all.
    pub source_count: usize,
    /// The message of the rule that blocked the last one.
    pub message: String,
}

/// Why a host is blocked, or passes. `host` is what somebody typed: a name, a URL.
pub fn explain(host: &str, known: &Known<'_>) -> Explanation {
    match DomainPattern::read(host) {
        Ok(pattern) => {
            let judged = walk::judge(pattern.name(), false, known.policy, known.grants);
            about_name(&pattern, &judged, known)
        }
        Err(PatternError::IpAddress { address }) => {
            let judged = walk::judge(&address.to_ascii_lowercase(), true, known.policy, known.grants);
            about_address(&address, &judged, known)
        }
        Err(reason) => Explanation {
            not_a_name: Some(shown(&reason.to_string(), SENTENCE)),
            what_to_do: vec!["Ask about the host's name alone, such as github.com.".to_owned()],
            ..Explanation::new(host)
        },
    }
}

impl Explanation {
    fn new(host: &str) -> Self {
        let unknown = Judgement { verdict: Verdict::Unknown, decided_by: None };
        Self {
            host: shown(host, NAME),
            not_a_name: None,
            tls: unknown.clone(),
            http: unknown,
            grants: Vec::new(),
            pending: Vec::new(),
            presets: Vec::new(),
            denied: None,
            last_blocked: None,
            notes: Vec::new(),
            what_to_do: Vec::new(),
        }
    }

    fn judged(host: &str, judged: &Judged) -> Self {
        let judgement = |conclusion: &track::Conclusion| Judgement {
            verdict: conclusion.verdict,
            decided_by: Some(conclusion.decided_by.clone()),
        };
        Self { tls: judgement(&judged.tls), http: judgement(&judged.http), ..Self::new(host) }
    }

    /// Whether connections of both kinds certainly pass.
    fn passes(&self) -> bool {
        self.tls.verdict == Verdict::Passes && self.http.verdict == Verdict::Passes
    }
}

fn about_name(pattern: &DomainPattern, judged: &Judged, known: &Known<'_>) -> Explanation {
    let host = pattern.name();
    let live = known.requests.iter().filter(|request| request.state.is_live());
    let pending = known.requests.iter().filter(|request| request.state == StateName::Pending);
    let presets = known.config.presets.iter();
    let presets = presets.filter(|(_, preset)| preset.domains.iter().any(|domain| domain.matches(host)));
    let mut denied = known.config.denied_domains.iter();
    let mut explanation = Explanation {
        grants: live.filter_map(|request| matching_grant(request, host)).take(MOST).collect(),
        pending: pending.filter_map(|request| pending_request(request, host)).take(MOST).collect(),
        presets: presets.map(|(name, _)| shown(name, NAME)).take(MOST).collect(),
        denied: denied.find(|denied| denied.matches(host)).cloned(),
        last_blocked: last_blocked(host, known.blocked),
        ..Explanation::judged(host, judged)
    };
    explanation.notes = advice::notes(&explanation, pattern, judged, known);
    explanation.what_to_do = advice::what_to_do(&explanation, judged, known);
    explanation
}

fn about_address(address: &str, judged: &Judged, known: &Known<'_>) -> Explanation {
    let reason = PatternError::IpAddress { address: address.to_owned() };
    Explanation {
        not_a_name: Some(shown(&reason.to_string(), SENTENCE)),
        last_blocked: last_blocked(address, known.blocked),
        notes: advice::doubts(judged),
        what_to_do: vec!["Let the client ask for the server by its name, and ask about that.".to_owned()],
        ..Explanation::judged(address, judged)
    }
}

fn matching_grant(request: &Request, host: &str) -> Option<MatchingGrant> {
    let domain = request.domains.iter().find(|domain| domain.matches(host))?;
    Some(MatchingGrant {
        id: request.id.clone(),
        requester: shown(&request.requester, NAME),
        state: request.state,
        domain: domain.clone(),
        approved_at: request.approved_at,
        ends_at: request.ends_at,
        waits_for: request.waits_for.as_deref().map(|reason| shown(reason, SENTENCE)),
    })
}

fn pending_request(request: &Request, host: &str) -> Option<PendingRequest> {
    let domain = request.domains.iter().find(|domain| domain.matches(host))?;
    Some(PendingRequest {
        id: request.id.clone(),
        requester: shown(&request.requester, NAME),
        domain: domain.clone(),
        lapses_at: request.lapses_at,
        approvals: request.approvals.len(),
        approvals_needed: request.approvals_needed,
    })
}

/// What was blocked of this very host.
fn last_blocked(host: &str, blocked: &[BlockedCount]) -> Option<LastBlocked> {
    let mut counts: Vec<&BlockedCount> = blocked.iter().filter(|count| is_host(&count.host, host)).collect();
    counts.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then_with(|| a.source.cmp(&b.source)));
    let last = counts.first()?;
    let owners = counts.iter().filter_map(|count| count.owner.as_deref());
    let (owners, owner_count) = each_once(owners);
    let sources = counts.iter().filter(|count| count.owner.is_none()).map(|count| count.source.as_str());
    let (sources, source_count) = each_once(sources);
    Some(LastBlocked {
        at: last.last_seen,
        connections: counts.iter().fold(0, |sum, count| sum.saturating_add(count.connections)),
        owners,
        owner_count,
        sources,
        source_count,
        message: shown(&last.signature, NAME),
    })
}

/// The first few of some texts, each once, and how many there are.
fn each_once<'a>(texts: impl Iterator<Item = &'a str>) -> (Vec<String>, usize) {
    let (mut first, mut seen) = (Vec::new(), std::collections::BTreeSet::new());
    for text in texts {
        if seen.insert(text) && first.len() < MOST {
            first.push(shown(text, NAME));
        }
    }
    (first, seen.len())
}

/// Whether a client's spelling of a host means this one.
fn is_host(spelt: &str, host: &str) -> bool {
    spelt.strip_suffix('.').unwrap_or(spelt).eq_ignore_ascii_case(host)
}
