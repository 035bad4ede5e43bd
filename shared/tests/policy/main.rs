//! Who may do what: by the policy that is shipped, and by operators' own.

#![cfg(test)]

mod operators;
mod shipped;

use egress::config::Config;
use egress::domain::DomainPattern;
use egress::policy::Verdict;
use egress::request::{Request, RequestId, StateName};
use egress::risk;
use jiff::Timestamp;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// Who asks, where it isn't said otherwise; in no group.
const ALICE: &str = "alice@example.com";
/// An approver of the shipped configuration.
const BOB: &str = "bob@example.com";
/// Another.
const CAROL: &str = "carol@example.com";
/// In no group.
const DAVE: &str = "dave@example.com";
/// On call.
const ERIN: &str = "erin@example.com";
/// An auditor.
const FRANK: &str = "frank@example.com";

fn config() -> Config {
    Config::parse(include_str!("../../../infra/config/egress.toml")).unwrap()
}

/// What alice asks for, for a day.
fn ask(domains: &[&str]) -> Request {
    let domains: Vec<DomainPattern> = domains.iter().map(|text| DomainPattern::read(text).unwrap()).collect();
    Request {
        id: RequestId::of_message("webhook:1"),
        version: 1,
        state: StateName::Pending,
        ending: None,
        requester: ALICE.to_owned(),
        assessment: risk::assess(&domains, &config()),
        domains,
        refused_domains: Vec::new(),
        preset: None,
        justification: "for the model".to_owned(),
        ticket: None,
        break_glass: None,
        duration_seconds: DAY,
        requested_at: Timestamp::UNIX_EPOCH,
        lapses_at: Timestamp::UNIX_EPOCH,
        reminders: 0,
        remind_at: None,
        approvals_needed: 0,
        approvals: Vec::new(),
        approved_at: None,
        ends_at: None,
        extends: None,
        extensions: 0,
        superseded_by: None,
        waits_for: None,
        first_used_at: None,
        reply_to: None,
        seal: String::new(),
    }
}

fn low() -> Request {
    ask(&["github.com"])
}

fn medium() -> Request {
    ask(&[".numpy.org"])
}

fn high() -> Request {
    ask(&["alice.github.io"])
}

fn preset() -> Request {
    ask(&["pypi.org", "files.pythonhosted.org"])
}

fn of(requester: &str, request: Request) -> Request {
    Request { requester: requester.to_owned(), ..request }
}

fn lasting(seconds: u64, request: Request) -> Request {
    Request { duration_seconds: seconds, ..request }
}

fn extended(times: u32, request: Request) -> Request {
    Request { extensions: times, ..request }
}

/// Asked for by erin, for an hour, without waiting for anybody.
fn broken(reason: &str, request: Request) -> Request {
    Request { break_glass: Some(reason.to_owned()), ..of(ERIN, lasting(HOUR, request)) }
}

const YES: &str = "permitted";
const NO: &str = "no policy permits it";

fn said(verdict: Verdict) -> String {
    match verdict {
        Verdict::Permitted => YES.to_owned(),
        Verdict::NotPermitted => NO.to_owned(),
        Verdict::Forbidden(reason) => reason,
    }
}
