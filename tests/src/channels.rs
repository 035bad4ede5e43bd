//! The APIs of the chat and ticket systems that notices are posted to, on this machine: Slack, Microsoft
//! Teams, GitHub, Jira, ServiceNow, and a desk of no vendor.
//!
//! Each stand-in answers as its system's documentation says, refuses what that forbids, and keeps what people
//! would see. What was asked for and is forbidden is a violation: a story ends with the assertion that there
//! was none. What goes wrong is said beforehand ([`Faults`]). None of them knows a limit of rate of its own.

mod faults;
mod server;
pub mod slack;
mod stand_in;
pub mod teams;
pub mod tickets;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use faults::{Fault, Faults};
use server::{Call, HungUp, Reply};
use stand_in::Notes;
pub use stand_in::{Note, Seen, StandIn, Taken};

/// The stand-ins. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Systems {
    /// Slack's Web API.
    pub slack: StandIn<slack::Workspace>,
    /// Slack's response URLs.
    pub answers: StandIn<slack::Answers>,
    /// Microsoft's sign-in, where a bot gets its tokens.
    pub login: StandIn<teams::Login>,
    /// The Bot Connector of Microsoft Teams.
    pub teams: StandIn<teams::Tenant>,
    /// GitHub's issues.
    pub github: StandIn<tickets::Tickets>,
    /// Jira's issues.
    pub jira: StandIn<tickets::Tickets>,
    /// ServiceNow's tables.
    pub servicenow: StandIn<tickets::Tickets>,
    /// A desk of no vendor.
    pub desk: StandIn<tickets::Tickets>,
    /// What was asked of none of them: each request is a violation.
    pub elsewhere: StandIn<()>,
}

/// The stand-ins on one port of this machine. It is closed, with all its connections, when this is dropped.
#[derive(Debug)]
pub struct Channels {
    systems: Systems,
    address: SocketAddr,
    #[expect(dead_code, reason = "held so that the server ends with it")]
    server: JoinSet<Infallible>,
}

impl Deref for Channels {
    type Target = Systems;

    fn deref(&self) -> &Systems {
        &self.systems
    }
}

impl Channels {
    /// Starts them all, on a free port.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, systems, mut server) = (listener.local_addr()?, Systems::default(), JoinSet::new());
        let answering = systems.clone();
        server.spawn(server::serve(listener, move |call| {
            let systems = answering.clone();
            async move { systems.answer(call).await }
        }));
        Ok(Self { systems, address, server })
    }

    /// Where all begins: `http://127.0.0.1:<port>/`.
    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// In place of `https://slack.com/api/`.
    pub fn slack_api(&self) -> String {
        self.url("api/")
    }

    /// In place of `https://hooks.slack.com/`: response URLs are `commands/…` and `actions/…` there.
    pub fn slack_answers(&self) -> String {
        self.url("")
    }

    /// In place of `https://login.microsoftonline.com/`.
    pub fn teams_login(&self) -> String {
        self.url("login/")
    }

    /// In place of `https://smba.trafficmanager.net/teams/`.
    pub fn teams_service(&self) -> String {
        self.url("teams/")
    }

    /// In place of `https://api.github.com/`.
    pub fn github_api(&self) -> String {
        self.url("github/")
    }

    /// In place of a site's `https://<site>.atlassian.net/`.
    pub fn jira_site(&self) -> String {
        self.url("jira/")
    }

    /// In place of an instance's `https://<instance>.service-now.com/`.
    pub fn servicenow_instance(&self) -> String {
        self.url("servicenow/")
    }

    /// The URL of the desk.
    pub fn desk_url(&self) -> String {
        self.url("desk/")
    }
}

impl Systems {
    /// What the secret of a Teams bot holds.
    pub fn teams_secret() -> Value {
        let (tenant, client, secret) = (teams::TENANT_ID, teams::CLIENT_ID, teams::CLIENT_SECRET);
        json!({"tenant_id": tenant, "client_id": client, "client_secret": secret})
    }

    /// The `Authorization` headers of the ticket systems, by the names `github`, `jira`, `servicenow`, `desk`.
    pub fn ticket_authorizations() -> Value {
        json!({
            "github": tickets::github::AUTHORIZATION,
            "jira": tickets::jira::AUTHORIZATION,
            "servicenow": tickets::servicenow::AUTHORIZATION,
            "desk": tickets::desk::AUTHORIZATION,
        })
    }

    /// What was asked for anywhere and is forbidden, one line each: a test asserts that there is nothing.
    pub fn violations(&self) -> Vec<String> {
        let tickets = [&self.github, &self.jira, &self.servicenow, &self.desk];
        let mut violations = self.slack.violations();
        violations.extend(self.answers.violations());
        violations.extend(self.login.violations());
        violations.extend(self.teams.violations());
        violations.extend(tickets.into_iter().flat_map(StandIn::violations));
        violations.extend(self.elsewhere.violations());
        violations
    }

    async fn answer(&self, call: Call) -> Result<Reply, HungUp> {
        match call.parts.first().map(String::as_str) {
            Some("api") => self.slack.take(&call, slack::answer).await,
            Some("commands" | "actions") => self.answers.take(&call, slack::answers::answer).await,
            Some("login") => self.login.take(&call, teams::login::answer).await,
            Some("teams") => {
                let login = self.login.look(|seen| seen.now.clone());
                let answer =
                    |tenant: &mut _, call: &_, notes: &mut _| teams::answer(tenant, &login, call, notes);
                self.teams.take(&call, answer).await
            }
            Some("github") => self.github.take(&call, tickets::github::answer).await,
            Some("jira") => self.jira.take(&call, tickets::jira::answer).await,
            Some("servicenow") => self.servicenow.take(&call, tickets::servicenow::answer).await,
            Some("desk") => self.desk.take(&call, tickets::desk::answer).await,
            _ => {
                let nowhere = |(): &mut (), _: &Call, notes: &mut Notes| {
                    notes.violation("nobody is here");
                    Reply::empty(404)
                };
                self.elsewhere.take(&call, nowhere).await
            }
        }
    }
}
