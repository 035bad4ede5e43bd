//! What the firewall blocks, from its log to the people.

use std::time::Duration;

use anyhow::ensure;
use jiff::Timestamp;
use serde_json::{Value, json};
use tests::stage::Deployed;

use crate::LIMIT;

/// How often the notebook tries in the storm.
const STORM: u64 = 50_000;
/// Records in one call to CloudWatch Logs, which takes a megabyte.
const AT_ONCE: usize = 2_000;
/// The longest window's end and what it waits for late records.
const SUMMED_UP: Duration = Duration::from_mins(4);

/// A record of a blocked connection, as the firewall logs it.
fn record(source: &str, name: &str, at: Timestamp, flow: u64) -> Value {
    json!({
        "firewall_name": "by-hand", "availability_zone": "us-east-1a", "event_timestamp": at.as_second().to_string(),
        "event": {
            "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000000+0000").to_string(), "flow_id": flow,
            "event_type": "alert", "proto": "TCP", "src_ip": source, "src_port": 40_000 + flow % 20_000,
            "dest_ip": "203.0.113.9", "dest_port": 443, "app_proto": "tls",
            "alert": {"action": "blocked", "signature_id": 4, "signature": "aws:alert_established action"},
            "verdict": {"action": "drop"}, "tls": {"sni": name, "version": "UNDETERMINED"},
        },
    })
}

/// Alice's notebook tries again and again.
pub(crate) async fn a_storm_begins(deployed: &Deployed) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let lines: Vec<String> =
        (0..STORM).map(|flow| record("10.2.3.10", "api.stormy.example", now, flow).to_string()).collect();
    for lines in lines.chunks(AT_ONCE) {
        deployed.log(lines).await?;
    }
    Ok(())
}

/// The storm was one alert, and one digest with the right number.
pub(crate) async fn the_storm_was_one_alert_and_one_digest(deployed: &mut Deployed) -> anyhow::Result<()> {
    let is_digest = |subject: &str| subject.contains("stormy.example") && subject.contains("in all");
    let digest = deployed.inbox.find(SUMMED_UP, |message| is_digest(&message.subject)).await?;
    ensure!(digest.text.contains(&format!("{STORM}, {} suppressed", STORM - 1)), "{}", digest.text);
    ensure!(digest.text.contains("user profile alice in d-"), "{}", digest.text);
    let all: Vec<&str> = deployed
        .inbox
        .messages
        .iter()
        .map(|message| message.subject.as_str())
        .filter(|it| it.contains("stormy"))
        .collect();
    ensure!(all.len() == 2 && all.iter().filter(|subject| is_digest(subject)).count() == 1, "{all:?}");
    Ok(())
}

/// An alert says how it is silenced; an approver does; and others are told of other things.
pub(crate) async fn an_alert_is_silenced_by_who_may(deployed: &mut Deployed) -> anyhow::Result<()> {
    let now = Timestamp::now();
    deployed.log(&[record("10.2.3.98", "www.noisy.example", now, 1).to_string()]).await?;
    let alert = deployed.inbox.find(LIMIT, |message| message.subject.contains("www.noisy.example")).await?;
    ensure!(alert.text.contains("\"action\":\"silence\""), "{}", alert.text);

    let silence =
        |by: &str| json!({"action": "silence", "by": by, "domain": "www.noisy.example", "duration": "1h"});
    deployed.webhook.send("silence-1", &silence("dora@example.com")).await?;
    let refused = deployed.inbox.find(LIMIT, |message| message.text.contains("lets you silence")).await?;
    ensure!(refused.subject.starts_with("Not done"), "{}", refused.subject);
    deployed.webhook.send("silence-2", &silence("bob@example.com")).await?;
    let answer = deployed.inbox.find(LIMIT, |message| message.subject.starts_with("Silenced")).await?;
    ensure!(answer.text.contains("Alerts about noisy.example rest until"), "{}", answer.text);

    let others = [("www.noisy.example", 2), ("www.audible.example", 3)];
    let lines = others.map(|(name, flow)| record("10.2.3.97", name, now, flow).to_string());
    deployed.log(&lines).await?;
    deployed.inbox.find(LIMIT, |message| message.subject.contains("www.audible.example")).await?;
    let heard =
        deployed.inbox.messages.iter().filter(|message| message.subject.contains("www.noisy.example"));
    ensure!(heard.count() == 1, "a silenced domain was told of");
    Ok(())
}
