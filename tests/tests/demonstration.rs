//! The demonstration goes as it should, on each engine that this user may have.

#![cfg(test)]

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};
use tests::demo;
use tests::lab::Engine;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_goes_as_expected_on_captures() -> anyhow::Result<()> {
    told(Engine::Offline).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_goes_as_expected_on_the_best_engine() -> anyhow::Result<()> {
    // An ordinary user's best is what the other story runs on.
    match Engine::detect()? {
        Engine::Inline => told(Engine::Inline).await,
        Engine::Offline => Ok(()),
    }
}

#[tokio::test]
async fn an_interrupted_demonstration_leaves_nothing_behind() -> anyhow::Result<()> {
    // Given one that is at its second step: everything is running.
    let output = tempfile::tempdir()?;
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--output", &output.path().display().to_string()])
        .process_group(0)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut lines = BufReader::new(demo.stdout.take().expect("a pipe")).lines();
    while let Some(line) = lines.next_line().await? {
        if line.starts_with(" 2. ") {
            break;
        }
    }
    let pid = demo.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).expect("it runs");

    // When somebody presses Ctrl-C,
    kill_process(pid, Signal::INT)?;
    let status = tokio::time::timeout(Duration::from_secs(20), demo.wait()).await??;

    // Then it fails, and neither processes nor namespaces of it are left.
    assert!(!status.success());
    assert!(test_kill_process_group(pid).is_err(), "a process of its group is left");
    let namespaces = std::fs::read_dir("/run/netns").map_or(0, |entries| {
        let own = format!("egr-{}", pid.as_raw_nonzero());
        entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&own)).count()
    });
    assert_eq!(namespaces, 0);
    Ok(())
}

async fn told(engine: Engine) -> anyhow::Result<()> {
    let output = tempfile::tempdir()?;
    let ok = demo::run(engine, output.path()).await?;
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(output.path().join("summary.json"))?)?;
    assert_eq!(summary["engine"], engine.as_str());
    assert!(ok, "{summary:#}");
    assert!(summary["approval_to_first_pass_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
    assert!(std::fs::read_to_string(output.path().join("report.html"))?.contains("every step as expected"));
    Ok(())
}
