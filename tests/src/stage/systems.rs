//! The chats and ticket systems beside the stack: what an operator keeps secret, and configures.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::channels::{self, Channels, Systems};
use crate::local_aws::LocalAws;
use crate::senders::Senders;

/// The signing secret of the app in Slack.
pub(super) const SLACK_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
/// Who is who in Slack, Teams, GitHub and Jira; and who is told what.
const PEOPLE: &str = r#"
[identities]
"alice@example.com" = { slack = "U0ALICE", teams = "00000000-0000-0000-0000-00000000a11c", github = "101", jira = "acc-alice" }
"dora@example.com" = { slack = "U0D0RA", teams = "00000000-0000-0000-0000-00000000d0a0", github = "102", jira = "acc-dora" }
"bob@example.com" = { slack = "U0B0B", teams = "00000000-0000-0000-0000-000000000b0b", github = "103", jira = "acc-bob" }

[routes.slack]
to = { slack = "C0EGRESS" }
tells = ["requests", "reminders", "alerts", "digests", "drift", "refused"]
[routes.teams]
to = { teams = "19:egress@thread.tacv2" }
tells = ["requests", "reminders", "alerts", "digests", "drift", "refused"]
[routes.chat]
to = "amazon_q"
tells = ["requests", "reminders", "alerts", "digests", "drift", "refused"]
[routes.mail]
to = "mail"
tells = ["requests", "reminders", "alerts", "digests", "drift", "refused", "answers"]
"#;

/// The example configuration, whose systems are those of this machine, and which knows some people.
pub(super) fn config(directory: &Path, channels: &Channels) -> anyhow::Result<PathBuf> {
    let file = directory.join("egress.toml");
    let mut text = std::fs::read_to_string(super::root()?.join("infra/config/egress.toml"))?;
    for (theirs, ours) in [
        ("https://api.github.com/", channels.github_api()),
        ("https://example.atlassian.net/", channels.jira_site()),
        ("https://example.service-now.com/", channels.servicenow_instance()),
        ("https://desk.example.com/", channels.desk_url()),
    ] {
        ensure!(text.contains(theirs), "the example configuration has no {theirs}");
        text = text.replace(theirs, &ours);
    }
    // Digests while somebody waits for them.
    for (theirs, ours) in [("window = \"15m\"", "window = \"1m\""), ("repeat = \"4h\"", "repeat = \"1h\"")] {
        ensure!(text.contains(theirs), "the example configuration has no {theirs}");
        text = text.replace(theirs, ours);
    }
    let (api, answers) = (channels.slack_api(), channels.slack_answers());
    let (service, login) = (channels.teams_service(), channels.teams_login());
    let chats = format!(
        "[slack]\napi = {api:?}\nanswers = {answers:?}\n[teams]\nservice = {service:?}\nlogin = {login:?}\n"
    );
    std::fs::write(&file, format!("{text}{PEOPLE}{chats}"))?;
    Ok(file)
}

/// What an operator puts into Secrets Manager; the ARNs, by the Makefile's names for them.
pub(super) async fn secrets(aws: &LocalAws) -> anyhow::Result<Vec<(&'static str, String)>> {
    let client = aws_sdk_secretsmanager::Client::new(&aws.sdk_config());
    let mut arns = Vec::new();
    for (variable, name, text) in [
        ("SLACK_SECRET_ARN", "slack", SLACK_SECRET.to_owned()),
        ("SLACK_TOKEN_SECRET_ARN", "slack-token", channels::slack::TOKEN.to_owned()),
        ("TEAMS_SECRET_ARN", "teams", Senders::teams_secret().to_owned()),
        ("TEAMS_BOT_SECRET_ARN", "teams-bot", Systems::teams_secret().to_string()),
        ("TICKET_SECRETS_ARN", "tickets", Senders::secrets()),
        ("TICKET_AUTHORIZATIONS_ARN", "ticket-authorizations", Systems::ticket_authorizations().to_string()),
    ] {
        let secret = client.create_secret().name(name).secret_string(text).send().await?;
        arns.push((variable, secret.arn.context("a secret without an ARN")?));
    }
    Ok(arns)
}
