//! CloudFormation custom resources: what the templates of Studio Egress need and CloudFormation lacks.
//!
//! - `protocol`: what CloudFormation asks and how it is answered. Serves every resource, knows none.
//! - `resources`: `Custom::EgressConfig`, `Custom::FirewallEndpoints`, `Custom::GrantRuleGroup`,
//!   `Custom::StudioStorage` and `Custom::StudioUsers`.
//! - `aws`: calls to the services whose own crates of the SDK are too large for them.
//!
//! A request is always answered: when the resource fails, when its code panics, when nobody knows its
//! type, and before CloudFormation's time is over (the template's `ServiceTimeout`, an hour otherwise). What
//! takes longer than an invocation, of at most 15 minutes, is handed to another one of the same function,
//! with what there is to remember.

mod aws;
mod backoff;
mod deadline;
mod hand_over;
mod protocol;
mod resources;

use std::any::Any;
use std::sync::Arc;

use aws_config::SdkConfig;
use egress::aws::signed::Signed;
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::Value;
use tracing::Instrument;

use aws::lambda::Lambda;
use deadline::{Deadline, Until};
use hand_over::NextInvocation;
use protocol::answer::{self, Failed};
use protocol::request::Request;
use protocol::response_url::{Answerable, UrlError};
pub use protocol::response_url::{Endpoint, NotAnEndpoint};
use protocol::send::{SendError, Sender};
use resources::{Clients, Ended};

/// The function.
#[derive(Debug)]
pub struct Provision {
    clients: Clients,
    lambda: Lambda,
    answerable: Answerable,
    sender: Sender,
}

/// CloudFormation has not been answered.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unanswered(#[from] Cause);

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Url(#[from] UrlError),
    #[error(transparent)]
    Send(#[from] SendError),
}

impl Provision {
    /// The function in the configuration's Region. `endpoint` may be answered beside CloudFormation itself.
    pub fn new(config: &SdkConfig, endpoint: Option<Endpoint>) -> Self {
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let answerable = Answerable::new(region, endpoint);
        let signed = Signed::new(config);
        let clients = Clients::new(config, &signed);
        Self { clients, lambda: Lambda::new(signed), answerable, sender: Sender::default() }
    }

    /// Carries one request out and answers it, or hands it to another invocation. An error means that an
    /// answer could not be delivered: then Lambda delivers the request again. Where a second delivery can't
    /// help, since nobody can be answered or the answer was refused, the log alone says so: it would only do
    /// the work again, which may be somebody else's by then.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<(), Unanswered> {
        let LambdaEvent { payload, context } = event;
        let request = Arc::new(Request::read(payload.clone()));
        let deadline = Deadline::of(&context, &request);
        let next = NextInvocation {
            function: context.invoked_function_arn,
            event: payload,
            started: deadline.started,
        };
        let span = tracing::info_span!(
            "request",
            // The runtime's own span, which has it for the other functions, is not logged here.
            requestId = context.request_id,
            id = request.id,
            kind = ?request.kind,
            resource = request.resource_type,
            logical_id = request.logical_resource_id,
        );
        let answered = async {
            // The runtime tells Lambda of an error, and nobody else.
            self.answer(request, deadline, next)
                .await
                .inspect_err(|error| tracing::error!(%error, "CloudFormation was not answered"))
        };
        match answered.instrument(span).await {
            Err(cause @ Cause::Send(SendError::Undelivered { .. } | SendError::NoClient(_))) => {
                Err(Unanswered(cause))
            }
            Err(Cause::Url(_) | Cause::Send(SendError::Refused(_))) | Ok(()) => Ok(()),
        }
    }

    async fn answer(
        &self,
        request: Arc<Request>,
        deadline: Deadline,
        next: NextInvocation,
    ) -> Result<(), Cause> {
        // Nothing is done for somebody who can't be answered.
        let address = self.answerable.check(&request.response_url)?;
        let outcome = match self.carry_out(&request, deadline.until).await {
            Ended::Done(outcome) => outcome,
            Ended::GoesOn(left) => {
                match next.hand_over(&self.lambda, &request, left, deadline.answer).await {
                    Ok(()) => return Ok(()),
                    Err(failed) => Err(failed),
                }
            }
        };
        match &outcome {
            Ok(done) => tracing::info!(id = done.physical_id, note = done.note, "done"),
            Err(failed) => tracing::error!(id = failed.physical_id, reason = failed.reason, "failed"),
        }
        let body = answer::body(&request, &outcome);
        Ok(self.sender.send(&address, body, deadline.answer).await?)
    }

    /// What became of the request, whatever its code does: in a task of its own a panic is a result.
    async fn carry_out(&self, request: &Arc<Request>, until: Until) -> Ended {
        let (request, clients) = (Arc::clone(request), self.clients.clone());
        let work = async move { resources::carry_out(&request, &clients, until).await };
        let task = tokio::spawn(work.in_current_span());
        task.await.unwrap_or_else(|error| {
            let reason = panicked(error.try_into_panic().ok().as_deref());
            Ended::Done(Err(Failed { physical_id: None, reason }))
        })
    }
}

fn panicked(panic: Option<&(dyn Any + Send)>) -> String {
    let text = panic.and_then(|panic| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.or_else(|| panic.and_then(|panic| panic.downcast_ref::<&str>().copied()));
    format!("the function has a defect, please report it: {}", text.unwrap_or("it panicked"))
}

/// What is logged at a level of `AWS_LAMBDA_LOG_LEVEL`, as directives of `tracing-subscriber`. The level
/// is for this function's own; the HTTP client and the runtime stay at warnings, since their traces show
/// a request's URL and an event's body, and in those the address that is answered.
pub fn log_filter(level: &str) -> String {
    let known = ["trace", "debug", "info", "warn", "error"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(level));
    format!("warn,provision={}", known.unwrap_or("info"))
}

impl From<Unanswered> for Diagnostic {
    fn from(error: Unanswered) -> Self {
        Self { error_type: "Unanswered".to_owned(), error_message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_with_its_own_words() {
        let task = tokio::spawn(async { panic!("no {} left", "address") });
        let panic: Box<dyn Any + Send> = task.await.map(|()| unreachable!()).unwrap_err().into_panic();
        assert_eq!(panicked(Some(&*panic)), "the function has a defect, please report it: no address left");
    }
}
