//! Who is told what, and where: the routes of notices, and the addresses of the chats.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// A place, and what it hears.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Where.
    pub to: Place,
    /// What.
    pub tells: Vec<Subject>,
}

/// A place where more than one person reads.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Place {
    /// A channel of Slack's, by its id.
    Slack(String),
    /// A channel of Teams', by its conversation's id.
    Teams(String),
    /// The stack's topic, to which mail addresses subscribe.
    Mail,
    /// The stack's topic for Amazon Q Developer in chat applications.
    AmazonQ,
}

/// What somebody can want to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// Requests as they are decided, opened and ended.
    Requests,
    /// Reminders of requests that wait for a decision.
    Reminders,
    /// Blocked connections, as they come.
    Alerts,
    /// Blocked connections, summed up.
    Digests,
    /// What was changed in the firewall: by hand, and by its grants.
    Drift,
    /// What systems sent that could not be taken.
    Refused,
    /// Answers to everybody's questions and commands.
    Answers,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Requests,
        Self::Reminders,
        Self::Alerts,
        Self::Digests,
        Self::Drift,
        Self::Refused,
        Self::Answers,
    ];
}

/// Slack's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Slack {
    /// Its Web API.
    pub api: BaseUrl,
    /// How the URLs begin to which Slack lets an app answer. Nothing is posted to another that a message names.
    pub answers: BaseUrl,
}

/// Microsoft's addresses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Teams {
    /// The Bot Connector for Teams
    /// (<https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference>).
    pub service: BaseUrl,
    /// Where a bot gets its tokens.
    pub login: BaseUrl,
}

impl Default for Slack {
    fn default() -> Self {
        Self {
            api: BaseUrl("https://slack.com/api/".to_owned()),
            answers: BaseUrl("https://hooks.slack.com/".to_owned()),
        }
    }
}

impl Default for Teams {
    fn default() -> Self {
        Self {
            service: BaseUrl("https://smba.trafficmanager.net/teams/".to_owned()),
            login: BaseUrl("https://login.microsoftonline.com/".to_owned()),
        }
    }
}

/// How URLs begin that may be posted to: `https://`, a host, and a path that ends in a slash. For a stand-in of a
/// system on the same machine, `http://127.0.0.1:` and a port will do, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// A text that URLs can't begin with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not https://, a host, and a path that ends in /")]
pub struct NotABase(String);

impl BaseUrl {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, NotABase> {
        let wrong = || NotABase(text.to_owned());
        let rest = text.strip_prefix("https://").or_else(|| on_this_machine(text)).ok_or_else(wrong)?;
        let (host, _) = rest.split_once('/').ok_or_else(wrong)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
        let printable = text.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
        if host.is_empty() || !host.bytes().all(plain) || !printable || !text.ends_with('/') {
            return Err(wrong());
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether a URL begins so, and holds nothing that a server could read as the way to another place.
    pub fn holds(&self, url: &str) -> bool {
        let path = url.strip_prefix(&self.0);
        path.is_some_and(|path| path.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\'))
    }

    /// The URL of what is below it.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

/// What stands behind `http://`, where the host is this machine.
fn on_this_machine(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("http://")?;
    rest.starts_with("127.0.0.1:").then_some(rest)
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_posted_to_only_below_its_base() {
        let slack = Slack::default().answers;
        assert!(slack.holds("https://hooks.slack.com/commands/T1/1/x"));
        for url in [
            "https://hooks.slack.com",
            "http://hooks.slack.com/x",
            "https://hooks.slack.com.evil.example/x",
            "https://hooks.slack.com@evil.example/x",
            "https://evil.example/https://hooks.slack.com/",
            "https://hooks.slack.com/\\evil.example",
            "https://hooks.slack.com/a b",
            "https://hooks.slack.com/ü",
            "HTTPS://HOOKS.SLACK.COM/x",
        ] {
            assert!(!slack.holds(url), "{url}");
        }
    }

    #[test]
    fn a_base_is_encrypted_or_on_this_machine() {
        for good in ["https://slack.com/api/", "https://desk.example.com:8443/", "http://127.0.0.1:4566/api/"]
        {
            assert_eq!(BaseUrl::parse(good).unwrap().to_string(), good);
        }
        for wrong in [
            "",
            "https://",
            "https:///x/",
            "https://slack.com",
            "https://slack.com/api",
            "http://slack.com/",
            "http://127.0.0.1.evil.example/",
            "https://user@slack.com/",
            "https://slack.com/a b/",
            "ftp://slack.com/",
        ] {
            assert!(BaseUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
