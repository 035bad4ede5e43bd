//! `intake`, at its URL and behind a partner's bus.

use serde_json::json;
use tests::stage::{Deployed, TEAMS_CHANNEL};

use crate::trial::Trial;

const DORA: &str = "00000000-0000-0000-0000-00000000d0a0";

pub(crate) async fn does_nothing_without(trial: &mut Trial<'_>, deployed: &Deployed) -> anyhow::Result<()> {
    let webhook = async |_: &Trial<'_>, run: String| {
        let asks = json!({"action": "list", "by": "bob@example.com", "which": "mine"});
        let answer = deployed.webhook.send(&run, &asks).await?;
        anyhow::Ok(format!("{} {}", answer.status, answer.body))
    };
    trial.logs_nothing_without(&["Log logs:CreateLogStream", "Log logs:PutLogEvents"], webhook).await?;
    let secret = format!("Secrets secretsmanager:GetSecretValue {}", deployed.output("WebhookSecretArn")?);
    let own = ["Publish events:PutEvents", &secret];
    trial.without(&own, webhook).await?;
    let slack = async |_: &Trial<'_>, run: String| {
        let answer = deployed.slack.types("U0D0RA", "list mine", &run).await?;
        anyhow::Ok(format!("{} {}", answer.status, answer.body))
    };
    trial.without(&["Secrets secretsmanager:GetSecretValue :slack"], slack).await?;
    let dialog = async |_: &Trial<'_>, run: String| {
        let answer = deployed.slack.types("U0D0RA", "request", &run).await?;
        anyhow::Ok(format!("{} {}", answer.status, answer.body))
    };
    trial.without(&["Secrets secretsmanager:GetSecretValue :slack-token"], dialog).await?;
    let teams = async |_: &Trial<'_>, run: String| {
        let answer = deployed.senders.teams(DORA, TEAMS_CHANNEL, &run, "list mine").await?;
        anyhow::Ok(format!("{} {}", answer.status, answer.body))
    };
    trial.without(&["Secrets secretsmanager:GetSecretValue :teams"], teams).await?;
    let ticket = async |_: &Trial<'_>, run: String| {
        let actor = json!({"email": "bob@example.com"});
        let approved = json!({"kind": "ticket.state", "event_id": run, "actor": actor, "ticket": {"id": run, "state": "approved"}});
        let answer = deployed.senders.desk(&approved).await?;
        anyhow::Ok(format!("{} {}", answer.status, answer.body))
    };
    trial.without(&["Secrets secretsmanager:GetSecretValue :tickets"], ticket).await
}

pub(crate) async fn hears_no_partner_without(trial: &mut Trial<'_>) -> anyhow::Result<()> {
    let told = async |trial: &Trial<'_>, run: String| {
        let actor = json!({"email": "bob@example.com"});
        let detail = json!({"kind": "ticket.state", "event_id": run, "actor": actor, "ticket": {"id": run, "state": "approved"}});
        trial
            .invoke(
                &json!({"id": run, "source": "desk.example.com", "detail-type": "desk", "detail": detail}),
            )
            .await
    };
    trial.logs_nothing_without(&["Log logs:CreateLogStream", "Log logs:PutLogEvents"], told).await?;
    trial.without(&["Publish events:PutEvents"], told).await?;
    trial.sends_no_dead_letters_without("DeadLetters sqs:SendMessage").await
}
