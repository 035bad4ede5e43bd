//! The rules that Network Firewall makes from a domain list, with the texts that its documentation
//! gives for them.
//!
//! In strict order an allow list adds no drop of its own; the policy's default action has to. In action order it does.
//! Documented texts exist for allow and deny lists; those of reject and alert lists are formed alike.

use std::fmt::Write as _;

use super::Order;

/// A domain list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainList {
    /// What is done with a connection to one of the names.
    pub action: ListAction,
    /// Where names are looked for.
    pub protocols: Vec<Protocol>,
    /// `example.com` is that name, `.example.com` that name and all below it.
    pub targets: Vec<String>,
}

/// A domain list's `GeneratedRulesType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListAction {
    /// ALLOWLIST
    Allow,
    /// DENYLIST
    Deny,
    /// REJECTLIST
    Reject,
    /// ALERTLIST
    Alert,
}

/// A domain list's `TargetType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `HTTP_HOST`
    HttpHost,
    /// `TLS_SNI`
    TlsSni,
}

impl DomainList {
    /// One rule for each protocol and name, and in action order what drops all other names.
    pub(super) fn rules(&self, order: Order) -> String {
        let (action, word) = match self.action {
            ListAction::Allow => ("pass", "allowlisted"),
            ListAction::Deny => ("drop", "denylisted"),
            ListAction::Reject => ("reject", "rejectlisted"),
            ListAction::Alert => ("alert", "alertlisted"),
        };
        let pairs = self.protocols.iter().flat_map(|protocol| {
            self.targets.iter().map(move |target| (*protocol, target.as_str(), target.starts_with('.')))
        });
        let mut text = String::new();
        for ((protocol, target, below), sid) in pairs.zip(1..) {
            let (name, matched) = match (protocol, below) {
                (Protocol::HttpHost, true) => {
                    ("http", format!("http.host; dotprefix; content:\"{target}\"; endswith"))
                }
                (Protocol::HttpHost, false) => {
                    ("http", format!("http.host; content:\"{target}\"; startswith; endswith"))
                }
                (Protocol::TlsSni, true) => (
                    "tls",
                    format!(
                        "ssl_state:client_hello; tls.sni; dotprefix; content:\"{target}\"; nocase; endswith"
                    ),
                ),
                (Protocol::TlsSni, false) => (
                    "tls",
                    format!(
                        "ssl_state:client_hello; tls.sni; content:\"{target}\"; startswith; nocase; endswith"
                    ),
                ),
            };
            let _ = writeln!(
                text,
                "{action} {name} $HOME_NET any -> $EXTERNAL_NET any ({matched}; msg:\"matching {} {word} FQDNs\"; \
                 priority:1; flow:to_server, established; sid:{sid}; rev:1;)",
                name.to_uppercase()
            );
        }
        if order == Order::Action && self.action == ListAction::Allow {
            text.push_str(&self.drops());
        }
        text
    }

    /// The last rules of an allow list in action order. Their sids follow the others'.
    fn drops(&self) -> String {
        let first = self.protocols.len() * self.targets.len() + 1;
        let drops = self.protocols.iter().zip(first..).map(|(protocol, sid)| {
            let (name, matched) = match protocol {
                Protocol::HttpHost => ("http", "http.header_names; content:\"|0d 0a|\"; startswith"),
                Protocol::TlsSni => ("tls", "ssl_state:client_hello"),
            };
            format!(
                "drop {name} $HOME_NET any -> $EXTERNAL_NET any ({matched}; msg:\"not matching any {} allowlisted FQDNs\"; \
                 priority:1; flow:to_server, established; sid:{sid}; rev:1;)\n",
                name.to_uppercase()
            )
        });
        drops.collect()
    }
}
