//! From an event to the queues.

use egress::config::Config;
use notify::dispatch::dispatch;
use notify::notice::Notice;
use notify::queue::{Errand, LARGEST, Outgoing, SendError};
use notify::routing::{Channel, Destination};
use serde_json::{Value, json};

use crate::events::{blocked, changed, notice, waits};
use crate::memory::MemoryQueues;

const CONFIG: &str = r#"
[groups]
approvers = ["bob"]
[routes.slack]
to = { slack = "C1" }
tells = ["requests"]
[routes.teams]
to = { teams = "19:x@thread.tacv2" }
tells = ["requests"]
[routes.mail]
to = "mail"
tells = ["requests"]
"#;

async fn dispatched(queues: &MemoryQueues, event: Value) -> Result<Vec<Channel>, String> {
    let config = Config::parse(CONFIG).unwrap();
    dispatch(queues, &config, event).await.map_err(|error| error.to_string())?;
    Ok(queues.sent.get().iter().map(|message| message.channel).collect())
}

fn down() -> SendError {
    SendError::Failed("told to fail".to_owned())
}

#[tokio::test]
async fn an_event_is_put_into_the_queue_of_each_channel() {
    let (queues, event) = (MemoryQueues::default(), changed(1, None, "pending", json!({})));
    let channels = dispatched(&queues, event.clone()).await;
    assert_eq!(channels, Ok(vec![Channel::Topics, Channel::Slack, Channel::Teams]));
    let first = &queues.sent.get()[1];
    let errand: Errand = serde_json::from_str(&first.body).unwrap();
    assert_eq!(errand, Errand { destination: Destination::SlackChannel("C1".to_owned()), event });
}

#[tokio::test]
async fn a_queue_that_is_down_holds_up_no_other_and_is_an_error() {
    let closed = [(Channel::Topics, down()), (Channel::Teams, down())].into();
    let queues = MemoryQueues { closed, ..MemoryQueues::default() };
    let error = dispatched(&queues, changed(1, None, "pending", json!({}))).await.unwrap_err();
    assert_eq!(error, "2 of 3 destinations could not be handed the event, mail for one: told to fail");
    assert_eq!(queues.sent.get().len(), 1);
}

#[tokio::test]
async fn a_channel_that_is_not_set_up_is_passed_over() {
    let missing = SendError::NotSetUp { channel: Channel::Slack, variable: "SLACK_QUEUE_URL" };
    let queues = MemoryQueues { closed: [(Channel::Slack, missing)].into(), ..MemoryQueues::default() };
    let channels = dispatched(&queues, changed(1, None, "pending", json!({}))).await;
    assert_eq!(channels, Ok(vec![Channel::Topics, Channel::Teams]));
}

#[tokio::test]
async fn what_is_no_event_of_ours_is_an_error() {
    let error = dispatched(&MemoryQueues::default(), json!({"source": "aws.ec2", "detail-type": "x"})).await;
    assert_eq!(error.unwrap_err(), "the event aws.ec2/x is not one of ours");
}

fn outgoing(notice: &Notice, destination: &Destination) -> Outgoing {
    Outgoing::new(notice, &Errand { destination: destination.clone(), event: json!({}) }).unwrap()
}

#[test]
fn one_request_at_one_destination_is_told_in_its_order() {
    let here = &Destination::SlackChannel("C1".to_owned());
    let there = &Destination::SlackAnswer("https://hooks.slack.com/x".to_owned());
    let (first, second) = (notice(changed(1, None, "pending", json!({}))), notice(waits(2)));
    let group = |notice, place| outgoing(notice, place).group;
    assert_eq!(group(&first, here), group(&second, here));
    assert_ne!(group(&first, here), group(&first, there));
    assert_ne!(group(&notice(blocked()), here), group(&first, here));
    // Sent again, it is the same; nothing else is.
    let id = |notice, place| outgoing(notice, place).id;
    assert_eq!(id(&first, here), id(&first, here));
    assert_ne!(id(&first, here), id(&second, here));
    assert_ne!(id(&first, here), id(&first, there));
}

#[test]
fn ids_are_what_sqs_takes_and_tell_no_secret() {
    let ticket = Destination::Ticket { adapter: "jira".to_owned(), ticket: "ü ".repeat(100) };
    for destination in [ticket, Destination::SlackAnswer("https://hooks.slack.com/x".to_owned())] {
        let Outgoing { group, id, .. } = outgoing(&notice(waits(2)), &destination);
        for text in [group, id] {
            assert!(text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
            assert!(!text.contains("hooks"), "{text}");
        }
    }
}

#[test]
fn what_no_queue_takes_is_named() {
    let errand = Errand { destination: Destination::Mail, event: json!("x".repeat(LARGEST)) };
    let error = Outgoing::new(&notice(blocked()), &errand).unwrap_err();
    assert!(matches!(error, SendError::TooLarge(bytes) if bytes > LARGEST), "{error}");
}
