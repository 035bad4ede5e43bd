//! From one invocation to the next, for what takes longer than one.
//!
//! Lambda's detection of recursive invocations stops a chain after about 16 of them
//! (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>); an hour is five.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::aws::lambda::Lambda;
use crate::backoff::Backoff;
use crate::protocol::answer::Failed;
use crate::protocol::continuation::Continuation;
use crate::protocol::request::Request;
use crate::resources::GoesOn;

/// More invocations than this for one request mean that they have too little time to get anywhere.
const MOST_INVOCATIONS: u32 = 100;

/// What is kept for answering that there is no next invocation.
const FOR_ANSWERING: Duration = Duration::from_secs(3);

/// The next invocation. It is not shown: the event holds the `ResponseURL`.
pub(crate) struct NextInvocation {
    /// The ARN by which this one was invoked.
    pub(crate) function: String,
    /// The event of this one.
    pub(crate) event: Value,
    /// When the request's time began, in milliseconds since 1970.
    pub(crate) started: u64,
}

impl NextInvocation {
    /// Starts it. What it can't be started for is the reason of the request's failure.
    pub(crate) async fn hand_over(
        self,
        lambda: &Lambda,
        request: &Request,
        left: GoesOn,
        answer: Instant,
    ) -> Result<(), Failed> {
        let GoesOn { physical_id, waiting_for, state } = left;
        let invocations = request.continuation.as_ref().map_or(0, |left| left.invocations) + 1;
        let failed = |reason| Failed { physical_id, reason };
        if invocations >= MOST_INVOCATIONS {
            return Err(failed(format!("given up after {invocations} invocations: {waiting_for}")));
        }
        let continuation =
            Continuation { started: self.started, invocations, waiting_for: waiting_for.clone(), state };
        let event = continuation.event(self.event);
        tracing::info!(invocations, "another invocation goes on: {waiting_for}");
        let until = answer - FOR_ANSWERING.min(answer.saturating_duration_since(Instant::now()) / 2);
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        loop {
            let asked = timeout_at(until, lambda.invoke_later(&self.function, &event)).await;
            let error = match asked {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "was not answered in time".to_owned(),
            };
            let pause = backoff.next_pause();
            if Instant::now() + pause >= until {
                return Err(failed(format!(
                    "no other invocation can go on with this, since Invoke {error}; so far: {waiting_for}"
                )));
            }
            tracing::warn!(error, "the next invocation is asked for again");
            sleep(pause).await;
        }
    }
}
