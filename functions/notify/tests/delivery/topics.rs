//! The topics.

use jiff::Timestamp;
use notify::batch::Teller;
use notify::channels::topics::{TopicError, Topics, TopicsChannel};
use notify::message::Message;
use notify::routing::Destination;
use serde_json::{Value, json};

use crate::events::{blocked, notice};
use crate::memory::{MemoryLedger, Shared};
use crate::stand_in::outcome;

/// Topics that keep what is published, or take nothing.
#[derive(Clone, Default)]
struct Kept {
    subjects: Shared<Vec<String>>,
    notifications: Shared<Vec<Value>>,
    broken: Shared<bool>,
}

impl Kept {
    fn take(&self) -> Result<(), TopicError> {
        if *self.broken.get() { Err(TopicError("told to fail".to_owned())) } else { Ok(()) }
    }
}

impl Topics for Kept {
    async fn mail(&self, message: &Message) -> Result<(), TopicError> {
        self.take()?;
        self.subjects.get().push(message.subject.clone());
        Ok(())
    }

    async fn amazon_q(&self, notification: &Value) -> Result<(), TopicError> {
        self.take()?;
        self.notifications.get().push(notification.clone());
        Ok(())
    }
}

#[tokio::test]
async fn a_notice_is_published_once_on_each_topic() {
    let kept = Kept::default();
    let channel = TopicsChannel::new(MemoryLedger::default(), kept.clone());
    for to in [Destination::Mail, Destination::AmazonQ, Destination::Mail, Destination::AmazonQ] {
        assert_eq!(outcome(channel.tell(&to, &notice(blocked()), Timestamp::UNIX_EPOCH).await), "told");
    }
    assert_eq!(*kept.subjects.get(), ["Blocked: files.pythonhosted.org for alice (user profile in d-x)"]);
    assert_eq!(kept.notifications.get().len(), 1);
    assert_eq!(kept.notifications.get()[0]["source"], json!("custom"));
}

#[tokio::test]
async fn what_a_topic_does_not_take_is_published_later() {
    let kept = Kept::default();
    let channel = TopicsChannel::new(MemoryLedger::default(), kept.clone());
    let tell =
        async || outcome(channel.tell(&Destination::Mail, &notice(blocked()), Timestamp::UNIX_EPOCH).await);
    *kept.broken.get() = true;
    assert_eq!(tell().await, "later: publishing to the topic failed: told to fail");
    *kept.broken.get() = false;
    assert_eq!(tell().await, "told");
    let user = Destination::SlackUser("U1".to_owned());
    let told = outcome(channel.tell(&user, &notice(blocked()), Timestamp::UNIX_EPOCH).await);
    assert_eq!(told, "never: slack:U1 is no destination of this channel");
}
