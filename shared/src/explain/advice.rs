//! What else there is to know about a host, and what to do: sentences.

use jiff::Timestamp;

use super::sentences::{decider, minute};
use super::shown::{NAME, SENTENCE, shown};
use super::track::Conclusion;
use super::walk::{Doubt, Judged};
use super::{Action, DecidedBy, Explanation, Known, MatchingGrant, Verdict, is_host};
use crate::domain::DomainPattern;
use crate::request::{Request, StateName};

/// The hosts, and the grants, that are named beside the one that was asked about.
const MOST_OTHERS: usize = 5;

/// What else there is to know.
pub(super) fn notes(
    explanation: &Explanation,
    asked: &DomainPattern,
    judged: &Judged,
    known: &Known<'_>,
) -> Vec<String> {
    let host = asked.name();
    let mut notes = Vec::new();
    if asked.includes_subdomains() {
        notes.push(format!("This is about {host} itself: each host below it is judged by its own name."));
    }
    notes.extend(doubts(judged));
    notes.extend(before_the_name(&judged.tls, "TLS"));
    notes.extend(before_the_name(&judged.http, "HTTP"));
    notes.extend(in_two_packets(&judged.tls));
    if !judged.has_grants {
        notes.push(
            "No rule group that holds grants is in the firewall's policy: no grant has an effect.".to_owned(),
        );
    }
    notes.extend(explanation.grants.iter().filter_map(|grant| not_in_force(grant, known.now)));
    notes.extend(granted_and_blocked(explanation, judged));
    if explanation.grants.is_empty() {
        notes.extend(granted_above(host, known.requests));
    }
    notes.extend(passes_and_was_blocked(explanation, judged));
    notes.extend(others_blocked(host, known));
    notes.into_iter().map(|note| shown(&note, SENTENCE)).collect()
}

/// What could not be judged.
pub(super) fn doubts(judged: &Judged) -> Vec<String> {
    let mut notes: Vec<String> = judged.doubts.iter().map(doubt).collect();
    if judged.more_doubts > 0 {
        notes.push(format!("{} more rules can't be judged.", judged.more_doubts));
    }
    let is_unknown = [&judged.tls, &judged.http].into_iter().any(|one| one.verdict == Verdict::Unknown);
    if is_unknown && judged.doubts.is_empty() {
        notes.push(
            "A rule can't be judged that looks at what comes after the client has given the name.".to_owned(),
        );
    }
    notes.into_iter().map(|note| shown(&note, SENTENCE)).collect()
}

fn doubt(doubt: &Doubt) -> String {
    let Doubt { group, rule, because, action, late } = doubt;
    let may = match action {
        Some(Action::Pass) => "may let it pass",
        Some(Action::Drop | Action::Reject) => "may block it",
        None => "may let it pass, or block it",
    };
    let what = match rule {
        Some((sid, message)) => format!(
            "Rule {sid} (\"{message}\") of the rule group {group} {may}: its condition {because} can't be judged here."
        ),
        None => format!("The rule group {group} {may}: it can't be judged here ({because})."),
    };
    if *late {
        return format!(
            "{what} It needs no name, and so decides before any rule that does, wherever it stands."
        );
    }
    what
}

/// A rule that needs no name blocks what another would let pass by its name.
fn before_the_name(conclusion: &Conclusion, protocol: &str) -> Option<String> {
    let by_name = conclusion.in_spite_of.as_ref()?;
    Some(format!(
        "{protocol} is blocked at its first packets, before the client has given a name: {} never gets to see it.",
        decider(by_name)
    ))
}

fn in_two_packets(conclusion: &Conclusion) -> Option<String> {
    let blocks = conclusion.in_two_packets.as_ref()?;
    Some(format!(
        "A long ClientHello, as post-quantum keys make it, takes two packets: {} blocks the first of them, in which there is no name yet.",
        decider(blocks)
    ))
}

/// Why a grant is not in force yet, or any more.
fn not_in_force(grant: &MatchingGrant, now: Timestamp) -> Option<String> {
    let id = &grant.id;
    if grant.ends_at.is_some_and(|ends_at| ends_at <= now) {
        return Some(format!("The time of {id} is over: it is closed within a minute."));
    }
    if let Some(reason) = &grant.waits_for {
        return Some(format!("{id} is approved, and its rules are not in the firewall: {reason}"));
    }
    (grant.state == StateName::Approved).then(|| {
        format!(
            "{id} is approved, and not in force yet: its rules are not in sync in every availability zone."
        )
    })
}

/// A grant that is in force, and doesn't let the host pass all the same.
fn granted_and_blocked(explanation: &Explanation, judged: &Judged) -> Option<String> {
    let mut active = explanation.grants.iter().filter(|grant| grant.state == StateName::Active);
    let grant = active.next().filter(|_| judged.has_grants)?;
    let id = &grant.id;
    let conclusion = [&judged.tls, &judged.http].into_iter().find(|one| one.verdict == Verdict::Blocked)?;
    if conclusion.a_grant_helps {
        return Some(format!(
            "It is granted by {id}, and no rule for it was found where grants stand: that is put right within a minute."
        ));
    }
    Some(format!(
        "It is granted by {id}, and blocked all the same: {} decides before grants are looked at.",
        decider(&conclusion.decided_by)
    ))
}

/// Grants of a name above the host, which are of that name alone.
fn granted_above(host: &str, requests: &[Request]) -> Vec<String> {
    let live = requests.iter().filter(|request| request.state.is_live());
    let above = live.filter_map(|request| {
        let is_above = |domain: &&DomainPattern| {
            !domain.includes_subdomains()
                && host.strip_suffix(domain.name()).is_some_and(|below| below.ends_with('.'))
        };
        let domain = request.domains.iter().find(is_above)?;
        Some(format!("{} grants {domain}, which is that host alone: {host} is another one.", request.id))
    });
    above.take(MOST_OTHERS).collect()
}

/// What explains that a client was blocked where it should pass.
fn passes_and_was_blocked(explanation: &Explanation, judged: &Judged) -> Vec<String> {
    let passes = [&judged.tls, &judged.http].into_iter().any(|one| one.verdict == Verdict::Passes);
    let Some(last) = explanation.last_blocked.as_ref().filter(|_| passes) else { return Vec::new() };
    let since = explanation.grants.iter().filter_map(|grant| grant.approved_at).min();
    if let Some(since) = since.filter(|since| *since > last.at) {
        return vec![format!("It was last blocked before it was granted ({}).", minute(since))];
    }
    let mut notes = vec![
        "A connection that was begun before its rule was in force stays blocked: begin a new one.".to_owned(),
        "The firewall compares the name that the client writes into the SNI or the Host header: where a redirect or a mirror leads to another host, that one has to pass too.".to_owned(),
    ];
    if let Some(rule) = &judged.quic_blocked_by {
        notes.push(format!(
            "A client that begins with QUIC (UDP port 443) is blocked by {} whatever the name: it has to use TLS over TCP.",
            decider(rule)
        ));
    }
    notes
}

/// Other hosts that were blocked: often the one that is really asked for.
fn others_blocked(host: &str, known: &Known<'_>) -> Option<String> {
    let mut others: Vec<_> = known.blocked.iter().filter(|count| !is_host(&count.host, host)).collect();
    others.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then_with(|| a.host.cmp(&b.host)));
    let mut hosts: Vec<String> = Vec::new();
    for count in others {
        let name = shown(&count.host, NAME);
        if hosts.len() < MOST_OTHERS && !hosts.contains(&name) {
            hosts.push(name);
        }
    }
    (!hosts.is_empty()).then(|| format!("Of the same domain, there was also blocked: {}.", hosts.join(", ")))
}

/// What to do.
pub(super) fn what_to_do(explanation: &Explanation, judged: &Judged, known: &Known<'_>) -> Vec<String> {
    if explanation.passes() {
        return Vec::new();
    }
    let mut steps: Vec<String> = forbidden(explanation, judged);
    if !steps.is_empty() {
        return bounded(steps);
    }
    let unclear = [&judged.tls, &judged.http].into_iter().any(|one| one.verdict == Verdict::Unknown);
    if let Some(doubt) = judged.doubts.iter().find(|doubt| !doubt.late).filter(|_| unclear) {
        steps.push(format!(
            "Ask those who keep the rule group {} whether it concerns {}; the firewall's alert log says which rule blocked.",
            doubt.group, explanation.host
        ));
    }
    if judged.tls.verdict == Verdict::Passes {
        steps.push("Use https:// instead of http://.".to_owned());
        return bounded(steps);
    }
    if !judged.tls.a_grant_helps {
        return bounded(steps);
    }
    if let Some(grant) = explanation.grants.first() {
        steps.push(format!("Wait until {} is in force; who asked for it is told.", grant.id));
    } else if let Some(request) = explanation.pending.first() {
        steps.push(format!(
            "Wait until {} is approved ({} of {} have said yes); it lapses at {}.",
            request.id,
            request.approvals,
            request.approvals_needed,
            minute(request.lapses_at)
        ));
    } else {
        steps.push(ask(explanation, known));
    }
    bounded(steps)
}

fn bounded(steps: Vec<String>) -> Vec<String> {
    steps.into_iter().map(|step| shown(&step, SENTENCE)).collect()
}

/// Who can help where no grant does.
fn forbidden(explanation: &Explanation, judged: &Judged) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(entry) = &explanation.denied {
        steps.push(format!(
            "Talk to those who keep denied_domains in egress.toml: as long as {entry} is among them, nobody can ask for it."
        ));
    }
    let blocks = [&judged.tls, &judged.http]
        .into_iter()
        .find(|one| one.verdict == Verdict::Blocked && !one.a_grant_helps && judged.has_grants);
    let group = blocks.and_then(|conclusion| match &conclusion.decided_by {
        DecidedBy::Rule { group, .. }
        | DecidedBy::Entry { group, .. }
        | DecidedBy::NothingAllows { group, .. } => Some(group),
        DecidedBy::DefaultAction => None,
    });
    if let Some(group) = group {
        steps.push(format!("No grant opens it: talk to those who keep the rule group {group}."));
    }
    steps
}

/// What to ask for.
fn ask(explanation: &Explanation, known: &Known<'_>) -> String {
    if let Some(preset) = explanation.presets.first() {
        return format!(
            "Ask for the preset {preset}: it holds {}, and presets are approved at once.",
            explanation.host
        );
    }
    match DomainPattern::requested(&explanation.host, &known.config.denied_domains) {
        Ok(pattern) => format!("Ask for {pattern}: that is the narrowest that lets it pass."),
        Err(reason) => format!("It can't be asked for: {reason}."),
    }
}
