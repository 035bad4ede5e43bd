//! Many runs, and what came of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use serde::Serialize;

use super::broken::Flaw;
use super::invariants::Violation;
use super::run;
use crate::memory::lock;

/// How many seeds with violations are looked for before it is enough.
const ENOUGH: usize = 10;
/// Runs are deep futures, which without optimisation are large.
const STACK: usize = 32 * 1024 * 1024;

/// What came of many runs.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// How many runs there were.
    pub seeds: u64,
    /// How many calls of edges they made.
    pub steps: u64,
    /// How many invocations died.
    pub crashes: u64,
    /// What went wrong in the world, and how often.
    pub faults: BTreeMap<&'static str, u64>,
    /// What shouldn't have happened.
    pub violations: Vec<Violation>,
}

/// Runs so many seeds from `from` on, on all cores. `progress` hears of each seed that is done.
pub fn simulate(from: u64, seeds: u64, progress: impl Fn(u64) + Sync) -> anyhow::Result<Summary> {
    let (next, done) = (AtomicU64::new(from), AtomicU64::new(0));
    let summary: Mutex<Summary> = Mutex::default();
    let work = || -> anyhow::Result<()> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds || lock(&summary).is_enough() {
                return Ok(());
            }
            let run = run(seed, Flaw::None)?;
            lock(&summary).add(run);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let start = |_| std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let workers = (0..threads).map(start).collect::<Result<Vec<_>, _>>()?;
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().map_err(|_| anyhow::anyhow!("a run panicked"))?)
    })?;
    let mut summary = std::mem::take(&mut *lock(&summary));
    summary.violations.sort_by(|one, other| (one.seed, &one.what).cmp(&(other.seed, &other.what)));
    Ok(summary)
}

impl Summary {
    fn add(&mut self, run: super::Run) {
        self.seeds += 1;
        self.steps += run.record.steps;
        self.crashes += run.record.crashes;
        for (fault, count) in run.record.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self.violations.extend(run.violations);
    }

    fn is_enough(&self) -> bool {
        let mut seeds: Vec<u64> = self.violations.iter().map(|violation| violation.seed).collect();
        seeds.dedup();
        seeds.len() >= ENOUGH
    }

    /// Writes it as JSON, for machines.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
        }
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))
    }
}
