//! The table, printed for people and written for programs.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::lab::BlockAction;

use crate::row::Row;

const NOT_RUN: &str = "not run: needs packets in flight, and so root";

pub(crate) fn print(rows: &[Row]) {
    let lines: Vec<[String; 4]> = rows.iter().map(cells).collect();
    let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let [state, traffic, expected] = [width(0), width(1), width(2)];
    for [word, what, outcome, why] in &lines {
        println!("{word:<state$}  {what:<traffic$}  {outcome:<expected$}  {why}");
    }
    for row in rows.iter().filter(|row| row.ok() == Some(false)) {
        println!("\n{}\n  expected  {}\n  observed  {}", row.traffic, row.expected, observed(row));
    }
    let count = |ok| rows.iter().filter(|row| row.ok() == ok).count();
    let (good, bad, idle) = (count(Some(true)), count(Some(false)), count(None));
    println!("\n{} rows: {good} as expected, {bad} otherwise, {idle} not run", rows.len());
}

/// Writes `target/firewall/matrix.json` of the workspace.
pub(crate) fn write(rows: &[Row]) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/firewall");
    let entry = |row: &Row| -> Value {
        json!({
            "traffic": traffic(row),
            "expected": row.expected.to_string(),
            "observed": observed(row),
            "ok": row.ok(),
        })
    };
    let text = serde_json::to_string_pretty(&json!({ "rows": rows.iter().map(entry).collect::<Vec<_>>() }))?;
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join("matrix.json"), text + "\n"))
        .with_context(|| format!("{} can't be written to", folder.display()))
}

fn cells(row: &Row) -> [String; 4] {
    let state = match row.ok() {
        Some(true) => "ok",
        Some(false) => "WRONG",
        None => "-",
    };
    let outcome = if row.ok().is_none() { NOT_RUN.to_owned() } else { row.expected.to_string() };
    [state.to_owned(), traffic(row), outcome, row.why.to_owned()]
}

fn traffic(row: &Row) -> String {
    let captured = if row.probe.target.is_for_captures_only() { " (a capture)" } else { "" };
    let block = if row.block == BlockAction::Drop { ", BlockAction Drop" } else { "" };
    format!("{}{block}{captured}", row.traffic)
}

fn observed(row: &Row) -> String {
    row.observed.as_ref().map_or_else(|| NOT_RUN.to_owned(), ToString::to_string)
}
