//! What is known, as a test tells it.

use egress::config::Config;
use egress::domain::DomainPattern;
use egress::explain::{DecidedBy, Explanation, Judgement, Known, explain, sentences};
use egress::firewall::{PolicyGroup, PolicyRules};
use egress::ledger::BlockedCount;
use egress::request::{Approval, Request, RequestId, StateName};
use egress::risk::Assessment;
use jiff::{SignedDuration, Timestamp};

const TEMPLATE: &str = include_str!("../../../infra/firewall.yaml");
const CONFIG: &str = include_str!("../../../infra/config/egress.toml");

/// The Suricata rules of a resource of the template, as CloudFormation sends them.
pub(crate) fn rules_of(resource: &str) -> String {
    let from = TEMPLATE.split_once(&format!("\n  {resource}:\n")).unwrap().1;
    let block = from.split_once("|\n").unwrap().1;
    let indent = block.len() - block.trim_start().len();
    let lines = block
        .lines()
        .take_while(|line| line.trim().is_empty() || line.len() - line.trim_start().len() >= indent);
    let lines: Vec<&str> = lines.map(|line| line.get(indent..).unwrap_or_default()).collect();
    lines.join("\n").replace("${Block}", "reject")
}

pub(crate) fn at(minutes: i64) -> Timestamp {
    let noon: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    noon + SignedDuration::from_mins(minutes)
}

pub(crate) fn group(name: &str, rules: PolicyRules) -> PolicyGroup {
    let arn = format!("arn:aws:network-firewall:eu-west-1:123456789012:stateful-rulegroup/{name}");
    PolicyGroup { name: name.to_owned(), arn, rules }
}

pub(crate) fn text(name: &str, rules: &str) -> PolicyGroup {
    group(name, PolicyRules::Text(rules.to_owned()))
}

pub(crate) fn list_of(name: &str, kind: &str, targets: &[&str], types: &[&str]) -> PolicyGroup {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    group(
        name,
        PolicyRules::DomainList {
            kind: kind.to_owned(),
            targets: owned(targets),
            target_types: owned(types),
        },
    )
}

pub(crate) fn list(name: &str, kind: &str, targets: &[&str]) -> PolicyGroup {
    list_of(name, kind, targets, &["HTTP_HOST", "TLS_SNI"])
}

/// Grants as they stand in their group.
pub(crate) fn grants(domains: &[(&str, &str)]) -> String {
    let rules = |((domain, message), sid): (&(&str, &str), u32)| {
        let (id, next) = (RequestId::of_message(message), sid + 1);
        let (prefix, start) =
            if domain.starts_with('.') { ("dotprefix; ", "") } else { ("", "startswith; ") };
        format!(
            "# {domain} for {id}\n\
             pass tls $HOME_NET any -> $EXTERNAL_NET any (ssl_state:client_hello; tls.sni; {prefix}content:\"{domain}\"; {start}nocase; endswith; alert; msg:\"egress grant {domain}\"; metadata:grant {id}; flow:to_server, established; sid:{sid}; rev:1;)\n\
             pass http $HOME_NET any -> $EXTERNAL_NET any (http.host; {prefix}content:\"{domain}\"; {start}endswith; alert; msg:\"egress grant {domain}\"; metadata:grant {id}; flow:to_server, established; sid:{next}; rev:1;)\n"
        )
    };
    let rules: Vec<String> = domains.iter().zip((1_000_000..).step_by(2)).map(rules).collect();
    format!("# Studio Egress grants. sha256:0\n{}", rules.concat())
}

/// What is known, as a test tells it. It begins as the stack is deployed: nothing granted, `.kaggle.com` allowed.
pub(crate) struct World {
    pub(crate) policy: Vec<PolicyGroup>,
    pub(crate) grants: Vec<String>,
    pub(crate) requests: Vec<Request>,
    pub(crate) config: Config,
    pub(crate) blocked: Vec<BlockedCount>,
}

impl World {
    pub(crate) fn new() -> Self {
        let policy = vec![
            text("egress-guard-x", &rules_of("Guard")),
            list("egress-deny-x", "REJECTLIST", &[".evil.example.org"]),
            text("egress-grants-x", &grants(&[])),
            list("domain-allow-sagemaker-x", "ALLOWLIST", &[".kaggle.com"]),
            text("egress-last-word-x", &rules_of("LastWord")),
        ];
        Self {
            grants: vec![policy[2].arn.clone()],
            policy,
            requests: Vec::new(),
            config: Config::parse(CONFIG).unwrap(),
            blocked: Vec::new(),
        }
    }

    pub(crate) fn granting(mut self, domains: &[(&str, &str)]) -> Self {
        self.policy[2].rules = PolicyRules::Text(grants(domains));
        self
    }

    /// Puts groups before that of the grants.
    pub(crate) fn before_the_grants(mut self, groups: Vec<PolicyGroup>) -> Self {
        self.policy.splice(2..2, groups);
        self
    }

    /// Puts groups between the allow list and the last word.
    pub(crate) fn before_the_last_word(mut self, groups: Vec<PolicyGroup>) -> Self {
        let last = self.policy.len() - 1;
        self.policy.splice(last..last, groups);
        self
    }

    pub(crate) fn with(mut self, request: Request) -> Self {
        self.requests.push(request);
        self
    }

    pub(crate) fn blocked(mut self, host: &str, source: &str, minutes: i64) -> Self {
        self.blocked.push(BlockedCount {
            host: host.to_owned(),
            source: source.to_owned(),
            connections: 3,
            last_seen: at(minutes),
            signature: "egress last word: TLS without a server name that is allowed".to_owned(),
            owner: None,
        });
        self
    }

    /// Who was blocked last.
    pub(crate) fn of(mut self, owner: &str) -> Self {
        self.blocked.last_mut().unwrap().owner = Some(owner.to_owned());
        self
    }

    pub(crate) fn explain(&self, host: &str) -> Explanation {
        let World { policy, grants, requests, config, blocked } = self;
        explain(host, &Known { policy, grants, requests, config, blocked, now: at(0) })
    }

    pub(crate) fn told(&self, host: &str) -> String {
        sentences(&self.explain(host)).join("\n")
    }
}

pub(crate) fn request(message: &str, state: StateName, domains: &[&str]) -> Request {
    let live = state.is_live();
    Request {
        id: RequestId::of_message(message),
        version: 2,
        state,
        ending: None,
        requester: "alice@example.com".to_owned(),
        domains: domains.iter().map(|domain| DomainPattern::parse(domain).unwrap()).collect(),
        refused_domains: Vec::new(),
        preset: None,
        justification: "to clone our model".to_owned(),
        ticket: None,
        break_glass: None,
        duration_seconds: 3_600,
        requested_at: at(-60),
        lapses_at: at(3 * 24 * 60),
        reminders: 0,
        remind_at: None,
        approvals_needed: 2,
        approvals: vec![Approval { by: "bob@example.com".to_owned(), at: at(-30), comment: None }],
        approved_at: live.then(|| at(-30)),
        ends_at: live.then(|| at(30)),
        extends: None,
        extensions: 0,
        superseded_by: None,
        waits_for: None,
        first_used_at: None,
        assessment: Assessment::default(),
        reply_to: None,
        seal: String::new(),
    }
}

/// One line for each protocol: the verdict, and what decides.
pub(crate) fn short(explanation: &Explanation) -> String {
    let by = |by: &DecidedBy| match by {
        DecidedBy::Rule { group, action, sid, .. } => format!("{action:?} by {group} {sid}"),
        DecidedBy::Entry { group, action, entry, .. } => format!("{action:?} by {group} {entry}"),
        DecidedBy::NothingAllows { group, sid, .. } => format!("nothing allows it: {group} {sid}"),
        DecidedBy::DefaultAction => "nothing allows it: default action".to_owned(),
    };
    let of = |judgement: &Judgement| {
        format!("{:?} ({})", judgement.verdict, judgement.decided_by.as_ref().map_or("-".to_owned(), by))
    };
    format!("TLS {}, HTTP {}", of(&explanation.tls), of(&explanation.http))
}
