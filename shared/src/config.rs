//! What an operator decides, in `egress.toml`: who approves, presets, durations, the deny list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::domain::DomainPattern;

/// The whole file. A field that isn't known is an error: a misspelt one would be a rule that isn't there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who decides, and how many it takes.
    pub approval: Approvals,
    /// How long things last.
    #[serde(default)]
    pub durations: Durations,
    /// What may never be asked for.
    #[serde(default)]
    pub denied_domains: Vec<DomainPattern>,
    /// Sets of domains that are approved at once, by name.
    #[serde(default)]
    pub presets: BTreeMap<String, Preset>,
    /// How alerts are grouped.
    #[serde(default)]
    pub alerts: Alerts,
}

/// Who decides about requests that no preset covers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// The people who may approve, deny and revoke, by the id that intake proves. Never one's own request.
    pub approvers: Vec<String>,
    /// How many distinct people have to say yes.
    #[serde(default = "one")]
    pub needed: usize,
}

/// How long grants last and requests wait. Written as `90m`, `8h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Durations {
    /// Of a grant, where the request doesn't say.
    #[serde(deserialize_with = "duration")]
    pub default: Duration,
    /// Of a grant, at most. A request for longer is refused.
    #[serde(deserialize_with = "duration")]
    pub longest: Duration,
    /// After which a request that nobody decided lapses.
    #[serde(deserialize_with = "duration")]
    pub pending: Duration,
}

/// Domains that belong together and are approved at once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What it is for, for those who choose among presets.
    pub description: String,
    /// Its domains.
    pub domains: Vec<DomainPattern>,
}

/// How alerts about blocked traffic are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// For how long one alert speaks for a source and a destination.
    #[serde(deserialize_with = "duration")]
    pub window: Duration,
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the configuration {path} can't be read: {cause}")]
    Read {
        /// Where it was looked for.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// It is not TOML, or not of this form. The text names line and field.
    #[error("the configuration is wrong: {0}")]
    Parse(#[from] toml::de::Error),
    /// It is of the right form, and can't be meant.
    #[error("the configuration is wrong: {0}")]
    Meaning(String),
}

/// The most domains of a preset: a request for it is one item of the ledger and one event of the bus.
const LARGEST_PRESET: usize = 100;
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

impl Default for Durations {
    fn default() -> Self {
        Self { default: 8 * HOUR, longest: 30 * DAY, pending: 3 * DAY }
    }
}

impl Default for Alerts {
    fn default() -> Self {
        Self { window: 15 * MINUTE }
    }
}

impl Config {
    /// Reads and checks the text of an `egress.toml`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// Reads the file that lies beside the function (`$LAMBDA_TASK_ROOT/egress.toml`), or at
    /// `EGRESS_CONFIG` when that is set.
    pub fn from_env() -> Result<Self, ConfigError> {
        let path = match std::env::var_os("EGRESS_CONFIG") {
            Some(path) => PathBuf::from(path),
            None => Path::new(&std::env::var_os("LAMBDA_TASK_ROOT").unwrap_or_default()).join("egress.toml"),
        };
        let text = std::fs::read_to_string(&path).map_err(|cause| ConfigError::Read { path, cause })?;
        Self::parse(&text)
    }

    /// The first preset, by name, in which a host is.
    pub fn preset_for(&self, host: &str) -> Option<&str> {
        let holds = |preset: &Preset| preset.domains.iter().any(|pattern| pattern.matches(host));
        self.presets.iter().find(|(_, preset)| holds(preset)).map(|(name, _)| name.as_str())
    }

    /// Whether some preset covers this pattern, so that nobody has to decide about it.
    pub fn is_preset(&self, pattern: &DomainPattern) -> bool {
        self.presets.values().flat_map(|preset| &preset.domains).any(|known| known.covers(pattern))
    }

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |message: String| Err(ConfigError::Meaning(message));
        let Durations { default, longest, pending } = self.durations;
        if default > longest {
            return wrong("durations.default is longer than durations.longest".to_owned());
        }
        for (name, duration) in [("default", default), ("longest", longest), ("pending", pending)] {
            if duration < MINUTE || duration > 3_660 * DAY {
                return wrong(format!("durations.{name} is under a minute, or over ten years"));
            }
        }
        if self.alerts.window < MINUTE || self.alerts.window > DAY {
            return wrong("alerts.window is under a minute, or over a day".to_owned());
        }
        let people = self
            .approval
            .approvers
            .iter()
            .map(|person| person.trim().to_lowercase())
            .collect::<BTreeSet<_>>()
            .len();
        if self.approval.needed == 0 || self.approval.needed > people {
            return wrong(format!(
                "approval.needed is {}: it takes at least one approver, and there are {people}",
                self.approval.needed
            ));
        }
        for (name, preset) in &self.presets {
            if preset.domains.is_empty() {
                return wrong(format!("presets.{name} has no domains"));
            }
            if preset.domains.len() > LARGEST_PRESET {
                return wrong(format!("presets.{name} has more than {LARGEST_PRESET} domains"));
            }
            for pattern in &preset.domains {
                if let Err(reason) = DomainPattern::requested(&pattern.to_string(), &self.denied_domains) {
                    return wrong(format!("presets.{name}: {reason}"));
                }
            }
        }
        Ok(())
    }
}

fn one() -> usize {
    1
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "[approval]\napprovers = [\"bob\"]\n";

    fn error(more: &str) -> String {
        Config::parse(&format!("{SMALLEST}{more}")).unwrap_err().to_string()
    }

    #[test]
    fn the_smallest_configuration_has_safe_defaults() {
        let config = Config::parse(SMALLEST).unwrap();
        assert_eq!(config.approval.needed, 1);
        assert_eq!(config.durations.default, 8 * HOUR);
        assert_eq!(config.alerts.window, 15 * MINUTE);
    }

    #[test]
    fn the_example_is_valid_and_its_presets_hold_what_the_article_adds() {
        let config = Config::parse(include_str!("../../infra/config/egress.toml")).unwrap();
        assert_eq!(config.preset_for("pypi.org"), Some("pypi"));
        assert_eq!(config.preset_for("files.pythonhosted.org"), Some("pypi"));
        assert_eq!(config.preset_for("github.com"), None);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(error("needed = 2").contains("approval.needed is 2"));
        assert!(error("[durations]\ndefault = \"60d\"").contains("durations.default"));
        assert!(error("[durations]\nlongst = \"60d\"").contains("longst"));
        assert!(error("needed = 0").contains("approval.needed is 0"));
        assert!(
            Config::parse("[approval]\napprovers = [\"bob\", \"Bob\"]\nneeded = 2")
                .unwrap_err()
                .to_string()
                .contains("approval.needed is 2: it takes at least one approver, and there are 1")
        );
        assert!(
            error("[presets.all]\ndescription = \"x\"\ndomains = [\".co.uk\"]")
                .contains("presets.all: co.uk is a public suffix")
        );
        assert!(
            error("[presets.all]\ndescription = \"x\"\ndomains = []").contains("presets.all has no domains")
        );
        assert!(
            error("[presets.all]\ndescription = \"x\"\ndomains = [\"10.0.0.1\"]")
                .contains("10.0.0.1 is an IP address")
        );
        assert!(error("[alerts]\nwindow = \"2d\"").contains("alerts.window"));
        assert!(error("[durations]\npending = \"10s\"").contains("durations.pending"));
        assert!(Config::parse("").unwrap_err().to_string().contains("approval"));
        let denied = "[presets.p]\ndescription=\"x\"\ndomains=[\"a.evil.org\"]";
        let text = format!("denied_domains = [\".evil.org\"]\n{SMALLEST}{denied}");
        assert!(Config::parse(&text).unwrap_err().to_string().contains("presets.p: a.evil.org"));
    }
}
