//! A long deletion under a clock of its own: the decisions, the loop and the hand-over are the function's, the domain is
//! one in memory that takes its time.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::plan::{Group, State, Step, World};
use super::wanted::Wanted;
use crate::aws::calls::Calls;
use crate::aws::sagemaker::{App, Profile, Space, Status};
use crate::deadline::Deadline;
use crate::protocol::answer::Outcome;
use crate::protocol::continuation::Continuation;
use crate::protocol::request::Request;
use crate::resources::pace::Pace;
use crate::resources::{Ended, GoesOn, Next, Problem, Resource, run};

const DOMAIN: &str = "d-1";
const STACK: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/demo/1";
/// Of Lambda's longest invocation.
const INVOCATION: Duration = Duration::from_mins(15);
const SERVICE_TIMEOUT: Duration = Duration::from_hours(1);

/// A domain whose things go as slowly as is said.
struct SlowDomain {
    wanted: Wanted,
    people: Mutex<People>,
    /// How long each app, space and profile is `Deleting` for.
    each: Duration,
    /// How long the network interface of an app outlives it.
    interface: Duration,
    calls: Calls,
}

/// For each thing, since when it is being deleted.
#[derive(Default)]
struct People {
    apps: Vec<(String, Option<Instant>)>,
    spaces: Vec<(String, Option<Instant>)>,
    profiles: Vec<(String, Option<Instant>)>,
    groups: Vec<String>,
    last_app_gone: Option<Instant>,
}

impl SlowDomain {
    fn of(event: &Value, users: usize, each: Duration, interface: Duration) -> Self {
        let names: Vec<_> = (0..users).map(|number| format!("user-{number}")).collect();
        let there = || names.iter().map(|name| (name.clone(), None)).collect();
        let people = People {
            apps: there(),
            spaces: there(),
            profiles: there(),
            groups: names.clone(),
            last_app_gone: None,
        };
        let wanted = Wanted::read(&Request::read(event.clone())).unwrap();
        Self { wanted, people: Mutex::new(people), each, interface, calls: Calls::default() }
    }

    fn status(since: Option<Instant>) -> Status {
        if since.is_some() { Status::Deleting } else { Status::InService }
    }
}

impl Resource for SlowDomain {
    type World = World;
    type State = State;
    type Act = Vec<Step>;

    async fn look(&self, _: &State) -> Result<World, Problem> {
        (0..4).for_each(|_| self.calls.count());
        let mut people = self.people.lock().unwrap();
        let gone = |since: Option<Instant>| since.is_some_and(|since| since.elapsed() >= self.each);
        let apps = people.apps.len();
        people.apps.retain(|(_, since)| !gone(*since));
        people.spaces.retain(|(_, since)| !gone(*since));
        people.profiles.retain(|(_, since)| !gone(*since));
        if people.apps.len() < apps {
            people.last_app_gone = Some(Instant::now());
        }
        let owner = || {
            let owner = json!({"StackId": STACK, "LogicalResourceId": "Users", "RequestType": "Delete"});
            let Wanted::Cleared(cleared) = Wanted::read(&with_id(owner)).unwrap() else { panic!() };
            Some(cleared.owner)
        };
        let group = |id: &String| {
            let group =
                Group { id: id.clone(), lets_in: true, owner: owner(), settings: None, finished: true };
            (id.clone(), group)
        };
        let app = |(name, since): &(String, Option<Instant>)| App {
            user_profile_name: None,
            space_name: Some(name.clone()),
            kind: "JupyterLab".into(),
            name: "default".into(),
            status: Self::status(*since),
        };
        let space = |(name, since): &(String, Option<Instant>)| {
            Space::new(name, Some(name.as_str()), Self::status(*since))
        };
        let profile = |(name, since): &(String, Option<Instant>)| {
            (name.clone(), Profile { name: name.clone(), status: Self::status(*since) })
        };
        Ok(World {
            groups: people.groups.iter().map(group).collect(),
            profiles: people.profiles.iter().map(profile).collect(),
            spaces: people.spaces.iter().map(space).collect(),
            apps: people.apps.iter().map(app).collect(),
            ..World::default()
        })
    }

    fn next(&self, state: &mut State, world: &World) -> Next<Vec<Step>> {
        self.wanted.next(state, world)
    }

    async fn act(&self, steps: Vec<Step>) -> Result<(), Problem> {
        let mut people = self.people.lock().unwrap();
        let begin = |things: &mut Vec<(String, Option<Instant>)>, name: &str| {
            let thing = things.iter_mut().find(|(known, _)| known == name).unwrap();
            assert_eq!(thing.1.replace(Instant::now()), None, "{name} is deleted twice");
        };
        for step in steps {
            match step {
                Step::DeleteApp(app) => begin(&mut people.apps, &app.space_name.unwrap()),
                Step::DeleteSpace(space) => begin(&mut people.spaces, &space),
                Step::DeleteProfile(user) => begin(&mut people.profiles, &user),
                Step::DeleteGroup(group) => {
                    if people.last_app_gone.unwrap().elapsed() < self.interface {
                        let what = "DeleteSecurityGroup was refused with DependencyViolation: in use";
                        return Err(Problem::Passing(what.to_owned()));
                    }
                    people.groups.retain(|known| *known != group);
                }
                other => panic!("{other:?}"),
            }
        }
        Ok(())
    }
}

fn with_id(mut event: Value) -> Request {
    event["PhysicalResourceId"] = json!(format!("studio-users-{DOMAIN}"));
    Request::read(event)
}

fn deletion() -> Value {
    json!({
        "RequestType": "Delete", "StackId": STACK, "RequestId": "r-1", "LogicalResourceId": "Users",
        "PhysicalResourceId": format!("studio-users-{DOMAIN}"),
        "ResourceProperties": {"DomainId": DOMAIN, "VpcId": "vpc-1"},
    })
}

/// Carries the event out, in as many invocations as it takes; with their number, and how long it took.
async fn through_all_invocations(domain: &SlowDomain, mut event: Value) -> (Outcome, u32, Duration) {
    let began = Instant::now();
    loop {
        let request = Request::read(event.clone());
        let invocations = request.continuation.as_ref().map_or(0, |left| left.invocations) + 1;
        let until = Deadline::after(INVOCATION, 0, began.elapsed(), SERVICE_TIMEOUT).until;
        let pace = Pace::new(&domain.calls);
        match run(domain, request.continuation.as_ref(), until, pace).await {
            Ok(Ended::GoesOn(GoesOn { waiting_for, state, .. })) => {
                event = Continuation { started: 0, invocations, waiting_for, state }.event(event);
            }
            Ok(Ended::Done(outcome)) => return (outcome, invocations, began.elapsed()),
            Err(failed) => return (Err(failed), invocations, began.elapsed()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_of_fifty_minutes_crosses_four_invocations_and_ends_well() {
    let event = deletion();
    let domain = SlowDomain::of(&event, 70, Duration::from_mins(8), Duration::from_mins(40));

    let (outcome, invocations, took) = through_all_invocations(&domain, event).await;

    assert_eq!(outcome, Ok(crate::protocol::answer::Done::default()));
    assert_eq!(invocations, 4);
    assert!((Duration::from_mins(48)..Duration::from_mins(52)).contains(&took), "{took:?}");
    let calls = domain.calls.made();
    assert!(f64::from(calls) < took.as_secs_f64(), "{calls} calls in {took:?}");
    let people = domain.people.lock().unwrap();
    assert!(people.apps.is_empty() && people.spaces.is_empty() && people.profiles.is_empty());
    assert!(people.groups.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_than_cloudformation_waits_has_failed_in_time() {
    let event = deletion();
    let domain = SlowDomain::of(&event, 3, Duration::from_mins(25), Duration::ZERO);

    let (outcome, invocations, took) = through_all_invocations(&domain, event).await;

    let reason = outcome.unwrap_err().reason;
    assert!(reason.starts_with("time is up: the user profile user-0 is being deleted"), "{reason}");
    assert!((4..=5).contains(&invocations), "{invocations}");
    assert!((Duration::from_mins(58)..SERVICE_TIMEOUT).contains(&took), "{took:?}");
}
