//! What can't be read is kept where what fails for good is kept: in the function's queue of dead letters, on
//! Amazon SQS.

use std::future::Future;

use aws_sdk_sqs::Client;
use egress::aws::with_causes;
use serde_json::Value;

/// The queue doesn't take a letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("keeping lines that can't be read in the queue of dead letters failed: {0}")]
pub struct DeadLettersError(pub String);

/// Where letters are kept for people to look at.
pub trait DeadLetters {
    /// Keeps a letter, of at most 256 KB. The same one may come again, with its batch.
    fn keep(&self, letter: &Value) -> impl Future<Output = Result<(), DeadLettersError>> + Send;
}

/// The function's queue of dead letters.
#[derive(Debug, Clone)]
pub struct SqsDeadLetters {
    client: Client,
    url: String,
}

impl SqsDeadLetters {
    /// The queue with this URL.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }
}

impl DeadLetters for SqsDeadLetters {
    async fn keep(&self, letter: &Value) -> Result<(), DeadLettersError> {
        let send = self.client.send_message().queue_url(&self.url).message_body(body(letter));
        send.send().await.map(drop).map_err(|error| DeadLettersError(with_causes(&error)))
    }
}

/// The letter as JSON without the two characters that SQS refuses and JSON doesn't escape
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>). Outside of
/// texts there are none.
fn body(letter: &Value) -> String {
    let text = letter.to_string();
    if text.contains(['\u{fffe}', '\u{ffff}']) {
        text.replace('\u{fffe}', r"\ufffe").replace('\u{ffff}', r"\uffff")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_sqs_refuses_is_escaped_and_means_the_same() {
        let letter = json!({"line": "a\u{0}\u{fffe}\u{ffff}\u{7f}é\u{10ffff}"});
        let body = body(&letter);
        let taken =
            |c| matches!(c, '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
        assert!(body.chars().all(taken), "{body:?}");
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), letter);
    }
}
