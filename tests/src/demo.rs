//! The demonstration: the article's experiment on one machine, with our functions doing what the article
//! does by hand in a console.
//!
//! The templates are deployed to the local AWS as they are, by the command that deploys them to AWS; the
//! functions are the real binaries; the firewall's rules are those of the local AWS's Network Firewall, in
//! Suricata; the clients are real `wget`, `git` and `pip`.

mod chat;
mod markup;
mod report;
mod steps;
mod story;
mod words;

pub use steps::OUTPUTS_OF_THE_ARTICLE;

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use story::Story;

use crate::lab::Engine;
use crate::stage::Stage;

/// Tells the whole story, writes `summary.json` and `report.html` into `output`, and answers whether
/// everything went as expected.
pub async fn run(engine: Engine, output: &Path) -> anyhow::Result<bool> {
    std::fs::create_dir_all(output).with_context(|| format!("{} can't be made", output.display()))?;
    let (summary_file, report) = (output.join("summary.json"), output.join("report.html"));
    // What an earlier run has left would pass for this one's if this one ends before its own is written.
    for file in [&summary_file, &report] {
        remove(file)?;
    }
    let started = Instant::now();
    println!("The article's experiment. The engine is {}.", words(engine));
    let mut story = Story::default();
    let mut told = steps::Told::default();
    let outcome = play(engine, &mut story, &mut told).await;

    let pass = told.approval_to_first_pass;
    let summary = story::Summary {
        engine: engine.as_str(),
        steps: story.steps(),
        approval_to_first_pass_seconds: pass.map(|pass| pass.as_secs_f64()),
        ok: story.ok() && outcome.is_ok(),
    };
    story::write_summary(&summary_file, &summary)?;
    report::write(&report, &summary, &told, started.elapsed())?;
    story.print_table();
    if let Err(error) = &outcome {
        println!("\n{error:#}");
    }
    if let Some(pass) = pass {
        println!("\nFrom the approval to the first connection that passed: {:.2} s.", pass.as_secs_f64());
    }
    println!("Engine: {}. {:.0} s in all.", words(engine), started.elapsed().as_secs_f64());
    println!("Report: {}", report.display());
    Ok(summary.ok)
}

/// Sets the stage, tells the story on it, and strikes it however the story went. Any of the three that
/// fails is a failure of the whole.
async fn play(engine: Engine, story: &mut Story, told: &mut steps::Told) -> anyhow::Result<()> {
    let stage = Stage::set(engine, Duration::from_mins(1)).await?;
    let outcome = Box::pin(steps::tell(&stage, story, told)).await;
    let struck = stage.strike().await;
    outcome.and(struck)
}

fn remove(file: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} of an earlier run can't be removed", file.display()))
        }
        _ => Ok(()),
    }
}

/// The engine as a sentence has it.
fn words(engine: Engine) -> &'static str {
    match engine {
        Engine::Inline => "inline (Suricata between network namespaces)",
        Engine::Offline => "offline (Suricata reads captures of what real clients send; root gets it inline)",
    }
}
