//! What policies are told of a request and of people, in the schema's words.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::error::Error;

use cedar_policy::{
    Context, Entity, EntityId, EntityTypeName, EntityUid, ParseErrors, RestrictedExpression as Value,
};

use crate::config::{Config, same_spelling};
use crate::domain::{DomainPattern, registrable_domain, suffix_below};
use crate::request::Request;
use crate::risk::{Finding, Risk};

/// Why a question can't be put to the policies: what they would be told doesn't fit the schema. A test shows
/// that it does; where it doesn't all the same, nothing is permitted.
pub(super) type Unclear = Box<dyn Error>;

/// The names of the schema's types, read once: to read a name is parsing.
#[derive(Debug)]
pub(super) struct Words {
    person: EntityTypeName,
    group: EntityTypeName,
    request: EntityTypeName,
    ledger: EntityTypeName,
    action: EntityTypeName,
}

/// A request, and who asked for it.
pub(super) struct Facts {
    pub(super) request: Entity,
    pub(super) requester: Entity,
}

impl Words {
    pub(super) fn read() -> Result<Self, Box<ParseErrors>> {
        Ok(Self {
            person: "Egress::Person".parse()?,
            group: "Egress::Group".parse()?,
            request: "Egress::Request".parse()?,
            ledger: "Egress::Ledger".parse()?,
            action: "Egress::Action".parse()?,
        })
    }

    pub(super) fn is_person(&self, entity: &EntityUid) -> bool {
        *entity.type_name() == self.person
    }

    pub(super) fn is_group(&self, entity: &EntityUid) -> bool {
        *entity.type_name() == self.group
    }

    pub(super) fn action(&self, name: &str) -> EntityUid {
        named(&self.action, name)
    }

    /// All requests together.
    pub(super) fn ledger(&self) -> Entity {
        Entity::with_uid(named(&self.ledger, "ledger"))
    }

    /// A person in the spelling in which people are compared, with their groups.
    pub(super) fn person(&self, person: &str, config: &Config) -> Entity {
        let groups = config.groups_of(person).map(|group| named(&self.group, group)).collect();
        Entity::new_no_attrs(named(&self.person, &same_spelling(person)), groups)
    }

    /// A request and its requester.
    pub(super) fn facts(&self, request: &Request, config: &Config) -> Result<Facts, Unclear> {
        let requester = self.person(&request.requester, config);
        let mut attributes = about_domains(request, config);
        attributes.extend(about_asking(request));
        attributes.push(("requester", Value::new_entity_uid(requester.uid())));
        let attributes: HashMap<String, Value> =
            attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let request = Entity::new(named(&self.request, request.id.as_str()), attributes, HashSet::new())?;
        Ok(Facts { request, requester })
    }
}

/// How far a request has come, and whether it is the person's own.
pub(super) fn progress(approvals: usize, own: bool) -> Result<Context, Unclear> {
    let pairs = [("approvals", long(approvals)), ("own", Value::new_bool(own))];
    Ok(Context::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value)))?)
}

/// What the domains are. The configuration's lists are looked at as they are now: what has come to be
/// forbidden since a request was assessed is forbidden.
fn about_domains(request: &Request, config: &Config) -> Vec<(&'static str, Value)> {
    let any = |is: &dyn Fn(&DomainPattern) -> bool| request.domains.iter().any(is);
    let found = |is: fn(&Finding) -> bool| {
        request.assessment.domains.iter().flat_map(|domain| &domain.findings).any(is)
    };
    let covered = !request.domains.is_empty() && !any(&|domain| !config.is_preset(domain));
    let denied = any(&|domain| domain.check_against(&config.denied_domains).is_err());
    let suffix = |domain: &DomainPattern| {
        registrable_domain(domain.name()).is_none() || suffix_below(domain).is_some()
    };
    let public_suffix = any(&suffix) || found(|finding| matches!(finding, Finding::AbovePublicSuffix { .. }));
    let uploads = any(&|domain| domain.check_against(&config.risk.anybody_can_upload).is_err())
        || found(|finding| matches!(finding, Finding::AnybodyCanUpload { .. }));
    let shared_hosting = found(|finding| matches!(finding, Finding::SharedHosting { .. }));
    let international = found(|finding| matches!(finding, Finding::International { .. }));
    vec![
        ("domains", texts(request.domains.iter().map(DomainPattern::to_string))),
        ("within", texts(request.domains.iter().flat_map(within).collect::<BTreeSet<_>>())),
        ("preset_covered", Value::new_bool(covered)),
        ("denied", Value::new_bool(denied)),
        ("public_suffix", Value::new_bool(public_suffix)),
        ("shared_hosting", Value::new_bool(shared_hosting)),
        ("anybody_can_upload", Value::new_bool(uploads)),
        ("subdomains", Value::new_bool(any(&DomainPattern::includes_subdomains))),
        ("international", Value::new_bool(international)),
    ]
}

/// How it is asked for.
fn about_asking(request: &Request) -> Vec<(&'static str, Value)> {
    let risk = match request.assessment.risk {
        Risk::Low => 0,
        Risk::Medium => 1,
        Risk::High => 2,
    };
    let said = |text: Option<&str>| long(text.unwrap_or_default().trim().chars().count());
    vec![
        ("risk", Value::new_long(risk)),
        ("duration_seconds", long(request.duration_seconds)),
        ("extensions", long(request.extensions)),
        ("justification_length", said(Some(&request.justification))),
        (
            "ticket",
            Value::new_bool(request.ticket.as_deref().is_some_and(|ticket| !ticket.trim().is_empty())),
        ),
        ("break_glass", Value::new_bool(request.break_glass.is_some())),
        ("break_glass_reason_length", said(request.break_glass.as_deref())),
    ]
}

/// Every pattern that covers this one: `a.b.com` → `a.b.com`, `.a.b.com`, `.b.com`, `.com`.
fn within(domain: &DomainPattern) -> impl Iterator<Item = String> {
    let name = domain.name();
    let parents = name.match_indices('.').filter_map(|(at, _)| name.get(at..)).map(str::to_owned);
    [domain.to_string(), format!(".{name}")].into_iter().chain(parents)
}

fn named(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn texts(texts: impl IntoIterator<Item = String>) -> Value {
    Value::new_set(texts.into_iter().map(Value::new_string))
}

/// A number as policies have it; the largest there is for what is larger.
fn long(number: impl TryInto<i64>) -> Value {
    Value::new_long(number.try_into().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use cedar_policy::{Entities, Request as Question, Schema};
    use serde_json::json;

    use super::super::Action;
    use super::*;

    #[test]
    fn what_policies_are_told_fits_the_schema() {
        let (schema, warnings) = Schema::from_cedarschema_str(super::super::read::SCHEMA).unwrap();
        assert_eq!(warnings.count(), 0);
        let config = Config::parse("[groups]\napprovers = [\"bob\"]").unwrap();
        let request: Request = serde_json::from_value(json!({
            "id": "req-0123456789ab", "version": 1, "state": "pending", "requester": "Alice", "domains": [".numpy.org"],
            "justification": "", "duration_seconds": 60, "requested_at": "2026-11-21T12:00:00Z",
            "lapses_at": "2026-11-21T12:00:00Z", "approvals_needed": 1, "assessment": {"risk": "low", "domains": []},
        }))
        .unwrap();
        let words = Words::read().unwrap();
        let (bob, Facts { request, requester }) =
            (words.person(" BOB", &config), words.facts(&request, &config).unwrap());
        let ask = |action: &str, about: &Entity, context| {
            Question::new(bob.uid(), words.action(action), about.uid(), context, Some(&schema)).unwrap()
        };
        for action in Action::ALL {
            ask(action.name(), &request, progress(usize::MAX, false).unwrap());
        }
        ask("Inspect", &words.ledger(), Context::empty());
        let known = [bob.clone(), request, requester, words.ledger()];
        Entities::from_entities(known, Some(&schema)).unwrap();
    }
}
