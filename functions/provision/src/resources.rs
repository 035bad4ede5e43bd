//! The resources, and what carries each of them out.
//!
//! A resource keeps nothing between two steps: each step looks at the world as it is, decides with a
//! pure function what comes next, and does one thing. So a second delivery of a request, or one whose
//! first function was ended, goes on where the first has stopped, and does nothing twice. Nobody asks for
//! such a delivery: a request whose time is up is answered, as failed.

pub(crate) mod firewall_endpoints;
pub(crate) mod grant_rule_group;
pub(crate) mod studio_storage;

use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_networkfirewall::config::http::HttpResponse;
use aws_sdk_networkfirewall::error::{ProvideErrorMetadata, SdkError};
use egress::aws::with_causes;
use tokio::time::{Instant, sleep, timeout_at};

use crate::aws::ec2::Ec2;
use crate::aws::sagemaker::SageMaker;
use crate::aws::{CallError, Signed};
use crate::backoff::Backoff;
use crate::protocol::answer::{Done, Failed, Outcome};
use crate::protocol::properties::quoted;
use crate::protocol::request::{Request, RequestType};
use firewall_endpoints::FirewallEndpoints;
use grant_rule_group::GrantRuleGroup;
use studio_storage::StudioStorage;

/// Between two looks at the world.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What the resources call.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    pub(crate) firewall: aws_sdk_networkfirewall::Client,
    pub(crate) files: aws_sdk_efs::Client,
    pub(crate) network: Ec2,
    pub(crate) studio: SageMaker,
}

impl Clients {
    /// Clients of one configuration.
    pub(crate) fn new(config: &SdkConfig) -> Self {
        let signed = Signed::new(config);
        Self {
            firewall: aws_sdk_networkfirewall::Client::new(config),
            files: aws_sdk_efs::Client::new(config),
            network: Ec2::new(signed.clone()),
            studio: SageMaker::new(signed),
        }
    }
}

/// A resource as a request wants it.
pub(crate) trait Resource: Send + Sync {
    /// What there is now.
    type World: Send;
    /// One thing that can be done.
    type Act: Debug + Clone + PartialEq + Send;

    /// Reads what there is.
    fn look(&self) -> impl Future<Output = Result<Self::World, Problem>> + Send;

    /// Decides, from the request and the world alone.
    fn next(&self, world: &Self::World) -> Next<Self::Act>;

    /// Does one thing. Its effect is what the next look sees.
    fn act(&self, act: Self::Act) -> impl Future<Output = Result<(), Problem>> + Send;

    /// The id of what is there already, so that a failure can name it for the Delete that follows.
    fn made(&self, _world: &Self::World) -> Option<String> {
        None
    }
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<Act> {
    /// Do this.
    Act(Act),
    /// Look again later; this is what is waited for.
    Wait(String),
    /// It is as the request wants it.
    Done(Done),
    /// It can't be; this is why.
    Failed(String),
}

/// Why AWS didn't do or say something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It may go better later.
    Passing(String),
    /// It won't.
    Lasting(String),
}

/// Carries a request out, whatever it is for.
pub(crate) async fn carry_out(request: &Request, clients: &Clients, until: Instant) -> Outcome {
    let delete = match &request.kind {
        RequestType::Create | RequestType::Update => false,
        RequestType::Delete => true,
        RequestType::Unknown(other) => {
            let other = quoted(other);
            return failed(format!("the RequestType is {other}: it must be Create, Update or Delete"));
        }
    };
    match request.resource_type.as_str() {
        // It makes nothing, so nothing is to be deleted.
        "Custom::FirewallEndpoints" if delete => Ok(Done::default()),
        "Custom::FirewallEndpoints" => {
            run(&FirewallEndpoints::new(request, clients.firewall.clone())?, until).await
        }
        "Custom::GrantRuleGroup" => {
            run(&GrantRuleGroup::new(request, clients.firewall.clone())?, until).await
        }
        "Custom::StudioStorage" => run(&StudioStorage::new(request, clients)?, until).await,
        // The Create of such a resource has failed and made nothing; its Delete has to succeed.
        _ if delete => Ok(Done::default()),
        other => failed(format!(
            "the resource type {} is not known here: Custom::FirewallEndpoints, Custom::GrantRuleGroup and Custom::StudioStorage are",
            quoted(other)
        )),
    }
}

/// Looks, decides and acts, until the request is done; if it isn't when time is up, it has failed.
pub(crate) async fn run<R: Resource>(resource: &R, until: Instant) -> Outcome {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut physical_id = None;
    let mut waiting_for = String::from("an answer of AWS");
    let mut last = None;
    loop {
        let step = timeout_at(until, step(resource, &mut physical_id)).await;
        match step {
            Ok(Next::Done(done)) => return Ok(done),
            Ok(Next::Failed(reason)) => return Err(Failed { physical_id, reason }),
            Ok(Next::Act(act)) => {
                // What comes next need not wait for long; the same again shows that this has to.
                if last.as_ref() != Some(&act) {
                    backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
                }
                last = Some(act);
            }
            Err(_) => {}
            Ok(Next::Wait(what)) => {
                if what != waiting_for {
                    tracing::info!("waiting: {what}");
                }
                waiting_for = what;
            }
        }
        let pause = backoff.next_pause();
        if Instant::now() + pause >= until {
            return Err(Failed { physical_id, reason: format!("time is up: {waiting_for}") });
        }
        sleep(pause).await;
    }
}

/// One step. An act that comes back was done.
async fn step<R: Resource>(resource: &R, physical_id: &mut Option<String>) -> Next<R::Act> {
    let world = match resource.look().await {
        Ok(world) => world,
        Err(problem) => return problem.into(),
    };
    if let Some(made) = resource.made(&world) {
        *physical_id = Some(made);
    }
    match resource.next(&world) {
        Next::Act(act) => {
            tracing::info!(?act, "next");
            match resource.act(act.clone()).await {
                Ok(()) => Next::Act(act),
                Err(problem) => problem.into(),
            }
        }
        Next::Wait(what) => Next::Wait(what),
        Next::Done(done) => Next::Done(done),
        Next::Failed(reason) => Next::Failed(reason),
    }
}

impl<Act> From<Problem> for Next<Act> {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Passing(what) => Self::Wait(what),
            Problem::Lasting(reason) => Self::Failed(reason),
        }
    }
}

impl Problem {
    /// What an operation of Network Firewall was answered with, in the service's own words.
    pub(crate) fn of<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let Some(said) = error.as_service_error() else {
            return Self::Passing(format!("{operation} did not get through: {}", with_causes(error)));
        };
        let code = said.code().unwrap_or("an unnamed error");
        let text =
            format!("{operation} was refused with {code}: {}", said.message().unwrap_or("no reason given"));
        let unable = error.raw_response().is_some_and(|response| response.status().is_server_error());
        Self::refused(text, code, unable)
    }

    /// The same for a call without the SDK.
    pub(crate) fn of_call(operation: &str, error: &CallError) -> Self {
        let text = format!("{operation} {error}");
        match error {
            CallError::Refused { status, code, .. } => Self::refused(text, code, status.is_server_error()),
            CallError::NotThrough(_) | CallError::Unreadable(_) => Self::Passing(text),
        }
    }

    fn refused(text: String, code: &str, unable: bool) -> Self {
        match code {
            "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
                Self::Passing(text)
            }
            _ if unable => Self::Passing(text),
            _ => Self::Lasting(text),
        }
    }
}

fn failed(reason: String) -> Outcome {
    Err(Failed { physical_id: None, reason })
}
