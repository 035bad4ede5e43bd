//! A `policy.cedar` as it is read: parsed, validated against the schema, and checked for what people are
//! shown of it.

use std::fmt::Display;
use std::io::Read as _;
use std::path::Path;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{Effect, EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use super::depth::{DEEPEST, depth, with_stack};
use super::facts::Words;
use super::{PolicyError, Rules};
use crate::config::same_spelling;

/// What policies may speak of.
pub(super) const SCHEMA: &str = include_str!("egress.cedarschema");
/// The largest text that is read, in bytes.
const LARGEST: usize = 100_000;
/// The longest id of a policy, in characters.
const LONGEST_ID: usize = 64;
/// The longest reason of a forbid, in characters.
const LONGEST_REASON: usize = 300;
/// How much is said about mistakes, in characters: it has to fit into an answer to CloudFormation, which has
/// at most 4,096 bytes.
const LONGEST_ERROR: usize = 2_000;

/// Something that is wrong, with the line where it is.
type Mistake = (Option<usize>, String);

/// The text of a file; of one that is too large, one byte more than is read.
pub(super) fn file(path: &Path) -> Result<String, PolicyError> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST as u64 + 1).read_to_string(&mut text))
        .map_err(|cause| PolicyError::Read { path: path.to_owned(), cause })?;
    Ok(text)
}

/// Parses and validates the text of a `policy.cedar`.
pub(super) fn rules(text: &str) -> Result<Rules, PolicyError> {
    if text.len() > LARGEST {
        return Err(PolicyError::Invalid(format!("it is larger than {LARGEST} bytes")));
    }
    let depth = depth(text);
    if depth > DEEPEST {
        let message = format!("a policy has more than {DEEPEST} operators and brackets: write it as several");
        return Err(PolicyError::Invalid(message));
    }
    with_stack(depth, || parse(text, depth))
}

fn parse(text: &str, depth: usize) -> Result<Rules, PolicyError> {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|error| of_the_schema(&error))?;
    let words = Words::read().map_err(|error| of_the_schema(&error))?;
    let actions = schema.action_entities().map_err(|error| of_the_schema(&error))?;
    let parsed =
        text.parse::<PolicySet>().map_err(|error| invalid(said(text, &DetailedError::from(&error))))?;

    let (policies, mut mistakes) = named(&parsed, text);
    mistakes.extend(unfit(&policies, schema, text));
    let literals: Vec<EntityUid> = policies.policies().flat_map(Policy::entity_literals).collect();
    let people = literals.iter().filter(|entity| words.is_person(entity));
    mistakes.extend(people.filter_map(|person| misspelt(person, text)));
    if !mistakes.is_empty() {
        return Err(invalid(mistakes));
    }
    let forbids = policies.policies().filter(|policy| policy.effect() == Effect::Forbid);
    let groups = literals.iter().filter(|entity| words.is_group(entity));
    Ok(Rules {
        reasons: forbids.filter_map(|policy| Some((policy.id().clone(), reason(policy)?))).collect(),
        groups: groups.map(|group| group.id().unescaped().to_owned()).collect(),
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
        let message = "it has templates (?principal, ?resource), which nothing here fills in";
        mistakes.push((None, message.to_owned()));
    } else if parsed.is_empty() {
        mistakes.push((None, "it has no policy, so nothing would be permitted".to_owned()));
    }
    for (line, policy) in placed(parsed, text) {
        let id = policy.annotation("id").filter(|id| is_id(id));
        let renamed = id.map(|id| policy.new_id(PolicyId::new(id)));
        if id.is_none() {
            let message =
                format!("a policy needs an @id(\"…\"): 1 to {LONGEST_ID} of a-z, A-Z, 0-9, - and _");
            mistakes.push((line, message));
        }
        if policies.add(renamed.unwrap_or_else(|| policy.clone())).is_err() {
            mistakes.push((line, "a policy above it has the same @id".to_owned()));
        }
        if policy.effect() == Effect::Forbid && reason(policy).is_none() {
            let message = format!(
                "a forbid needs a @reason(\"…\"): a sentence of at most {LONGEST_REASON} characters, on one line"
            );
            mistakes.push((line, message));
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
    let line = line_at(text, text.find(&person.to_string()));
    (is != should_be).then(|| (line, format!("write the person {is:?} as {should_be:?}")))
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
        (line_at(text, place), policy)
    })
}

/// What Cedar says of a mistake, and of those that it found with it.
fn said(text: &str, error: &DetailedError) -> Vec<Mistake> {
    let start = error.source_locations.iter().map(|place| place.loc.start).min();
    let help = error.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    let mistake = (line_at(text, start), format!("{}{help}", error.message));
    std::iter::once(mistake).chain(error.related.iter().flat_map(|error| said(text, error))).collect()
}

fn line_at(text: &str, position: Option<usize>) -> Option<usize> {
    Some(text.get(..position?)?.matches('\n').count() + 1)
}

/// All mistakes in the order of their lines, as far as there is room.
fn invalid(mut mistakes: Vec<Mistake>) -> PolicyError {
    mistakes.sort();
    mistakes.dedup();
    let lines = mistakes.into_iter().map(|(line, message)| match line {
        Some(line) => format!("line {line}: {message}"),
        None => message,
    });
    let all = lines.collect::<Vec<_>>().join("\n");
    if all.chars().count() <= LONGEST_ERROR {
        return PolicyError::Invalid(all);
    }
    PolicyError::Invalid(all.chars().take(LONGEST_ERROR).chain("…".chars()).collect())
}

fn of_the_schema(error: &dyn Display) -> PolicyError {
    PolicyError::Invalid(format!("the schema itself can't be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_far_as_it_is_seen_to_be_too_large() {
        let endless = file(Path::new("/dev/zero")).unwrap();
        assert_eq!(endless.len(), LARGEST + 1);
        assert!(rules(&endless).unwrap_err().to_string().contains("larger than"));
        let missing = file(Path::new("/nowhere/policy.cedar")).unwrap_err().to_string();
        assert!(missing.starts_with("the policy /nowhere/policy.cedar can't be read: "), "{missing}");
    }
}
