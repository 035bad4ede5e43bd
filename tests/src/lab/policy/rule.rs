//! One line of Suricata's language, as far as the lab must understand it: action, sid, priority.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// The four actions that Network Firewall takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Alert,
    Drop,
    Pass,
    Reject,
}

impl Action {
    /// Its place in `DEFAULT_ACTION_ORDER`.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Drop => 1,
            Self::Reject => 2,
            Self::Alert => 3,
        }
    }

    fn parse(word: &str) -> Result<Self> {
        match word {
            "alert" => Ok(Self::Alert),
            "drop" => Ok(Self::Drop),
            "pass" => Ok(Self::Pass),
            "reject" => Ok(Self::Reject),
            other => Err(super::unknown("the action", other)),
        }
    }
}

/// A rule, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) action: Action,
    pub(super) sid: u64,
    pub(super) priority: u64,
    header: String,
    options: Vec<String>,
}

impl Rule {
    /// Reads a line; an empty one or a comment is none.
    pub(super) fn parse(line: &str, variables: &BTreeMap<String, Vec<String>>) -> Result<Option<Self>> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let (head, body) = line.split_once('(').context("no options in parentheses")?;
        let body = body.strip_suffix(')').context("no closing parenthesis at the end")?;
        let (word, header) = head.trim().split_once(' ').context("no header")?;
        let action = Action::parse(word)?;
        super::acceptable(action, header.split(' ').next().unwrap_or_default())?;
        let options = options(body);
        let number = |key: &str| -> Option<u64> {
            options.iter().find_map(|option| value(option, key)).and_then(|value| value.parse().ok())
        };
        Ok(Some(Self {
            action,
            sid: number("sid").context("sid not assigned")?,
            priority: number("priority").unwrap_or(3),
            header: substitute(header, variables)?,
            options,
        }))
    }

    /// The protocol that it looks at.
    pub(super) fn protocol(&self) -> &str {
        self.header.split(' ').next().unwrap_or_default()
    }

    /// Whether it looks at what servers say.
    pub(super) fn is_about_answers(&self) -> bool {
        let flows = self.options.iter().filter_map(|option| value(option, "flow"));
        flows.flat_map(|flow| flow.split(',')).any(|word| ["to_client", "from_server"].contains(&word.trim()))
    }

    /// The rule with the same conditions but for flowbits, and without a record.
    pub(super) fn in_silence(mut self) -> Self {
        self.options.retain(|option| value(option, "flowbits").is_none() && option != "noalert");
        self.options.push("noalert".to_owned());
        self
    }

    /// The line again, with another action, perhaps more options, and another number.
    pub(super) fn write(&self, keyword: &str, more: &[&str], sid: u64) -> String {
        let own = self.options.iter().map(|option| match value(option, "sid") {
            Some(_) => format!("sid:{sid}"),
            None => option.clone(),
        });
        let options: Vec<String> = own.chain(more.iter().map(|&option| option.to_owned())).collect();
        format!("{keyword} {} ({};)", self.header, options.join("; "))
    }
}

/// Cuts the options at their semicolons, save those within quotes or behind a backslash.
fn options(body: &str) -> Vec<String> {
    let (mut found, mut current) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for letter in body.chars() {
        quoted ^= letter == '"' && !escaped;
        if letter == ';' && !quoted && !escaped {
            found.push(std::mem::take(&mut current).trim().to_owned());
        } else {
            current.push(letter);
        }
        escaped = letter == '\\' && !escaped;
    }
    found.push(current.trim().to_owned());
    found.retain(|option| !option.is_empty());
    found
}

fn value<'a>(option: &'a str, key: &str) -> Option<&'a str> {
    let (name, value) = option.split_once(':')?;
    (name.trim() == key).then(|| value.trim())
}

/// Puts a group's own variables into a rule's header; Suricata knows only one set for all groups.
fn substitute(header: &str, variables: &BTreeMap<String, Vec<String>>) -> Result<String> {
    let words = header.split_whitespace().map(|word| {
        let Some((before, name)) = word.split_once('$') else { return Ok(word.to_owned()) };
        if let Some(values) = variables.get(name) {
            return Ok(format!("{before}[{}]", values.join(",")));
        }
        ensure!(["HOME_NET", "EXTERNAL_NET"].contains(&name), "the variable ${name} is defined nowhere");
        Ok(word.to_owned())
    });
    Ok(words.collect::<Result<Vec<_>>>()?.join(" "))
}
