//! An `egress.toml` as it is read: TOML first, then the fields and what each may be, and last what they mean together.

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, ValueDeserializer};

use super::Config;
use super::field::{FieldPath, Step};
use crate::validation::{File, Mistake, Mistakes, line_at};

/// The most mistakes of form that are looked for: each costs another look at the whole.
const MOST: usize = 50;
/// The same of what is of the right form and can't be meant.
const MOST_OF_MEANING: usize = 1_000;
/// How deep tables and lists may be nested. Nothing here is deeper than 6.
const DEEPEST: usize = 16;
/// Stack for a text that is nested as deep as the parser lets it be, in bytes. It takes 80 tables in tables, each
/// behind a key of 80 parts, and lets go of them by recursion; without optimisation that needs under 8 MB.
const STACK: usize = 16 * 1024 * 1024;

/// What stands in an `egress.toml`, as far as it can be used.
#[derive(Debug)]
pub(crate) struct Reading<'t> {
    /// What could be read. Where there are mistakes, something may be missing, and nobody may go by it.
    pub(crate) config: Config,
    /// What is wrong.
    pub(crate) mistakes: Vec<Mistake>,
    text: &'t str,
    root: Spanned<DeValue<'t>>,
    left_out: Vec<FieldPath>,
}

/// Reads and checks the bytes of an `egress.toml`. What isn't TOML is one mistake, and an error.
pub(crate) fn read(bytes: &[u8]) -> Result<Reading<'_>, Mistakes> {
    let text = File::EgressToml.text(bytes)?;
    let root = stacker::maybe_grow(STACK, STACK, || toml(text))?;
    let mut reading = fields(text, root)?;
    let wrong = reading.config.check();
    // Who has more has seen enough; each line is looked for from the beginning of the text.
    let certain = wrong.into_iter().filter(|(field, _)| reading.has_all_for(field)).take(MOST_OF_MEANING);
    let found: Vec<Mistake> = certain.map(|(field, reason)| reading.mistake(&field, &reason)).collect();
    reading.mistakes.extend(found);
    Ok(reading)
}

impl Reading<'_> {
    /// A mistake in a field, with its line.
    pub(crate) fn mistake(&self, field: &FieldPath, reason: &str) -> Mistake {
        mistake(self.text, &self.root, field, reason)
    }

    /// Whether everything at this field, and around it, could be read.
    pub(crate) fn is_whole(&self, field: &FieldPath) -> bool {
        !self.left_out.iter().any(|left_out| left_out.touches(field))
    }

    /// Whether what is wrong with the meaning of a field would be wrong, too, if all could have been read.
    fn has_all_for(&self, field: &FieldPath) -> bool {
        let all = |section| self.is_whole(&FieldPath::of([section]));
        let others = match field.steps().first() {
            Some(Step::Key(section)) if section == "identities" => all("adapters"),
            Some(Step::Key(section)) if section == "routes" => all("routes"),
            _ => true,
        };
        others && self.is_whole(field)
    }
}

fn mistake(text: &str, root: &Spanned<DeValue<'_>>, field: &FieldPath, reason: &str) -> Mistake {
    let reason = if field.steps().is_empty() { reason.to_owned() } else { format!("{field}: {reason}") };
    let line = field.place(root).map(|place| line_at(text.as_bytes(), place));
    Mistake::new(File::EgressToml, line, &reason)
}

/// The text as TOML.
fn toml(text: &str) -> Result<Spanned<DeValue<'_>>, Mistake> {
    let wrong = |place: Option<usize>, reason: &str| {
        Mistake::new(File::EgressToml, place.map(|place| line_at(text.as_bytes(), place)), reason)
    };
    let table =
        DeTable::parse(text).map_err(|error| wrong(error.span().map(|span| span.start), error.message()))?;
    let root = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    match too_deep(&root) {
        Some(place) => {
            Err(wrong(Some(place), &format!("tables and lists are nested more than {DEEPEST} deep")))
        }
        None => Ok(root),
    }
}

/// Where something is nested too deep.
fn too_deep(root: &Spanned<DeValue<'_>>) -> Option<usize> {
    let mut waiting = vec![(root, 0)];
    while let Some((value, depth)) = waiting.pop() {
        if depth > DEEPEST {
            return Some(value.span().start);
        }
        match value.get_ref() {
            DeValue::Table(table) => waiting.extend(table.values().map(|below| (below, depth + 1))),
            DeValue::Array(items) => waiting.extend(items.iter().map(|below| (below, depth + 1))),
            _ => {}
        }
    }
    None
}

/// The fields. What isn't one, or can't be read, is a mistake and left out, and then the rest is read.
fn fields<'t>(text: &'t str, mut root: Spanned<DeValue<'t>>) -> Result<Reading<'t>, Mistakes> {
    let (mut mistakes, mut left_out) = (Vec::new(), Vec::new());
    loop {
        let error = match serde_path_to_error::deserialize(ValueDeserializer::from(root.clone())) {
            Ok(config) => return Ok(Reading { config, mistakes, text, root, left_out }),
            Err(error) => error,
        };
        let field = of_error(&error, &root);
        mistakes.push(mistake(text, &root, &field, error.inner().message()));
        if mistakes.len() == MOST || !leave_out(&mut root, &field) {
            return Err(mistakes.into());
        }
        left_out.push(field.entry());
    }
}

/// The field in which an error is: the path knows no keys that are names of states, and the place no items that are
/// texts of a form of their own, so the one that leads further is right.
fn of_error(error: &serde_path_to_error::Error<toml::de::Error>, root: &Spanned<DeValue<'_>>) -> FieldPath {
    let path = FieldPath::from(error.path());
    let place = error.inner().span().map(|span| FieldPath::at(span.start, root)).unwrap_or_default();
    if place.steps().len() > path.steps().len() { place } else { path }
}

/// Takes an item out of its list, or else the whole entry in which a field is: without the field, it would lack
/// something. Answers whether there was something to take.
fn leave_out(root: &mut Spanned<DeValue<'_>>, field: &FieldPath) -> bool {
    let entry = field.entry();
    let steps =
        if matches!(field.steps().last(), Some(Step::Item(_))) { field.steps() } else { entry.steps() };
    let Some((last, before)) = steps.split_last() else { return false };
    let mut here = root.get_mut();
    for step in before {
        let below = match (step, here) {
            (Step::Key(key), DeValue::Table(table)) => table.get_mut(key.as_str()),
            (Step::Item(index), DeValue::Array(items)) => items.get_mut(*index),
            _ => None,
        };
        let Some(below) = below else { return false };
        here = below.get_mut();
    }
    match (last, here) {
        (Step::Key(key), DeValue::Table(table)) => table.remove(key.as_str()).is_some(),
        (Step::Item(index), DeValue::Array(items)) => {
            if *index >= items.len() {
                return false;
            }
            let all = std::mem::replace(items, DeArray::new()).into_iter().enumerate();
            all.filter(|(place, _)| place != index).for_each(|(_, item)| items.push(item));
            true
        }
        _ => false,
    }
}
