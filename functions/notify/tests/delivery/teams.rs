//! Teams, as a stand-in has it.

use egress::config::Config;
use jiff::{SignedDuration, Timestamp};
use notify::batch::Teller;
use notify::channels::teams::TeamsChannel;
use notify::routing::Destination;
use serde_json::{Value, json};

use crate::events::{awaited, changed, notice};
use crate::memory::{Fixed, MemoryLedger};
use crate::stand_in::{Reply, StandIn, outcome};

const SECRET: &str = r#"{"tenant_id": "t-1", "client_id": "c-1", "client_secret": "hidden&1"}"#;
const CHANNEL: &str = "19:x@thread.tacv2";

struct Story {
    microsoft: StandIn,
    channel: TeamsChannel<MemoryLedger, Fixed>,
}

impl Story {
    async fn begin(secret: &'static str) -> Self {
        let microsoft = StandIn::start().await;
        let config = format!(
            "[groups]\napprovers = [\"bob\"]\n[teams]\nservice = \"{0}teams/\"\nlogin = \"{0}login/\"",
            microsoft.url
        );
        let config = Config::parse(&config).unwrap();
        Self { microsoft, channel: TeamsChannel::new(config, MemoryLedger::default(), Fixed(secret)) }
    }

    async fn tell(&self, to: &str, event: Value, replies: impl IntoIterator<Item = Reply>) -> String {
        self.tell_after(0, to, event, replies).await
    }

    /// So many seconds after the first.
    async fn tell_after(
        &self,
        seconds: i64,
        to: &str,
        event: Value,
        replies: impl IntoIterator<Item = Reply>,
    ) -> String {
        self.microsoft.will(replies);
        let (to, now) =
            (Destination::Teams(to.to_owned()), Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds));
        outcome(self.channel.tell(&to, &notice(event), now).await)
    }
}

fn token(token: &str) -> Reply {
    Reply::Json(200, json!({"token_type": "Bearer", "expires_in": 3_599, "access_token": token}))
}

fn thread() -> Reply {
    Reply::Json(201, json!({"id": format!("{CHANNEL};messageid=17"), "activityId": "17"}))
}

fn sent(id: &str) -> Reply {
    Reply::Json(201, json!({"id": id}))
}

fn pending() -> Value {
    changed(1, None, "pending", json!({}))
}

fn approved() -> Value {
    changed(2, Some("pending"), "approved", json!({}))
}

#[tokio::test]
async fn a_request_is_a_thread_in_a_channel() {
    let story = Story::begin(SECRET).await;
    assert_eq!(story.tell(CHANNEL, pending(), [token("a"), thread()]).await, "told");
    assert_eq!(story.tell(CHANNEL, awaited(1, json!({})), [sent("18")]).await, "told");
    assert_eq!(story.tell(CHANNEL, approved(), [sent("17"), sent("19")]).await, "told");
    assert_eq!(story.tell(CHANNEL, approved(), []).await, "told");
    insta::assert_snapshot!(story.microsoft.heard(&["isGroup", "channelData/channel/id", "tenantId", "activity/type", "type"]), @r"
    POST /login/t%2D1/oauth2/v2.0/token
    POST /teams/v3/conversations isGroup=true channelData/channel/id=19:x@thread.tacv2 tenantId=t-1 activity/type=message
    POST /teams/v3/conversations/19%3Ax%40thread%2Etacv2%3Bmessageid%3D17/activities type=message
    PUT /teams/v3/conversations/19%3Ax%40thread%2Etacv2%3Bmessageid%3D17/activities/17 type=message
    POST /teams/v3/conversations/19%3Ax%40thread%2Etacv2%3Bmessageid%3D17/activities type=message
    ");
}

#[tokio::test]
async fn a_bot_logs_in_with_its_secret_and_keeps_the_token() {
    let story = Story::begin(SECRET).await;
    story.tell(CHANNEL, pending(), [token("a"), thread()]).await;
    story.tell_after(3_298, CHANNEL, awaited(1, json!({})), [sent("18")]).await;
    story.tell_after(3_299, CHANNEL, awaited(2, json!({})), [token("b"), sent("19")]).await;
    let calls = story.microsoft.calls.get().clone();
    let form = "grant_type=client_credentials&scope=https%3A%2F%2Fapi.botframework.com%2F.default&client_id=c-1&client_secret=hidden%261";
    assert_eq!(calls[0].body, form);
    assert_eq!(calls[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    let tokens: Vec<_> =
        [1, 2, 4].into_iter().map(|call| calls[call].header("authorization").unwrap()).collect();
    assert_eq!(tokens, ["Bearer a", "Bearer a", "Bearer b"]);
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_thrown_away() {
    let story = Story::begin(SECRET).await;
    let refused = Reply::Text(401, "Authorization has been denied");
    let told = story.tell(CHANNEL, pending(), [token("a"), refused]).await;
    assert_eq!(told, "later: the bot's token was not taken");
    assert_eq!(story.tell(CHANNEL, pending(), [token("b"), thread()]).await, "told");
}

#[tokio::test]
async fn who_wrote_in_a_thread_or_to_the_bot_is_answered_there() {
    for conversation in ["19:x@thread.tacv2;messageid=5", "a:1p0i"] {
        let story = Story::begin(SECRET).await;
        assert_eq!(story.tell(conversation, pending(), [token("a"), sent("6")]).await, "told");
        assert_eq!(story.tell(conversation, approved(), [sent("6"), sent("7")]).await, "told");
        let lines = story.microsoft.heard(&[]);
        let all_there = lines.lines().skip(1).all(|line| line.contains("/activities"));
        assert!(all_there && lines.contains("PUT ") && lines.ends_with("/activities"), "{lines}");
    }
}

#[tokio::test]
async fn a_deleted_message_is_posted_anew() {
    let story = Story::begin(SECRET).await;
    story.tell(CHANNEL, pending(), [token("a"), thread()]).await;
    assert_eq!(story.tell(CHANNEL, approved(), [Reply::Text(404, ""), thread()]).await, "told");
}

#[tokio::test]
async fn what_passes_and_what_does_not() {
    let story = Story::begin(SECRET).await;
    let login = story.tell(CHANNEL, pending(), [Reply::Json(400, json!({"error": "invalid_client"}))]).await;
    let throttled = story.tell(CHANNEL, pending(), [token("a"), Reply::After(429, "9")]).await;
    let conflict = story.tell(CHANNEL, pending(), [Reply::Text(412, "")]).await;
    let out = story
        .tell(
            CHANNEL,
            pending(),
            [Reply::Json(403, json!({"error": {"code": "BotNotInConversationRoster"}}))],
        )
        .await;
    let idless = story.tell(CHANNEL, pending(), [Reply::Text(201, "")]).await;
    insta::assert_snapshot!([login, throttled, conflict, out, idless].join("\n"));
}

#[tokio::test]
async fn a_secret_of_another_form_is_named_and_not_quoted() {
    for secret in ["hidden", r#"{"tenant_id": "t", "client_id": "c", "client_secret": 4711}"#] {
        let told = Story::begin(secret).await.tell(CHANNEL, pending(), []).await;
        assert_eq!(told, "never: the secret is not JSON with tenant_id, client_id and client_secret");
    }
}
