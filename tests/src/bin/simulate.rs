//! `make simulate`: runs seeds of the simulation. `--seeds` how many, `--from` the first; `--seed` one of them,
//! with its trace; `--twice yes` runs each of them twice, and compares; `--output` the summary's file.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use tests::simulation::broken::Flaw;
use tests::simulation::{run, simulate};

/// What is to be run.
struct Options {
    from: u64,
    seeds: u64,
    trace: Option<u64>,
    twice: bool,
    output: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = options(std::env::args().skip(1))?;
    if let Some(seed) = options.trace {
        return trace(seed);
    }
    if options.twice {
        return twice(options.from, options.seeds);
    }
    let progress = |done: u64| {
        if done.is_multiple_of(1_000) {
            println!("{done} of {}", options.seeds);
        }
    };
    let summary = simulate(options.from, options.seeds, progress)?;
    summary.write(&options.output)?;
    println!("{} seeds, {} steps, {} crashes", summary.seeds, summary.steps, summary.crashes);
    for (fault, count) in &summary.faults {
        println!("{count:>10} {fault}");
    }
    for violation in &summary.violations {
        println!("seed {}: {}: {}", violation.seed, violation.invariant, violation.what);
    }
    if let Some(violation) = summary.violations.first() {
        println!("make simulate SEED={} replays the first of them", violation.seed);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Replays one seed, and prints all that happened.
fn trace(seed: u64) -> anyhow::Result<ExitCode> {
    let run = run(seed, Flaw::None)?;
    for line in &run.record.trace {
        println!("{line}");
    }
    for violation in &run.violations {
        println!("{}: {}", violation.invariant, violation.what);
    }
    println!("seed {seed}, digest {}", run.record.digest());
    Ok(if run.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether a seed is the same run each time.
fn twice(from: u64, seeds: u64) -> anyhow::Result<ExitCode> {
    for seed in from..from + seeds {
        if run(seed, Flaw::None)?.record.digest() != run(seed, Flaw::None)?.record.digest() {
            println!("seed {seed} was not the same run twice");
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("{seeds} seeds were the same runs twice");
    Ok(ExitCode::SUCCESS)
}

fn options(mut words: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let output = PathBuf::from("target/sim/summary.json");
    let mut options = Options { from: 0, seeds: 10_000, trace: None, twice: false, output };
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a value"))?;
        let number = || value.parse().with_context(|| format!("{word} needs a number, not {value}"));
        match word.as_str() {
            "--from" => options.from = number()?,
            "--seeds" => options.seeds = number()?,
            "--seed" => options.trace = Some(number()?),
            "--twice" => options.twice = value == "yes",
            "--output" => options.output = PathBuf::from(value),
            _ => {
                bail!("{word} is not understood: --seeds, --from, --seed NUMBER, --twice yes, --output FILE")
            }
        }
    }
    Ok(options)
}
