//! The demonstration's report for people.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, context};

use super::markup;
use super::steps::Told;
use super::story::Summary;
use super::words::{outcome_in_words, verdict_in_words};

/// Writes the report. Everything in it is escaped: domains and messages come from outside.
pub(super) fn write(path: &Path, summary: &Summary<'_>, told: &Told, total: Duration) -> anyhow::Result<()> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("markup", |text: String| Value::from_safe_string(markup::html(&text)));
    environment.add_template("report", include_str!("report.html"))?;
    let probes: Vec<_> = told
        .probes
        .iter()
        .map(|seen| {
            let rule = seen.verdict.as_ref().map_or("", |verdict| verdict.signature.as_str());
            context! { name => seen.probe.as_str(), outcome => outcome_in_words(seen.outcome), verdict => verdict_in_words(seen), rule }
        })
        .collect();
    let alert = told
        .alert
        .as_ref()
        .map(|alert| context! { subject => alert.subject.as_str(), text => alert.text.as_str() });
    let [before, after] = &told.rules;
    let pass = summary.approval_to_first_pass_seconds;
    let page = environment.get_template("report")?.render(context! {
        engine => summary.engine,
        engine_words => if summary.engine == "inline" { "inline between network namespaces" } else { "offline, on captures of what real clients sent" },
        ok => summary.ok,
        approval_to_first_pass => pass.map_or("not reached".to_owned(), |pass| format!("{pass:.2} s")),
        total_seconds => format!("{:.0}", total.as_secs_f64()),
        steps => Serde(summary.steps),
        probes,
        waiting => Serde(told.waiting.clone()),
        channels => Serde(told.channels.clone()),
        history => Serde(told.history.clone()),
        alert => alert.unwrap_or_else(|| context! { subject => "none came", text => "" }),
        rules_before => before,
        rules_after => after,
    })?;
    std::fs::write(path, page).with_context(|| format!("{} can't be written", path.display()))
}
