//! The table of what fails without each permission; and that none was forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tests::stage::Stage;

use crate::trial::{Permission, Role, Shown};

/// The templates that give permissions to the functions' roles, and the functions. `*` ends what several begin with.
const TEMPLATES: [(&str, &str); 10] = [
    ("alerts.yaml", "alerts"),
    ("channel.yaml", "notify-*"),
    ("configuration.yaml", "provision"),
    ("intake.yaml", "intake"),
    ("notify.yaml", "notify"),
    ("partner.yaml", "intake-partner"),
    ("provision.yaml", "provision"),
    ("requests.yaml", "requests"),
    ("studio.yaml", "provision"),
    // The same function beside another firewall's stack, where it may do nothing else.
    ("validation.yaml", "provision"),
];
/// Those of the role that notebooks and jobs have: what people do by it is no function's code, so nothing here can show
/// what it needs.
const OF_NOTEBOOKS: [&str; 2] = ["identity.yaml", "spaces.yaml"];

/// A permission as a template has it.
#[derive(Debug, Deserialize)]
struct Written {
    file: String,
    sid: String,
    action: String,
}

/// Keeps what was shown in `target/permissions.json`.
pub(crate) fn keep(shown: &[Shown]) -> anyhow::Result<()> {
    let row = |one: &Shown| {
        let Permission { sid, action, part } = &one.permission;
        json!({
            "function": one.function, "statement": sid, "action": action, "part": part, "without it": one.said.trim(),
        })
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests lie in the checkout")?;
    let rows: Vec<Value> = shown.iter().map(row).collect();
    std::fs::create_dir_all(root.join("target"))?;
    std::fs::write(root.join("target/permissions.json"), serde_json::to_string_pretty(&rows)?)?;
    Ok(())
}

/// Every permission of every function's role was taken, and the templates have no other.
pub(crate) async fn nothing_is_left_over(
    stage: &Stage,
    project: &str,
    roles: &BTreeMap<String, Role>,
    shown: &[Shown],
) -> anyhow::Result<()> {
    let shown: BTreeSet<_> =
        shown.iter().map(|one| (format!("{project}-{}", one.function), one.permission.clone())).collect();
    let deployed: BTreeSet<_> = roles
        .iter()
        .flat_map(|(function, role)| role.permissions().into_iter().map(|one| (function.clone(), one)))
        .collect();
    let left: Vec<_> =
        deployed.difference(&shown).map(|(function, one)| format!("{function}: {one}")).collect();
    ensure!(left.is_empty(), "without these nobody has seen what fails: {left:#?}");

    let mut python = tokio::process::Command::from(stage.aws.command("python"));
    let output = python.args(["-m", "checks.statements"]).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let written: Vec<Written> = serde_json::from_slice(&output.stdout)?;
    for one in written.iter().filter(|one| !OF_NOTEBOOKS.contains(&one.file.as_str())) {
        let (_, function) = TEMPLATES
            .iter()
            .find(|(file, _)| *file == one.file)
            .with_context(|| format!("{} has permissions: of which function, or why of none?", one.file))?;
        let function = format!("{project}-{function}");
        let is_it = |name: &str| match function.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == function,
        };
        let found = deployed.iter().any(|(name, permission)| {
            is_it(name) && permission.sid == one.sid && permission.action == one.action
        });
        ensure!(found, "no function was deployed with this, so nobody has seen what fails without: {one:?}");
    }
    Ok(())
}
