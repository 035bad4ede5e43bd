//! What an operator decides in `egress.toml`: groups of people, presets, durations, lists of domains. Who may
//! do what is decided in `policy.cedar` (see [`crate::policy`]).

mod check;
mod field;
mod read;
mod routes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::adapter::settings::Settings as AdapterSettings;
use crate::domain::DomainPattern;
use crate::validation::{File, Mistakes, Unreadable};

pub(crate) use field::FieldPath;
pub(crate) use read::{Reading, read};
pub use routes::{BaseUrl, NotABase, Place, Route, Slack, Subject, Teams};

/// The whole file. A field that isn't known is an error: a misspelt one would be a rule that isn't there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Groups of people by name, each person by the id that intake proves. Policies speak of them; `approvers`
    /// must be among them.
    #[serde(default)]
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
    /// After how long a digest sums up what an owner was blocked at of a domain; at most an hour.
    #[serde(deserialize_with = "duration")]
    pub window: Duration,
    /// For how long an alert at once is not repeated; at least a window, and at most 96 of them.
    #[serde(deserialize_with = "duration")]
    pub repeat: Duration,
    /// What raises an alert's severity.
    pub raise: Raise,
}

/// What raises an alert's severity: each can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Raise {
    /// So many distinct names or addresses that one owner asks for in a window; 0 for never.
    pub many_names: u64,
    /// A name below a suffix where anybody can have one, such as `github.io`.
    pub shared_hosting: bool,
    /// A connection to an address, without a name.
    pub bare_address: bool,
}

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error(transparent)]
    Read(#[from] Unreadable),
    /// It is not TOML, or not of this form, or can't be meant. The text names lines and fields.
    #[error(transparent)]
    Wrong(#[from] Mistakes),
}

/// The group whose members decide. Policies may know others beside it.
pub const APPROVERS: &str = "approvers";
/// The longest that anything lasts.
pub const LONGEST: Duration = Duration::from_hours(24 * 3_660);
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
        Self { window: 15 * MINUTE, repeat: 4 * HOUR, raise: Raise::default() }
    }
}

impl Default for Raise {
    fn default() -> Self {
        Self { many_names: 50, shared_hosting: true, bare_address: true }
    }
}

impl Config {
    /// Reads and checks the text of an `egress.toml`, at most 300,000 bytes.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::of(text.as_bytes())
    }

    /// Reads the file that lies beside the function (`$LAMBDA_TASK_ROOT/egress.toml`), or at
    /// `EGRESS_CONFIG` when that is set.
    pub fn from_env() -> Result<Self, ConfigError> {
        let config = Self::of(&File::EgressToml.of_the_function()?)?;
        let version = std::env::var("CONFIGURATION_VERSION").unwrap_or_default();
        tracing::info!(version, "the configuration is read");
        Ok(config)
    }

    fn of(bytes: &[u8]) -> Result<Self, ConfigError> {
        let Reading { config, mistakes, .. } = read(bytes)?;
        Mistakes::none_in(mistakes)?;
        Ok(config)
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
}

/// Mail addresses and ids come in whatever case a chat or a directory has them. Nobody becomes another
/// person by it, and so approves an own request, or counts twice.
pub fn same_spelling(person: &str) -> String {
    person.trim().to_lowercase()
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = |error| format!("{text:?} is no duration such as 90m, 8h or 7d: {error}");
    humantime::parse_duration(&text).map_err(|error| serde::de::Error::custom(wrong(error)))
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
        assert!(error("[identities]\na = { slack = \"\" }").contains("identities.a.slack: it is empty"));
        assert!(error("[identities]\na = {}\nA = {}").contains("twice"));
    }

    #[test]
    fn routes_lead_somewhere_and_tell_how_it_goes_on() {
        let route = |to: &str, tells: &str| format!("[routes.r]\nto = {to}\ntells = [{tells}]\n");
        assert!(
            error(&route("{ slack = \"#general\" }", "\"alerts\""))
                .contains("line 4: routes.r.to: it is no channel's id")
        );
        assert!(error(&route("\"mail\"", "")).contains("routes.r.tells: it is empty"));
        let reminded = route("{ slack = \"C024BE91L\" }", "\"reminders\"");
        assert!(error(&reminded).contains("routes.r.tells: a chat that is reminded"));
        let told = "[routes.s]\nto = { slack = \"C024BE91L\" }\ntells = [\"requests\"]\n";
        assert!(Config::parse(&format!("{SMALLEST}{reminded}{told}")).is_ok());
        assert!(Config::parse(&format!("{SMALLEST}{}", route("\"mail\"", "\"reminders\""))).is_ok());
    }

    #[test]
    fn alerts_repeat_after_whole_windows_and_are_raised_as_it_is_said() {
        let alerts = |text: &str| Config::parse(&format!("{SMALLEST}{text}")).map(|config| config.alerts);
        let usual = alerts("").unwrap();
        assert_eq!((usual.window, usual.repeat), (15 * MINUTE, 4 * HOUR));
        assert_eq!(
            (usual.raise.many_names, usual.raise.shared_hosting, usual.raise.bare_address),
            (50, true, true)
        );
        let own = "[alerts]\nwindow = \"5m\"\nrepeat = \"8h\"\n[alerts.raise]\nmany_names = 0\nbare_address = false";
        let own = alerts(own).unwrap();
        assert_eq!((own.window, own.repeat), (5 * MINUTE, 8 * HOUR));
        assert_eq!(
            (own.raise.many_names, own.raise.shared_hosting, own.raise.bare_address),
            (0, true, false)
        );

        for (text, field) in [
            ("window = \"59s\"", "alerts.window"),
            ("window = \"61m\"", "alerts.window"),
            ("repeat = \"14m\"", "alerts.repeat: it is under one window, or over 96"),
            ("repeat = \"25h\"", "alerts.repeat: it is under one window, or over 96"),
            // The usual time has too many of such windows.
            ("window = \"1m\"", "alerts.repeat"),
            ("repeat = 4", "alerts.repeat"),
            ("raise = { many_names = -1 }", "alerts.raise.many_names"),
            ("raise = { many = 1 }", "many"),
        ] {
            let error = error(&format!("[alerts]\n{text}"));
            assert!(error.contains(field), "{text}: {error}");
        }
        assert!(alerts("[alerts]\nwindow = \"1h\"\nrepeat = \"96h\"").is_ok());
        assert!(alerts("[alerts]\nwindow = \"1h\"\nrepeat = \"1h\"").is_ok());
    }

    #[test]
    fn mistakes_are_named() {
        assert!(error("[durations]\ndefault = \"4000d\"").contains("durations.default"));
        assert!(error("[durations]\nlongst = \"60d\"").contains("longst"));
        assert!(error("[durations]\nreminder = \"10s\"").contains("durations.reminder"));
        assert!(error("security = [\" \"]").contains("groups.security: somebody in it has no name"));
        assert!(error("[risk]\ndays = 15").contains("risk.days: 15 is not from 1 to 14"));
        assert!(
            error("[presets.all]\ndescription = \"x\"\ndomains = [\".co.uk\"]")
                .contains("presets.all.domains: co.uk is a public suffix")
        );
        assert!(
            error("[presets.all]\ndescription = \"x\"\ndomains = []")
                .contains("presets.all.domains: it is empty")
        );
        assert!(
            error("[presets.all]\ndescription = \"x\"\ndomains = [\"10.0.0.1\"]")
                .contains("10.0.0.1 is an IP address")
        );
        assert!(error("[alerts]\nwindow = \"2d\"").contains("alerts.window"));
        assert!(error("[durations]\npending = \"10s\"").contains("durations.pending"));
        assert!(Config::parse("").unwrap_err().to_string().contains("groups"));
        let nobody = "[groups]\nsecurity = [\"bob\"]";
        assert!(Config::parse(nobody).unwrap_err().to_string().contains("groups.approvers: it is missing"));
        let denied = "[presets.p]\ndescription=\"x\"\ndomains=[\"a.evil.org\"]";
        let text = format!("denied_domains = [\".evil.org\"]\n{SMALLEST}{denied}");
        assert!(Config::parse(&text).unwrap_err().to_string().contains("presets.p.domains: a.evil.org"));
    }
}
