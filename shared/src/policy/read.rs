//! A `policy.cedar` as it is read: parsed, validated against the schema, and checked for what people are
//! shown of it.

use std::fmt::Display;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{Effect, EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use super::Rules;
use super::depth::{DEEPEST, depth, with_stack};
use super::facts::Words;
use crate::config::same_spelling;
use crate::validation::{File, Mistake, Mistakes, line_at};

/// What policies may speak of.
pub(super) const SCHEMA: &str = include_str!("egress.cedarschema");
/// The longest id of a policy, in characters.
const LONGEST_ID: usize = 64;
/// The longest reason of a forbid, in characters.
const LONGEST_REASON: usize = 300;

/// Parses and validates the bytes of a `policy.cedar`.
pub(super) fn rules(bytes: &[u8]) -> Result<Rules, Mistakes> {
    let text = File::PolicyCedar.text(bytes)?;
    let depth = depth(text);
    if depth > DEEPEST {
        let reason = format!("a policy has more than {DEEPEST} operators and brackets: write it as several");
        return Err(mistake(None, &reason).into());
    }
    with_stack(depth, || parse(text, depth))
}

fn parse(text: &str, depth: usize) -> Result<Rules, Mistakes> {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| of_the_schema(&error))?;
    let words = Words::read().map_err(|error| of_the_schema(&error))?;
    let actions = schema.action_entities().map_err(|error| of_the_schema(&error))?;
    let parsed = text.parse::<PolicySet>().map_err(|error| said(text, &DetailedError::from(&error)))?;

    let (policies, mut mistakes) = named(&parsed, text);
    mistakes.extend(unfit(&policies, schema, text));
    let literals: Vec<EntityUid> = policies.policies().flat_map(Policy::entity_literals).collect();
    let people = literals.iter().filter(|entity| words.is_person(entity));
    mistakes.extend(people.filter_map(|person| misspelt(person, text)));
    Mistakes::none_in(mistakes)?;
    let forbids = policies.policies().filter(|policy| policy.effect() == Effect::Forbid);
    let groups = literals.iter().filter(|entity| words.is_group(entity));
    Ok(Rules {
        reasons: forbids.filter_map(|policy| Some((policy.id().clone(), reason(policy)?))).collect(),
        groups: groups.map(|group| (group.id().unescaped().to_owned(), line_of(group, text))).collect(),
        policies,
        actions,
        words,
        depth,
    })
}

/// The policies, each under the id of its annotation, and what is wrong with their annotations.
fn named(parsed: &PolicySet, text: &str) -> (PolicySet, Vec<Mistake>) {
    let (mut policies, mut mistakes) = (PolicySet::new(), Vec::new());
    if parsed.num_of_templates() > 0 {
        mistakes.push(mistake(None, "it has templates (?principal, ?resource), which nothing here fills in"));
    } else if parsed.is_empty() {
        mistakes.push(mistake(None, "it has no policy, so nothing would be permitted"));
    }
    for (line, policy) in placed(parsed, text) {
        let id = policy.annotation("id").filter(|id| is_id(id));
        let renamed = id.map(|id| policy.new_id(PolicyId::new(id)));
        if id.is_none() {
            let reason = format!("a policy needs an @id(\"…\"): 1 to {LONGEST_ID} of a-z, A-Z, 0-9, - and _");
            mistakes.push(mistake(line, &reason));
        }
        if policies.add(renamed.unwrap_or_else(|| policy.clone())).is_err() {
            mistakes.push(mistake(line, "a policy above it has the same @id"));
        }
        if policy.effect() == Effect::Forbid && reason(policy).is_none() {
            let reason = format!(
                "a forbid needs a @reason(\"…\"): a sentence of at most {LONGEST_REASON} characters, on one line"
            );
            mistakes.push(mistake(line, &reason));
        }
    }
    (policies, mistakes)
}

/// Where policies don't fit the schema; where all do, those that can't be meant: one that never applies is a
/// rule that isn't there.
fn unfit(policies: &PolicySet, schema: Schema, text: &str) -> Vec<Mistake> {
    let result = Validator::new(schema).validate(policies, ValidationMode::Strict);
    let errors: Vec<DetailedError> = result.validation_errors().map(DetailedError::from).collect();
    let warnings = result.validation_warnings().map(DetailedError::from);
    let found = if errors.is_empty() { warnings.collect() } else { errors };
    found.iter().flat_map(|error| said(text, error)).collect()
}

/// A person who is written otherwise than people are compared, so that a policy would never apply to them.
fn misspelt(person: &EntityUid, text: &str) -> Option<Mistake> {
    let (is, should_be) = (person.id().unescaped(), same_spelling(person.id().unescaped()));
    let reason = || format!("write the person {is:?} as {should_be:?}");
    (is != should_be).then(|| mistake(line_of(person, text), &reason()))
}

/// A forbid's reason, where it has one that can be shown.
fn reason(policy: &Policy) -> Option<String> {
    let reason = policy.annotation("reason")?.trim();
    let shows =
        !reason.is_empty() && reason.chars().count() <= LONGEST_REASON && !reason.contains(char::is_control);
    shows.then(|| reason.to_owned())
}

fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The policies, with the lines where they begin. They come in the order in which they are written.
fn placed<'a>(policies: &'a PolicySet, text: &'a str) -> impl Iterator<Item = (Option<usize>, &'a Policy)> {
    let mut after = 0;
    policies.policies().map(move |policy| {
        let written = policy.to_cedar().unwrap_or_default();
        let place = text.get(after..).and_then(|rest| rest.find(&written)).map(|place| after + place);
        after = place.map_or(after, |place| place + written.len());
        (place.map(|place| line_at(text.as_bytes(), place)), policy)
    })
}

/// What Cedar says of a mistake, and of those that it found with it.
fn said(text: &str, error: &DetailedError) -> Vec<Mistake> {
    let start = error.source_locations.iter().map(|place| place.loc.start).min();
    let help = error.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    let line = start.map(|start| line_at(text.as_bytes(), start));
    let found = mistake(line, &format!("{}{help}", error.message));
    std::iter::once(found).chain(error.related.iter().flat_map(|error| said(text, error))).collect()
}

/// The line in which an entity is named.
fn line_of(entity: &EntityUid, text: &str) -> Option<usize> {
    text.find(&entity.to_string()).map(|position| line_at(text.as_bytes(), position))
}

/// A mistake in the file.
pub(super) fn mistake(line: Option<usize>, reason: &str) -> Mistake {
    Mistake::new(File::PolicyCedar, line, reason)
}

fn of_the_schema(error: &dyn Display) -> Mistakes {
    mistake(None, &format!("the schema itself can't be read: {error}")).into()
}
