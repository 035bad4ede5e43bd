//! A new request, before it is written: refused, waiting for approvers, or approved at once.

use std::time::Duration;

use jiff::Timestamp;

use super::transition::{Also, Step, transition};
use super::{NotAllowed, Rulebook, actor, after, grant, remind_at};
use crate::config::LONGEST;
use crate::domain::DomainPattern;
use crate::events::{DomainRequested, ExtensionRequested};
use crate::ledger::Transition;
use crate::policy::{Action, Verdict};
use crate::request::{RefusedDomain, ReplyTo, Request, RequestId, StateName};
use crate::risk::{self, Assessment};

/// A request that is decided as far as it can be without people, and not written yet.
#[derive(Debug, Clone)]
pub struct Draft {
    request: Request,
    by: String,
    comment: Option<String>,
    approvers: Vec<String>,
    message_key: String,
}

/// What a new request begins with.
struct Asked<'a> {
    message_key: &'a str,
    requester: &'a str,
    justification: &'a str,
    reply_to: Option<&'a ReplyTo>,
    duration_seconds: u64,
}

/// A request for domains, decided by the rules.
pub fn draft(asked: &DomainRequested, rulebook: &Rulebook, now: Timestamp) -> Draft {
    let (domains, refused_domains, problem) = judge_domains(asked, rulebook);
    let duration = asked.duration_seconds.unwrap_or(rulebook.config.durations.default.as_secs());
    let DomainRequested { message_key, requester, justification, reply_to, .. } = asked;
    let begin = Asked {
        message_key,
        requester,
        justification,
        reply_to: reply_to.as_ref(),
        duration_seconds: duration,
    };
    let request = Request {
        refused_domains,
        preset: asked.preset.clone(),
        ticket: asked.ticket.clone(),
        break_glass: asked.break_glass.clone(),
        ..new_request(&begin, domains, rulebook, now)
    };
    Draft::decided(request, message_key, problem, rulebook, now)
}

/// A request for more time for the grant of `original`, decided by the rules.
pub fn draft_extension(
    asked: &ExtensionRequested,
    original: &Request,
    rulebook: &Rulebook,
    now: Timestamp,
) -> Result<Draft, NotAllowed> {
    let (id, by) = (original.id.clone(), asked.requester.clone());
    if !original.state.is_live() {
        return Err(NotAllowed::State { id, state: original.state, command: "extended" });
    }
    match rulebook.policy.decide(&by, Action::Extend, original, original.approvals.len(), &rulebook.config) {
        Verdict::Permitted => {}
        Verdict::Forbidden(reason) => {
            return Err(NotAllowed::Forbidden { by, id, command: "extended", reason });
        }
        Verdict::NotPermitted => return Err(NotAllowed::NotPermitted { by, id, command: "extended" }),
    }
    let duration_seconds = asked.duration_seconds.unwrap_or(original.duration_seconds);
    if let Some(until) = original.ends_at.filter(|until| after(now, duration_seconds) <= *until) {
        return Err(NotAllowed::LastsLonger { id, until });
    }
    let ExtensionRequested { message_key, requester, justification, reply_to, .. } = asked;
    let begin =
        Asked { message_key, requester, justification, reply_to: reply_to.as_ref(), duration_seconds };
    let request = Request {
        preset: original.preset.clone(),
        ticket: original.ticket.clone(),
        extends: Some(original.id.clone()),
        extensions: original.extensions + 1,
        ..new_request(&begin, original.domains.clone(), rulebook, now)
    };
    let denied_domains = &rulebook.config.denied_domains;
    let denied = request.domains.iter().find_map(|pattern| pattern.check_against(denied_domains).err());
    Ok(Draft::decided(request, message_key, denied.map(|reason| reason.to_string()), rulebook, now))
}

impl Draft {
    /// Whether people have to decide about it, who should know what it would change.
    pub fn waits_for_people(&self) -> bool {
        self.request.state == StateName::Pending
    }

    /// What it asks for.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What is known about it, to be added to.
    pub fn assessment_mut(&mut self) -> &mut Assessment {
        &mut self.request.assessment
    }

    /// All that is written of it.
    pub fn open(self, now: Timestamp) -> Result<Transition, NotAllowed> {
        let Self { request, by, comment, approvers, message_key } = self;
        let broken = request.state == StateName::Approved && request.break_glass.is_some();
        let what = match request.state {
            StateName::Refused => "refused",
            StateName::Approved => "approved",
            _ => "asked",
        };
        let mut step = Step::to(request).by(&by, what, comment);
        if broken {
            step = step.also(Also::GlassBroken { approvers });
        }
        let mut transition = transition(None, step, now)?;
        transition.message_key = Some(message_key);
        Ok(transition)
    }

    /// What the rules say of a request; `problem` is what can't be about it, whatever they say.
    fn decided(
        mut request: Request,
        message_key: &str,
        problem: Option<String>,
        rulebook: &Rulebook,
        now: Timestamp,
    ) -> Self {
        let requester = request.requester.clone();
        let approvers = rulebook.policy.approvers_of(&request, &rulebook.config);
        let (by, comment) = match judge(&mut request, problem, approvers.len(), rulebook) {
            Judged::Refused(reason) => {
                request.state = StateName::Refused;
                (actor::POLICY.to_owned(), Some(reason))
            }
            Judged::Approved { by, why } => {
                grant(&mut request, now);
                (by, Some(why))
            }
            Judged::Waits => {
                request.remind_at = remind_at(&request, &rulebook.config);
                (requester, None)
            }
        };
        Self { request, by, comment, approvers, message_key: message_key.to_owned() }
    }
}

/// What the rules say of a new request.
enum Judged {
    Refused(String),
    Approved { by: String, why: String },
    Waits,
}

fn judge(request: &mut Request, problem: Option<String>, approvers: usize, rulebook: &Rulebook) -> Judged {
    if let Some(problem) = problem.or_else(|| too_long(request)) {
        return Judged::Refused(problem);
    }
    let Rulebook { config, policy } = rulebook;
    let decide = |action| policy.decide(&request.requester, action, request, 0, config);
    match decide(Action::Request) {
        Verdict::Permitted => {}
        Verdict::Forbidden(reason) => return Judged::Refused(reason),
        Verdict::NotPermitted => return Judged::Refused("no policy lets you ask for it".to_owned()),
    }
    if request.break_glass.is_some() {
        return match decide(Action::BreakGlass) {
            Verdict::Permitted => Judged::Approved {
                by: request.requester.clone(),
                why: "the glass was broken: nobody was asked".to_owned(),
            },
            Verdict::Forbidden(reason) => Judged::Refused(reason),
            Verdict::NotPermitted => Judged::Refused("no policy lets you break the glass".to_owned()),
        };
    }
    match policy.approvals_needed(request, config) {
        Some(0) => Judged::Approved {
            by: actor::POLICY.to_owned(),
            why: "the policy approves it without anybody's yes".to_owned(),
        },
        // It would wait until it lapses.
        Some(needed) if needed > approvers => Judged::Refused(format!(
            "by the policy {needed} people have to say yes, and beside you there are {approvers} who may"
        )),
        Some(needed) => {
            request.approvals_needed = needed;
            Judged::Waits
        }
        None => Judged::Refused("by the policy, no number of approvals is enough for it".to_owned()),
    }
}

fn too_long(request: &Request) -> Option<String> {
    let longest = humantime::format_duration(LONGEST);
    (Duration::from_secs(request.duration_seconds) > LONGEST)
        .then(|| format!("duration_seconds is too long: nothing lasts longer than {longest}"))
}

fn new_request(
    asked: &Asked<'_>,
    domains: Vec<DomainPattern>,
    rulebook: &Rulebook,
    now: Timestamp,
) -> Request {
    Request {
        id: RequestId::of_message(asked.message_key),
        version: 1,
        state: StateName::Pending,
        ending: None,
        requester: asked.requester.to_owned(),
        assessment: risk::assess(&domains, &rulebook.config),
        domains,
        refused_domains: Vec::new(),
        preset: None,
        justification: asked.justification.to_owned(),
        ticket: None,
        break_glass: None,
        duration_seconds: asked.duration_seconds,
        requested_at: now,
        lapses_at: after(now, rulebook.config.durations.pending.as_secs()),
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
        reply_to: asked.reply_to.cloned(),
        seal: String::new(),
    }
}

/// The domains that are meant, those that can't be granted, and why the request can't be taken.
fn judge_domains(
    asked: &DomainRequested,
    rulebook: &Rulebook,
) -> (Vec<DomainPattern>, Vec<RefusedDomain>, Option<String>) {
    let config = &rulebook.config;
    if let Some(name) = &asked.preset {
        let Some(preset) = config.presets.get(name) else {
            let known = config.presets.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let problem = format!("there is no preset of that name; there are: {known}");
            return (Vec::new(), Vec::new(), Some(problem));
        };
        return (preset.domains.clone(), Vec::new(), None);
    }
    let (mut domains, mut refused) = (Vec::new(), Vec::new());
    for text in &asked.domains {
        match DomainPattern::requested(text, &config.denied_domains) {
            Ok(pattern) if domains.contains(&pattern) => {}
            Ok(pattern) => domains.push(pattern),
            Err(reason) => {
                let text = text.chars().take(253).collect();
                refused.push(RefusedDomain { text, reason: reason.to_string() });
            }
        }
    }
    let reasons: Vec<&str> = refused.iter().map(|domain| domain.reason.as_str()).collect();
    let problem = match reasons.as_slice() {
        [] if domains.is_empty() => Some("no domain is asked for".to_owned()),
        [] => None,
        reasons => Some(reasons.join("; ")),
    };
    (domains, refused, problem)
}
