//! `make demo`: tells the demonstration's story. `--engine inline|offline` chooses the engine, `--output`
//! the folder for summary and report.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use tests::demo;
use tests::lab::Engine;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let (engine, output) = options(std::env::args().skip(1))?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let ok = tokio::select! {
        ok = demo::run(engine, &output) => ok?,
        // Leaving drops the stage, and with it every process and namespace.
        _ = interrupt.recv() => bail!("interrupted; everything that was started is stopped"),
        _ = terminate.recv() => bail!("terminated; everything that was started is stopped"),
    };
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn options(mut words: impl Iterator<Item = String>) -> anyhow::Result<(Engine, PathBuf)> {
    let (mut engine, mut output) = (None, PathBuf::from("target/demo"));
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a value"))?;
        match (word.as_str(), value.as_str()) {
            ("--engine", "inline") => engine = Some(Engine::Inline),
            ("--engine", "offline") => engine = Some(Engine::Offline),
            ("--output", path) => output = PathBuf::from(path),
            _ => bail!("{word} {value} is not understood: --engine inline|offline, --output FOLDER"),
        }
    }
    Ok((engine.map_or_else(Engine::detect, Ok)?, output))
}
