//! The lives of grants: who let them begin, when they are called active, and that they end.

use std::collections::BTreeSet;
use std::time::Duration;

use egress::config::same_spelling;
use egress::domain::DomainPattern;
use egress::ledger::HistoryEntry;
use egress::request::{Ending, Request, StateName};

use crate::simulation::people::{is_forbidden, is_risky};
use crate::simulation::record::{Came, Fact, What};
use crate::simulation::story::{Group, Life, Story, Version};

/// So late after the end of a grant its uses are cut at the least.
const LATE: Duration = Duration::from_secs(55);

/// What a tick that met no fault has found standing, and whose every grant was over by the ledger or by that
/// tick's own clock, doesn't stand any more when the tick has come to its end.
pub(super) fn no_grant_outlives_a_tick(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, invoked) in story.record.invocations.iter().enumerate() {
        if !invoked.tick || invoked.faulted || invoked.came != Some(Came::Done) {
            continue;
        }
        let of_it = |fact: &Fact| fact.by == Some(number);
        let reads = |what: &What| matches!(what, What::ReadGroups);
        let read = story.record.facts.iter().position(|fact| of_it(fact) && reads(&fact.what));
        let ended = story.record.facts.iter().rposition(of_it);
        let (Some(read), Some(ended), Some((clock, _))) = (read, ended, invoked.clock) else { continue };
        for group in &story.groups {
            for entry in stood_throughout(group, read, ended) {
                let goes_on = |life: &&Life<'_>| life.lives_within(read, ended) && life.ends_at > clock;
                if !story.served(entry, group).iter().any(goes_on) {
                    wrong.push(format!(
                        "tick #{number} let {entry} stand in {}, which nobody is granted",
                        group.arn
                    ));
                }
            }
        }
    }
    wrong
}

/// The entries of ours that stand in a group from one place to another.
fn stood_throughout<'s>(group: &'s Group<'_>, from: usize, to: usize) -> Vec<&'s str> {
    let Some(first) = group.at(from) else { return Vec::new() };
    let (then, now) = (group.ours_at(from), group.ours_at(to));
    let since: Vec<_> =
        group.versions.iter().filter(|version| version.place > from && version.place <= to).collect();
    let entries = first.entries.keys().map(String::as_str);
    let ours = |entry: &&str| then.contains(entry) && now.contains(entry);
    let stays = |entry: &&str| since.iter().all(|version| version.entries.contains_key(*entry));
    entries.filter(ours).filter(stays).collect()
}

/// When a grant is called active, or when its writer last looked at the availability zones before, all of them
/// let its domains pass.
pub(super) fn active_is_true(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for life in story.lives.values() {
        for (place, transition) in &life.transitions {
            let history = &transition.history;
            if history.to != StateName::Active || history.from == Some(StateName::Active) {
                continue;
            }
            let by = story.record.facts.get(*place).and_then(|fact| fact.by);
            let looks = story.facts(|what| matches!(what, What::LookedInSync).then_some(()));
            let looks =
                looks.filter(|(look, fact, ())| fact.by == by && look < place).map(|(look, _, ())| look);
            let last = looks.last().into_iter().chain([*place]);
            if !last.into_iter().any(|place| life.domains.iter().all(|domain| is_open(story, domain, place)))
            {
                wrong.push(format!("{} was called active before its domains were open everywhere", life.id));
            }
        }
    }
    wrong
}

/// Whether every availability zone lets a domain pass.
fn is_open(story: &Story<'_>, domain: &DomainPattern, place: usize) -> bool {
    story.groups.iter().any(|group| {
        let mut versions = story.in_effect(group, place).into_iter().peekable();
        versions.peek().is_some() && versions.all(|version| Story::is_served(&[(group, version)], domain))
    })
}

/// What a grant that was revoked or has expired had let through is cut once no availability zone has its rules
/// any more, also what the log brings late. What an extension goes on with is cut when that has ended.
pub(super) fn what_has_ended_is_cut(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let logged = story.facts(|what| match what {
        What::Logged(id, flow) => Some((id, flow)),
        _ => None,
    });
    for (logged, fact, (id, flow)) in logged {
        let Some(life) = story.lives.get(id) else { continue };
        let cuts = story.facts(|what| match what {
            What::Flushed(flows) if flows.contains(flow) => Some(()),
            _ => None,
        });
        let cuts: Vec<usize> = cuts.map(|(place, _, ())| place).collect();
        let ended = last_of(story, life).and_then(|last| last.ended);
        match ended {
            Some((ended, Ending::Revoked | Ending::Expired)) => {
                let is_cut = cuts.iter().any(|cut| is_out(story, life, ended, *cut));
                if cuts.iter().any(|cut| *cut < ended) {
                    wrong.push(format!("{flow:?} of {id} was cut before it had ended"));
                }
                if !is_cut && (logged < ended || comes_late_in_time(story, ended, fact)) {
                    wrong.push(format!("{flow:?} of {id} was not cut when it had ended"));
                }
            }
            _ if !cuts.is_empty() => {
                wrong.push(format!("{flow:?} of {id} was cut although it had not ended"));
            }
            _ => {}
        }
    }
    wrong
}

/// The grant itself, or what took its place in the end.
fn last_of<'s, 'a>(story: &'s Story<'a>, life: &'s Life<'a>) -> Option<&'s Life<'a>> {
    let mut last = life;
    while let Some((_, Ending::Superseded)) = last.ended {
        let (_, transition) = last.transitions.last()?;
        last = story.lives.get(transition.request.superseded_by.as_ref()?)?;
    }
    Some(last)
}

/// Whether a use was logged so soon after the end of its grant that it has to be cut, too: two minutes are waited
/// for that, by clocks that may be wrong by half a minute each.
fn comes_late_in_time(story: &Story<'_>, ended: usize, logged: &Fact) -> bool {
    let clock_was_set = story.record.faults.contains_key("clock set");
    let end = story.record.facts.get(ended).map(|fact| fact.at);
    !clock_was_set && end.is_some_and(|end| logged.at <= end + LATE)
}

/// Whether the rules of a grant that ended were gone from every availability zone, but for what others are
/// granted.
fn is_out(story: &Story<'_>, life: &Life<'_>, ended: usize, place: usize) -> bool {
    let Some(now) = story.record.facts.get(place).map(|fact| fact.at) else { return false };
    life.domains.iter().all(|domain| {
        let others = story.lives.values().any(|other| {
            other.id != life.id && other.domains.contains(domain) && other.lives_within(ended, place)
        });
        others
            || story.groups.iter().all(|group| {
                let mut since =
                    group.versions.iter().filter(|version| version.place > ended && version.place <= place);
                let stands = |version: &Version| Story::is_served(&[(group, version)], domain);
                let stood = group.at(ended).is_some_and(stands);
                let gone = since.find(|version| !stands(version));
                let theirs = group.is_list && !group.ours_at(ended).contains(domain.to_string().as_str());
                !stood || theirs || gone.is_some_and(|version| version.at + story.record.sync_delay <= now)
            })
    })
}

/// Nobody approves an own request or twice; approvers are approvers, enough of them, and not of what nobody is
/// granted; the glass is broken by those on call.
pub(super) fn who_decided_may_decide(story: &Story<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for life in story.lives.values() {
        for request in life.transitions.iter().map(|(_, transition)| &transition.request) {
            let generous = story.record.generous;
            wrong.extend(problem(request, generous).map(|problem| format!("{} {problem}", life.id)));
        }
        for (_, transition) in &life.transitions {
            let said = problem_of_no(story, &transition.request, &transition.history);
            wrong.extend(said.map(|problem| format!("{} {problem}", life.id)));
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// What is wrong with who denied, revoked or withdrew.
fn problem_of_no(story: &Story<'_>, request: &Request, history: &HistoryEntry) -> Option<String> {
    let (generous, by) = (story.record.generous, same_spelling(&history.by));
    let original = request.extends.as_ref().and_then(|original| story.lives.get(original));
    let with_original = || original.is_some_and(|life| matches!(life.ended, Some((_, Ending::Revoked))));
    let is_own = by == same_spelling(&request.requester);
    let may = match history.what.as_str() {
        "denied" => !is_own && (generous || is_approver(&by)),
        "revoked" if by == "firewall" => with_original(),
        "revoked" => generous || is_own || is_approver(&by),
        "withdrawn" => generous || is_own,
        _ => true,
    };
    (!may).then(|| format!("was {} by {by}, who may not", history.what))
}

fn is_approver(person: &str) -> bool {
    ["bob", "carol", "dave"].contains(&person)
}

fn problem(request: &Request, generous: bool) -> Option<String> {
    let people: BTreeSet<String> =
        request.approvals.iter().map(|approval| same_spelling(&approval.by)).collect();
    if people.len() != request.approvals.len() {
        return Some("counts somebody twice".to_owned());
    }
    if people.contains(&same_spelling(&request.requester)) {
        return Some("was approved by who had asked for it".to_owned());
    }
    if request.approved_at.is_some()
        && people.len() < request.approvals_needed
        && request.break_glass.is_none()
    {
        return Some(format!("was approved by {} people of {}", people.len(), request.approvals_needed));
    }
    if generous {
        return None;
    }
    if let Some(nobody) = people.iter().find(|person| !is_approver(person)) {
        return Some(format!("was approved by {nobody}, who is no approver"));
    }
    request.approved_at?;
    let domains: Vec<String> = request.domains.iter().map(ToString::to_string).collect();
    if let Some(domain) = domains.iter().find(|domain| is_forbidden(domain)) {
        return Some(format!("was approved for {domain}, which nobody may have"));
    }
    let risky = domains.iter().any(|domain| is_risky(domain));
    let preset =
        domains.iter().all(|domain| ["pypi.org", "files.pythonhosted.org"].contains(&domain.as_str()));
    let needed = if preset { 0 } else { 1 + usize::from(risky) };
    if request.break_glass.is_some() && request.approvals.is_empty() {
        let may = same_spelling(&request.requester) == "erin" && !risky && request.duration_seconds <= 3_600;
        return (!may && !preset).then(|| "broke the glass, and may not".to_owned());
    }
    if people.len() < needed {
        return Some(format!("was approved by {} people, and needs {needed}", people.len()));
    }
    None
}
