//! `notify`: the dispatcher, and the function of each channel.

use serde_json::{Value, json};

use crate::trial::Trial;

/// The largest message that SQS takes, and more.
const TOO_LARGE: usize = 1_200_000;

pub(crate) async fn hands_out_nothing_without(trial: &mut Trial<'_>) -> anyhow::Result<()> {
    let told = async |trial: &Trial<'_>, run: String| trial.invoke(&event(&run)).await;
    trial.logs_nothing_without(&["Log logs:CreateLogStream", "Log logs:PutLogEvents"], told).await?;
    trial
        .without(
            &[
                "Channels sqs:SendMessage :*-notify-slack.fifo",
                "Channels sqs:SendMessage :*-notify-teams.fifo",
                "Channels sqs:SendMessage :*-notify-tickets.fifo",
                "Channels sqs:SendMessage :*-notify-topics.fifo",
            ],
            told,
        )
        .await?;
    trial.sends_no_dead_letters_without("DeadLetters sqs:SendMessage").await
}

/// A channel that tells at these destinations.
pub(crate) async fn tells_nothing_without(
    trial: &mut Trial<'_>,
    destinations: &[Value],
    own: &[&str],
) -> anyhow::Result<()> {
    let told = async |trial: &Trial<'_>, run: String| {
        let errands = destinations.iter().enumerate().map(|(number, destination)| {
            let body = json!({"destination": destination, "event": event(&run)}).to_string();
            message(&format!("{run}-{number}"), &format!("{run}-{number}"), &body)
        });
        trial.invoke(&json!({"Records": errands.collect::<Value>()})).await
    };
    trial.logs_nothing_without(&["Log logs:CreateLogStream", "Log logs:PutLogEvents"], told).await?;
    let ledger = ["Told dynamodb:BatchGetItem", "Note dynamodb:PutItem"];
    trial.without(&[&ledger[..], own].concat(), told).await?;
    let never = async |trial: &Trial<'_>, run: String| {
        trial.invoke(&json!({"Records": [message(&run, &run, "not the dispatcher's")]})).await
    };
    trial.without(&["DeadLetters sqs:SendMessage"], never).await?;
    // What even the dead letters don't take holds up its group, which is let go meanwhile.
    let stuck = async |trial: &Trial<'_>, run: String| {
        let first = message(&format!("{run}-1"), &run, &"x".repeat(TOO_LARGE));
        trial.invoke(&json!({"Records": [first, message(&format!("{run}-2"), &run, "behind it")]})).await
    };
    trial.without(&["Queue sqs:ChangeMessageVisibility"], stuck).await?;
    trial
        .reads_no_queue_without(&[
            "Queue sqs:ReceiveMessage",
            "Queue sqs:DeleteMessage",
            "Queue sqs:GetQueueAttributes",
        ])
        .await
}

/// A message as Lambda hands it over.
fn message(id: &str, group: &str, body: &str) -> Value {
    json!({
        "messageId": id, "receiptHandle": format!("handle-{id}"), "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": group},
    })
}

/// Something that everybody is told: a request of a ticket's waits for approvers.
fn event(run: &str) -> Value {
    let id = egress::request::RequestId::of_message(run);
    let request = json!({
        "id": id, "version": 1, "state": "pending", "requester": "alice@example.com", "domains": [".github.com"],
        "justification": "a story", "duration_seconds": 3_600, "requested_at": "2026-05-14T09:15:00Z",
        "lapses_at": "2026-05-17T09:15:00Z", "approvals_needed": 1,
        "reply_to": {"via": "github", "to": "example/studio-egress#9"},
        "assessment": {"risk": "medium", "domains": [{"domain": ".github.com", "risk": "medium"}]},
    });
    let detail = json!({
        "version": 1, "event_id": format!("{run}.1"), "from": null, "to": "pending", "at": "2026-05-14T09:15:30Z",
        "by": "alice@example.com", "request": request,
    });
    json!({"source": "egress.requests", "detail-type": "RequestStateChanged", "detail": detail})
}
