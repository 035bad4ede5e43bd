//! The resources, and what carries each of them out.
//!
//! Each step looks at the world as it is, decides with a pure function what comes next, and does that. What
//! can be seen is not remembered, so a second delivery of a request, or one whose first function was ended,
//! goes on where the first has stopped, and does nothing twice. The little that can't be seen any more is
//! the resource's state, which an invocation hands to the next.

pub(crate) mod egress_config;
pub(crate) mod firewall_endpoints;
pub(crate) mod grant_rule_group;
mod pace;
pub(crate) mod studio_storage;
pub(crate) mod studio_users;

use std::error::Error;
use std::fmt::Debug;
use std::future::Future;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_networkfirewall::config::http::HttpResponse;
use aws_sdk_networkfirewall::error::{ProvideErrorMetadata, SdkError};
use egress::aws::signed::{CallError, Signed};
use egress::aws::{S3, with_causes};
use hyper::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep, timeout_at};

use crate::aws::calls::Calls;
use crate::aws::ec2::Ec2;
use crate::aws::sagemaker::SageMaker;
use crate::deadline::Until;
use crate::protocol::answer::{Done, Failed, Outcome};
use crate::protocol::continuation::Continuation;
use crate::protocol::properties::quoted;
use crate::protocol::request::{Request, RequestType};
use egress_config::EgressConfig;
use firewall_endpoints::FirewallEndpoints;
use grant_rule_group::GrantRuleGroup;
use pace::Pace;
use studio_storage::StudioStorage;
use studio_users::StudioUsers;

/// How long a permission that was given takes to be in force everywhere, as a rule.
const PERMISSIONS_SPREAD: Duration = Duration::from_secs(30);

/// What the resources call.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    pub(crate) firewall: aws_sdk_networkfirewall::Client,
    pub(crate) files: aws_sdk_efs::Client,
    pub(crate) network: Ec2,
    pub(crate) studio: SageMaker,
    pub(crate) objects: S3,
    calls: Calls,
}

impl Clients {
    /// Clients of one configuration, that send without an SDK's crate by `signed`.
    pub(crate) fn new(config: &SdkConfig, signed: &Signed) -> Self {
        let calls = Calls::of(signed);
        // What goes wrong is seen and done again here, in one place.
        let config = config.to_builder().retry_config(RetryConfig::disabled()).build();
        let firewall = aws_sdk_networkfirewall::config::Builder::from(&config).interceptor(calls.clone());
        let files = aws_sdk_efs::config::Builder::from(&config).interceptor(calls.clone());
        Self {
            firewall: aws_sdk_networkfirewall::Client::from_conf(firewall.build()),
            files: aws_sdk_efs::Client::from_conf(files.build()),
            network: Ec2::new(signed.clone()),
            studio: SageMaker::new(signed.clone()),
            objects: S3::new(signed.clone()),
            calls,
        }
    }
}

/// A resource as a request wants it.
pub(crate) trait Resource: Send + Sync {
    /// What there is now.
    type World: Send;
    /// What was seen and can't be seen again, from one look to the next and from one invocation to the next.
    type State: Default + Serialize + DeserializeOwned + Send + Sync;
    /// What can be done in one step.
    type Act: Debug + Clone + PartialEq + Send;

    /// Reads what there is.
    fn look(&self, state: &Self::State) -> impl Future<Output = Result<Self::World, Problem>> + Send;

    /// Decides, from the request, the state and the world alone, and remembers in the state.
    fn next(&self, state: &mut Self::State, world: &Self::World) -> Next<Self::Act>;

    /// Does it. Its effect is what the next look sees.
    fn act(&self, act: Self::Act) -> impl Future<Output = Result<(), Problem>> + Send;

    /// The id of what is there already, so that a failure can name it for the Delete that follows.
    fn made(&self, _world: &Self::World) -> Option<String> {
        None
    }
}

/// What a resource does that only looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Never {}

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
    /// It is not permitted, or not yet.
    Denied(String),
    /// It won't.
    Lasting(String),
}

/// How far an invocation has come.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The request is carried out, or has failed.
    Done(Outcome),
    /// Another invocation has to go on.
    GoesOn(GoesOn),
}

/// What another invocation has to know.
#[derive(Debug)]
pub(crate) struct GoesOn {
    /// What the resource is known by already.
    pub(crate) physical_id: Option<String>,
    pub(crate) waiting_for: String,
    pub(crate) state: Value,
}

/// Carries a request out, whatever it is for.
pub(crate) async fn carry_out(request: &Request, clients: &Clients, until: Until) -> Ended {
    match of_its_type(request, clients, until).await {
        Ok(ended) => ended,
        Err(failed) => Ended::Done(Err(failed)),
    }
}

async fn of_its_type(request: &Request, clients: &Clients, until: Until) -> Result<Ended, Failed> {
    let delete = match &request.kind {
        RequestType::Create | RequestType::Update => false,
        RequestType::Delete => true,
        RequestType::Unknown(other) => {
            let other = quoted(other);
            return failed(format!("the RequestType is {other}: it must be Create, Update or Delete"));
        }
    };
    let left = request.continuation.as_ref();
    let pace = Pace::new(&clients.calls);
    match request.resource_type.as_str() {
        // They make nothing, so nothing is to be deleted.
        "Custom::FirewallEndpoints" | "Custom::EgressConfig" if delete => {
            Ok(Ended::Done(Ok(Done::default())))
        }
        "Custom::EgressConfig" => run(&EgressConfig::new(request, clients)?, left, until, pace).await,
        "Custom::FirewallEndpoints" => {
            run(&FirewallEndpoints::new(request, clients.firewall.clone())?, left, until, pace).await
        }
        "Custom::GrantRuleGroup" => {
            run(&GrantRuleGroup::new(request, clients.firewall.clone())?, left, until, pace).await
        }
        "Custom::StudioStorage" => run(&StudioStorage::new(request, clients)?, left, until, pace).await,
        "Custom::StudioUsers" => run(&StudioUsers::new(request, clients)?, left, until, pace).await,
        // The Create of such a resource has failed and made nothing; its Delete has to succeed.
        _ if delete => Ok(Ended::Done(Ok(Done::default()))),
        other => failed(format!(
            "the resource type {} is not known here: Custom::EgressConfig, Custom::FirewallEndpoints, Custom::GrantRuleGroup, Custom::StudioStorage and Custom::StudioUsers are",
            quoted(other)
        )),
    }
}

/// Looks, decides and acts, until the request is done; if it isn't when the invocation's time is up,
/// another one goes on, and when the request's time is up, it has failed.
pub(crate) async fn run<R: Resource>(
    resource: &R,
    left: Option<&Continuation>,
    until: Until,
    mut pace: Pace,
) -> Result<Ended, Failed> {
    let mut state = match left {
        Some(left) => serde_json::from_value(left.state.clone())?,
        None => R::State::default(),
    };
    let mut physical_id = None;
    let mut waiting_for = left.map_or_else(|| "an answer of AWS".to_owned(), |left| left.waiting_for.clone());
    let mut last = None;
    let permitted = permitted(until);
    loop {
        let step = timeout_at(until.next(), step(resource, &mut state, &mut physical_id, &mut pace)).await;
        match step {
            Ok(Ok(Next::Done(done))) => return Ok(Ended::Done(Ok(done))),
            Ok(Ok(Next::Failed(reason)) | Err(Problem::Lasting(reason))) => {
                return Err(Failed { physical_id, reason });
            }
            Ok(Err(Problem::Denied(reason))) if Instant::now() >= permitted => {
                return Err(Failed { physical_id, reason });
            }
            Ok(Ok(Next::Act(act))) => {
                // What comes next need not wait for long; the same again shows that this has to.
                if last.as_ref() != Some(&act) {
                    pace.start_again();
                }
                last = Some(act);
            }
            Err(_) => {}
            Ok(Ok(Next::Wait(what)) | Err(Problem::Passing(what) | Problem::Denied(what))) => {
                pace.tell(&what);
                waiting_for = what;
            }
        }
        let pause = pace.next_pause();
        if Instant::now() + pause < until.next() {
            sleep(pause).await;
        } else if until.is_last() {
            return Err(Failed { physical_id, reason: format!("time is up: {waiting_for}") });
        } else {
            let state = serde_json::to_value(&state)?;
            return Ok(Ended::GoesOn(GoesOn { physical_id, waiting_for, state }));
        }
    }
}

/// Until when a permission may be missing: one that a stack has just given is not in force at once.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
fn permitted(until: Until) -> Instant {
    let now = Instant::now();
    now + PERMISSIONS_SPREAD.min(until.next().saturating_duration_since(now) / 2)
}

/// One step. An act that comes back was done.
async fn step<R: Resource>(
    resource: &R,
    state: &mut R::State,
    physical_id: &mut Option<String>,
    pace: &mut Pace,
) -> Result<Next<R::Act>, Problem> {
    let looked = resource.look(state).await;
    pace.looked();
    let world = looked?;
    if let Some(made) = resource.made(&world) {
        *physical_id = Some(made);
    }
    let next = resource.next(state, &world);
    if let Next::Act(act) = &next {
        tracing::info!(?act, "next");
        resource.act(act.clone()).await?;
        pace.acted();
    }
    Ok(next)
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
            CallError::Refused { status, code, .. } => {
                // Lambda says by its status alone that it is too busy.
                let unable = status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS;
                Self::refused(text, code, unable)
            }
            CallError::NotThrough(_) | CallError::Unreadable(_) => Self::Passing(text),
        }
    }

    fn refused(text: String, code: &str, unable: bool) -> Self {
        match code {
            "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
                Self::Passing(text)
            }
            _ if unable => Self::Passing(text),
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => Self::Denied(text),
            _ => Self::Lasting(text),
        }
    }
}

fn failed(reason: String) -> Result<Ended, Failed> {
    Err(Failed { physical_id: None, reason })
}
