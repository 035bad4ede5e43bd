//! What the demonstration tells: each step with what is expected and what happened.

use std::future::Future;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

/// One step as it went.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    /// Its id, stable for those who read the summary.
    pub(super) id: &'static str,
    /// What is done.
    pub(super) title: String,
    /// What should happen.
    pub(super) expected: String,
    /// What happened.
    pub(super) observed: String,
    /// Whether that is the same.
    pub(super) ok: bool,
    /// How long it took, in seconds.
    pub(super) seconds: f64,
}

/// What a step has seen.
#[derive(Debug)]
pub(super) struct Observed {
    /// In words.
    pub(super) text: String,
    /// Whether it is what was expected.
    pub(super) ok: bool,
}

impl Observed {
    /// What was seen, and whether it is what was expected.
    pub(super) fn new(ok: bool, text: impl Into<String>) -> Self {
        Self { text: text.into(), ok }
    }
}

/// The steps until now. After one that went otherwise than expected no other is begun.
#[derive(Debug, Default)]
pub(super) struct Story {
    steps: Vec<Step>,
}

/// What is written to `summary.json`.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    /// `inline` or `offline`.
    pub(super) engine: &'a str,
    /// The steps, in order.
    pub(super) steps: &'a [Step],
    /// From the approver's click until a connection passed.
    pub(super) approval_to_first_pass_seconds: Option<f64>,
    /// Whether everything went as expected.
    pub(super) ok: bool,
}

impl Story {
    /// Does a step, prints it, and fails when it isn't as expected.
    pub(super) async fn step(
        &mut self,
        id: &'static str,
        title: &str,
        expected: &str,
        action: impl Future<Output = anyhow::Result<Observed>>,
    ) -> anyhow::Result<()> {
        println!("\n{:>2}. {title}\n    expected  {expected}", self.steps.len() + 1);
        let started = Instant::now();
        let observed = action.await.unwrap_or_else(|error| Observed::new(false, format!("{error:#}")));
        let seconds = started.elapsed().as_secs_f64();
        let word = if observed.ok { "observed" } else { "FAILED  " };
        println!("    {word}  {} ({seconds:.1} s)", observed.text.replace('\n', "\n              "));
        let ok = observed.ok;
        self.steps.push(Step {
            id,
            title: title.to_owned(),
            expected: expected.to_owned(),
            observed: observed.text,
            ok,
            seconds,
        });
        anyhow::ensure!(ok, "the step {id} did not go as expected");
        Ok(())
    }

    /// The steps until now.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether every step went as expected, and there was one.
    pub(super) fn ok(&self) -> bool {
        !self.steps.is_empty() && self.steps.iter().all(|step| step.ok)
    }

    /// The table at the end.
    pub(super) fn print_table(&self) {
        println!("\n{:<4}{:<10}{:>8}  step", "", "", "seconds");
        for (number, step) in self.steps.iter().enumerate() {
            let word = if step.ok { "ok" } else { "FAILED" };
            println!("{:>3} {word:<10}{:>8.1}  {}", number + 1, step.seconds, step.title);
        }
    }
}

/// Writes the summary for programs.
pub(super) fn write_summary(path: &Path, summary: &Summary<'_>) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(summary)?;
    std::fs::write(path, text + "\n").with_context(|| format!("{} can't be written", path.display()))
}
