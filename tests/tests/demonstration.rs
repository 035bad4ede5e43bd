//! The demonstration goes as it should, on each engine that this user may have, and ends as it should
//! when it can't.

#![cfg(test)]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::lab::Engine;
use tests::{browser, demo};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long anything may take that one waits for.
const LIMIT: Duration = Duration::from_mins(1);
/// How often one looks while waiting.
const LOOK: Duration = Duration::from_millis(10);

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
async fn one_that_is_interrupted_on_its_way_leaves_nothing_behind() -> anyhow::Result<()> {
    // Given a demonstration at its second step: everything is running,
    let mut demonstration = Demonstration::start(&[])?;
    demonstration.comes_to(" 2. ").await?;

    demonstration.is_interrupted().await?;
    demonstration.has_left_nothing().await
}

#[tokio::test]
async fn one_that_is_interrupted_while_it_deploys_leaves_nothing_behind() -> anyhow::Result<()> {
    // Given a demonstration at its first step,
    let mut demonstration = Demonstration::start(&[])?;
    demonstration.comes_to(" 1. ").await?;
    // with CloudFormation at work,
    demonstration.comes_to_run("infra/stack.py deploy").await?;

    demonstration.is_interrupted().await?;
    demonstration.has_left_nothing().await
}

#[tokio::test]
async fn one_that_is_interrupted_while_it_builds_leaves_nothing_behind() -> anyhow::Result<()> {
    // Given a compiler that takes for ever, and that nothing ends but a signal,
    let programs = tempfile::tempdir()?;
    let cargo = programs.path().join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\nsleep infinity &\nwait\n")?;
    std::fs::set_permissions(&cargo, Permissions::from_mode(0o755))?;
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH")?);
    // and a demonstration whose `make` has started it,
    let mut demonstration = Demonstration::start(&[("PATH", &path)])?;
    demonstration.comes_to_run("sleep infinity").await?;

    demonstration.is_interrupted().await?;
    demonstration.has_left_nothing().await
}

#[tokio::test]
async fn one_that_cannot_begin_says_so_where_the_last_one_said_ok() -> anyhow::Result<()> {
    let mut demonstration = Demonstration::start(&[("EGRESS_VENV", "/nonexistent")])?;
    assert!(!demonstration.end().await?.success());
    assert_eq!(demonstration.summary()?["ok"], json!(false));
    Ok(())
}

async fn told(engine: Engine) -> anyhow::Result<()> {
    let output = tempfile::tempdir()?;
    let ok = demo::run(engine, output.path()).await?;
    let summary: Value = serde_json::from_slice(&std::fs::read(output.path().join("summary.json"))?)?;
    assert_eq!(summary["engine"], engine.as_str());
    assert!(ok, "{summary:#}");
    assert!(summary["approval_to_first_pass_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
    let report = output.path().join("report.html");
    assert!(std::fs::read_to_string(&report)?.contains("every step as expected"));
    can_be_read(&report).await
}

/// Whoever opens the report on a desk or on a telephone can read all of it, what stood in Slack included.
async fn can_be_read(report: &Path) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    for width in [1_280, 480] {
        let picture = directory.path().join(format!("{width}.png"));
        let seen = browser::look(report, width, &picture).await?;
        assert_eq!(seen.complaints, Vec::<String>::new(), "at {width} pixels");
        assert!(seen.texts > 200, "there are {} texts only", seen.texts);
        assert!(std::fs::read(&picture)?.starts_with(b"\x89PNG"));
    }
    Ok(())
}

/// The program, in a folder in which an earlier run went well.
struct Demonstration {
    child: Child,
    id: Pid,
    lines: Lines<BufReader<ChildStdout>>,
    output: TempDir,
    /// Its folder for temporary files. All that it starts has it in its environment, and is known by that.
    temporary: TempDir,
}

impl Demonstration {
    fn start(variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let (output, temporary) = (tempfile::tempdir()?, tempfile::tempdir()?);
        std::fs::write(output.path().join("summary.json"), json!({"ok": true}).to_string())?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_demo"))
            .arg("--output")
            .arg(output.path())
            .env("TMPDIR", temporary.path())
            .envs(variables.iter().copied())
            .process_group(0)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Ok(Self { child, id, lines, output, temporary })
    }

    /// Reads what it says until a line begins so.
    async fn comes_to(&mut self, beginning: &str) -> anyhow::Result<()> {
        while let Some(line) = self.lines.next_line().await? {
            if line.starts_with(beginning) {
                return Ok(());
            }
        }
        anyhow::bail!("it ended before it came to {beginning}")
    }

    /// Waits until it runs something of which the command line has these words.
    async fn comes_to_run(&self, words: &str) -> anyhow::Result<()> {
        let started = Instant::now();
        while !self.processes().iter().any(|(_, line)| line.contains(words)) {
            anyhow::ensure!(started.elapsed() < LIMIT, "nothing runs {words}: {:#?}", self.processes());
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn end(&mut self) -> anyhow::Result<std::process::ExitStatus> {
        Ok(tokio::time::timeout(LIMIT, self.child.wait()).await??)
    }

    /// Somebody presses Ctrl-C, and it fails.
    async fn is_interrupted(&mut self) -> anyhow::Result<()> {
        kill_process(self.id, Signal::INT)?;
        assert!(!self.end().await?.success());
        Ok(())
    }

    fn summary(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&std::fs::read(self.output.path().join("summary.json"))?)?)
    }

    /// No process, no namespace and no file of it is there, and no summary that is an earlier run's.
    async fn has_left_nothing(&self) -> anyhow::Result<()> {
        assert!(test_kill_process_group(self.id).is_err(), "a process of its group is left");
        let started = Instant::now();
        while !self.processes().is_empty() {
            // What was killed takes a moment to be gone.
            assert!(started.elapsed() < Duration::from_secs(5), "left: {:#?}", self.processes());
            tokio::time::sleep(LOOK).await;
        }
        let own = format!("egr-{}-", self.id.as_raw_nonzero());
        for folder in ["/run/netns", "/etc/netns"] {
            let left = entries(Path::new(folder)).into_iter().filter(|name| name.starts_with(&own));
            assert_eq!(left.collect::<Vec<_>>(), [""; 0], "in {folder}");
        }
        assert_eq!(entries(self.temporary.path()), [""; 0]);
        assert_eq!(entries(self.output.path()), [""; 0]);
        Ok(())
    }

    /// All processes that have its folder for temporary files, with their command lines.
    fn processes(&self) -> Vec<(Pid, String)> {
        let own = format!("TMPDIR={}", self.temporary.path().display());
        let file = |process: &str, name: &str| {
            let bytes = std::fs::read(Path::new("/proc").join(process).join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', "\n")
        };
        let process = |name: String| {
            let id = Pid::from_raw(name.parse().ok()?)?;
            let is_own = file(&name, "environ").lines().any(|line| line == own);
            is_own.then(|| (id, file(&name, "cmdline").trim_end().replace('\n', " ")))
        };
        entries(Path::new("/proc")).into_iter().filter_map(process).collect()
    }
}

impl Drop for Demonstration {
    /// Of a story that failed, too, nothing stays.
    fn drop(&mut self) {
        for (id, _) in self.processes() {
            let _ = kill_process(id, Signal::KILL);
        }
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
