//! What an operator decides in `egress.toml`: groups of people, presets, durations, lists of domains. Who may
//! do what is decided in `policy.cedar` (see [`crate::policy`]).

mod routes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::adapter::settings::Settings as AdapterSettings;
use crate::domain::DomainPattern;

pub use routes::{BaseUrl, NotABase, Place, Route, Slack, Subject, Teams};

/// The whole file. A field that isn't known is an error: a misspelt one would be a rule that isn't there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Groups of people by name, each person by the id that intake proves. Policies speak of them; `approvers`
    /// must be among them.
    pub groups: BTreeMap<String, Vec<String>>,
    /// The ids that people have elsewhere, by their own id and the system: `slack`, `teams`, or the name of an
    /// adapter. Who isn't in here is nobody there.
    #[serde(default)]
    pub identities: BTreeMap<String, BTreeMap<String, String>>,
    /// How long things last.
    #[serde(default)]
    pub durations: Durations,
    /// What may never be asked for.
    #[serde(default)]
    pub denied_domains: Vec<DomainPattern>,
    /// Sets of domains that are approved at once, by name.
    #[serde(default)]
    pub presets: BTreeMap<String, Preset>,
    /// What counts as a risk.
    #[serde(default)]
    pub risk: RiskSettings,
    /// How alerts are grouped.
    #[serde(default)]
    pub alerts: Alerts,
    /// Who is told what, by a name for each route. Without any, the stack's topic is told everything.
    #[serde(default)]
    pub routes: BTreeMap<String, Route>,
    /// Slack's addresses.
    #[serde(default)]
    pub slack: Slack,
    /// Microsoft's addresses.
    #[serde(default)]
    pub teams: Teams,
    /// Ticket systems by name.
    #[serde(default)]
    pub adapters: BTreeMap<String, AdapterSettings>,
}

/// How long grants last and requests wait. Written as `90m`, `8h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Durations {
    /// Of a grant, where the request doesn't say.
    #[serde(deserialize_with = "duration")]
    pub default: Duration,
    /// After which a request that nobody decided lapses.
    #[serde(deserialize_with = "duration")]
    pub pending: Duration,
    /// After which approvers are first reminded of it. Each time after that is twice as long.
    #[serde(deserialize_with = "duration")]
    pub reminder: Duration,
}

/// What counts as a risk, and what is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RiskSettings {
    /// Hosts where anybody can upload, so that data can leave by them.
    pub anybody_can_upload: Vec<DomainPattern>,
    /// For how many days what was blocked is looked at, at most 14: so long alerts keep it.
    pub days: u32,
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

/// The group whose members decide. Policies may know others beside it.
pub const APPROVERS: &str = "approvers";
/// The longest that anything lasts.
pub const LONGEST: Duration = Duration::from_hours(24 * 3_660);
/// For so many days alerts keep what was blocked.
const MOST_DAYS: u32 = 14;
/// The most domains of a preset: a request for it is one item of the ledger and one event of the bus.
const LARGEST_PRESET: usize = 100;
/// Ways to say something that are no adapters.
const TAKEN: [&str; 5] = ["slack", "teams", "webhook", "mail", "answer"];
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

impl Default for Durations {
    fn default() -> Self {
        Self { default: 8 * HOUR, pending: 3 * DAY, reminder: 2 * HOUR }
    }
}

impl Default for RiskSettings {
    fn default() -> Self {
        Self { anybody_can_upload: Vec::new(), days: 7 }
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

    /// Everybody who is in some group, each once, as a person is compared.
    pub fn people(&self) -> BTreeSet<String> {
        self.groups.values().flatten().map(|person| same_spelling(person)).collect()
    }

    /// The person who has this id in a channel.
    pub fn person(&self, channel: &str, id: &str) -> Option<&str> {
        let is_it = |(_, ids): &(&String, &BTreeMap<String, String>)| {
            ids.get(channel).is_some_and(|known| known == id)
        };
        self.identities.iter().find(is_it).map(|(person, _)| person.as_str())
    }

    /// The id that a person has in a channel.
    pub fn id_of(&self, channel: &str, person: &str) -> Option<&str> {
        let person = same_spelling(person);
        let (_, ids) = self.identities.iter().find(|(known, _)| same_spelling(known) == person)?;
        ids.get(channel).map(String::as_str)
    }

    /// The ticket system to which a ticket of this name belongs.
    pub fn adapter_of(&self, ticket: &str) -> Option<&str> {
        let begins = |settings: &AdapterSettings| {
            settings.tickets.iter().any(|prefix| !prefix.is_empty() && ticket.starts_with(prefix))
        };
        self.adapters.iter().find(|(_, settings)| begins(settings)).map(|(name, _)| name.as_str())
    }

    /// The groups that a person is in.
    pub fn groups_of(&self, person: &str) -> impl Iterator<Item = &str> {
        let person = same_spelling(person);
        let holds = move |people: &Vec<String>| people.iter().any(|one| same_spelling(one) == person);
        self.groups.iter().filter(move |(_, people)| holds(people)).map(|(name, _)| name.as_str())
    }

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |message: String| Err(ConfigError::Meaning(message));
        let Durations { default, pending, reminder } = self.durations;
        for (name, duration) in [("default", default), ("pending", pending), ("reminder", reminder)] {
            if duration < MINUTE || duration > LONGEST {
                return wrong(format!("durations.{name} is under a minute, or over ten years"));
            }
        }
        if self.alerts.window < MINUTE || self.alerts.window > DAY {
            return wrong("alerts.window is under a minute, or over a day".to_owned());
        }
        if self.risk.days == 0 || self.risk.days > MOST_DAYS {
            return wrong(format!(
                "risk.days is {}: it is at least 1, and at most {MOST_DAYS}",
                self.risk.days
            ));
        }
        if self.groups.get(APPROVERS).is_none_or(Vec::is_empty) {
            return wrong(format!("groups.{APPROVERS} is missing or empty: somebody has to decide"));
        }
        for (name, people) in &self.groups {
            if people.iter().any(|person| person.trim().is_empty()) {
                return wrong(format!("groups.{name} has somebody without a name"));
            }
        }
        self.check_identities()?;
        self.check_routes()?;
        self.check_adapters()?;
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

impl Config {
    /// One id elsewhere is one person here, and one person here is one: who were two could approve an own request.
    fn check_identities(&self) -> Result<(), ConfigError> {
        let wrong = |message: String| Err(ConfigError::Meaning(message));
        let (mut ids, mut people) = (BTreeSet::new(), BTreeSet::new());
        for (person, channels) in &self.identities {
            if person.trim().is_empty() || !people.insert(same_spelling(person)) {
                return wrong(format!("identities has {person:?} without a name, or twice"));
            }
            for (channel, id) in channels {
                if !["slack", "teams"].contains(&channel.as_str()) && !self.adapters.contains_key(channel) {
                    return wrong(format!(
                        "identities.{person:?}.{channel}: there are slack, teams, and the names of adapters"
                    ));
                }
                if id.trim().is_empty() || !ids.insert((channel, id)) {
                    return wrong(format!(
                        "identities.{person:?}.{channel} is empty, or somebody else's, too"
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Config {
    fn check_routes(&self) -> Result<(), ConfigError> {
        let plain = |id: &str, others: &[u8]| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || others.contains(&byte);
            (2..=256).contains(&id.len()) && id.bytes().all(plain)
        };
        for (name, Route { to, tells }) in &self.routes {
            let good = match to {
                Place::Slack(id) => plain(id, b""),
                Place::Teams(id) => plain(id, b":@._-;="),
                Place::Mail | Place::AmazonQ => true,
            };
            if !good {
                return Err(ConfigError::Meaning(format!("routes.{name}.to is no channel's id")));
            }
            if tells.is_empty() {
                return Err(ConfigError::Meaning(format!("routes.{name}.tells is empty")));
            }
            // The buttons under a reminder go away by what is told of its request afterwards.
            let chat = matches!(to, Place::Slack(_) | Place::Teams(_));
            if chat && tells.contains(&Subject::Reminders) && !self.hears(to, Subject::Requests) {
                return Err(ConfigError::Meaning(format!(
                    "routes.{name}.tells: a chat that is reminded of requests has to be told \"requests\", too"
                )));
            }
        }
        Ok(())
    }

    fn hears(&self, place: &Place, subject: Subject) -> bool {
        self.routes.values().any(|Route { to, tells }| to == place && tells.contains(&subject))
    }

    /// Names only: what stands in a table is read where it is used ([`crate::adapter`]).
    fn check_adapters(&self) -> Result<(), ConfigError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        for name in self.adapters.keys() {
            let good = (1..=40).contains(&name.len()) && name.bytes().all(plain);
            if !good || TAKEN.contains(&name.as_str()) {
                return Err(ConfigError::Meaning(format!(
                    "adapters.{name}: a name is of a-z, 0-9 and -, at most 40, and none of {}",
                    TAKEN.join(", ")
                )));
            }
        }
        Ok(())
    }
}

/// Mail addresses and ids come in whatever case a chat or a directory has them. Nobody becomes another
/// person by it, and so approves an own request, or counts twice.
pub fn same_spelling(person: &str) -> String {
    person.trim().to_lowercase()
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "[groups]\napprovers = [\"bob\"]\n";

    fn error(more: &str) -> String {
        Config::parse(&format!("{SMALLEST}{more}")).unwrap_err().to_string()
    }

    #[test]
    fn the_smallest_configuration_has_safe_defaults() {
        let config = Config::parse(SMALLEST).unwrap();
        assert_eq!(config.durations.default, 8 * HOUR);
        assert_eq!(config.durations.reminder, 2 * HOUR);
        assert_eq!(config.alerts.window, 15 * MINUTE);
        assert_eq!(config.risk.days, 7);
    }

    #[test]
    fn the_example_is_valid_and_its_presets_hold_what_the_article_adds() {
        let config = Config::parse(include_str!("../../../infra/config/egress.toml")).unwrap();
        assert_eq!(config.preset_for("pypi.org"), Some("pypi"));
        assert_eq!(config.preset_for("files.pythonhosted.org"), Some("pypi"));
        assert_eq!(config.preset_for("github.com"), None);
    }

    #[test]
    fn a_person_is_the_same_in_any_spelling() {
        let config =
            Config::parse("[groups]\napprovers = [\"Bob\", \"carol\"]\nsecurity = [\" bob\"]\n").unwrap();
        assert_eq!(config.groups_of("BOB ").collect::<Vec<_>>(), ["approvers", "security"]);
        assert_eq!(config.groups_of("mallory").count(), 0);
        assert_eq!(config.people().into_iter().collect::<Vec<_>>(), ["bob", "carol"]);
    }

    #[test]
    fn who_has_an_id_elsewhere_is_one_person() {
        let config =
            "[identities]\n\"bob@example.com\" = { slack = \"U024BE7LH\" }\ncarol = { slack = \"U1\" }";
        let config = Config::parse(&format!("{SMALLEST}{config}")).unwrap();
        assert_eq!(config.person("slack", "U024BE7LH"), Some("bob@example.com"));
        assert_eq!((config.person("slack", "U2"), config.person("github", "U1")), (None, None));
        assert!(
            error("[identities]\na = { slack = \"U1\" }\nb = { slack = \"U1\" }").contains("somebody else's")
        );
        assert!(error("[identities]\na = { slack = \"\" }").contains("is empty"));
        assert!(error("[identities]\na = {}\nA = {}").contains("twice"));
    }

    #[test]
    fn routes_lead_somewhere_and_tell_how_it_goes_on() {
        let route = |to: &str, tells: &str| format!("[routes.r]\nto = {to}\ntells = [{tells}]\n");
        assert!(
            error(&route("{ slack = \"#general\" }", "\"alerts\""))
                .contains("routes.r.to is no channel's id")
        );
        assert!(error(&route("\"mail\"", "")).contains("routes.r.tells is empty"));
        let reminded = route("{ slack = \"C024BE91L\" }", "\"reminders\"");
        assert!(error(&reminded).contains("routes.r.tells: a chat that is reminded"));
        let told = "[routes.s]\nto = { slack = \"C024BE91L\" }\ntells = [\"requests\"]\n";
        assert!(Config::parse(&format!("{SMALLEST}{reminded}{told}")).is_ok());
        assert!(Config::parse(&format!("{SMALLEST}{}", route("\"mail\"", "\"reminders\""))).is_ok());
    }

    #[test]
    fn mistakes_are_named() {
        assert!(error("[durations]\ndefault = \"4000d\"").contains("durations.default"));
        assert!(error("[durations]\nlongst = \"60d\"").contains("longst"));
        assert!(error("[durations]\nreminder = \"10s\"").contains("durations.reminder"));
        assert!(error("security = [\" \"]").contains("groups.security has somebody without a name"));
        assert!(error("[risk]\ndays = 15").contains("risk.days is 15"));
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
        assert!(Config::parse("").unwrap_err().to_string().contains("groups"));
        let nobody = "[groups]\nsecurity = [\"bob\"]";
        assert!(Config::parse(nobody).unwrap_err().to_string().contains("groups.approvers is missing"));
        let denied = "[presets.p]\ndescription=\"x\"\ndomains=[\"a.evil.org\"]";
        let text = format!("denied_domains = [\".evil.org\"]\n{SMALLEST}{denied}");
        assert!(Config::parse(&text).unwrap_err().to_string().contains("presets.p: a.evil.org"));
    }
}
