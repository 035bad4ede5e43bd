//! The firewall's truth, as a table: for each kind of traffic what its client observes and what is logged,
//! with the rules of the templates and the functions in Suricata. What is expected is written by hand, with
//! the reason; expected is observed on every row.
//!
//! All is judged as captures first; as root, packets then flow, save what no program can send. Without root,
//! the rows that need packets in flight are said not to have been run.

#![cfg(test)]

mod denied;
mod http;
mod others;
mod row;
mod table;
mod tls;

use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use row::{Observed, Row};
use tests::lab::{BlockAction, Engine, Lab, Outcome, Policy, Probe, Template};

/// What is deployed: the article's allow list, two grants, and names that nothing may open below both.
const DEPLOYED: Template<'_> = Template {
    allowed: &[".kaggle.com"],
    denied: &["gist.github.com", ".denied.kaggle.com"],
    block: BlockAction::Reject,
    granted: &[".github.com", "pypi.org"],
};

/// The other end. The firewall decides by name, so nearly all rows share one; those without ports, by which
/// records are told apart, have their own.
struct Hosts {
    server: Ipv4Addr,
    pinged: Ipv4Addr,
    fragments: Ipv4Addr,
    gre: Ipv4Addr,
}

impl Hosts {
    const MORE: [&str; 3] = ["pinged.example", "fragments.example", "gre.example"];

    fn of(lab: &Lab) -> Result<Self> {
        let [pinged, fragments, gre] = Self::MORE.map(|name| lab.address(name));
        Ok(Self { server: lab.address("example.com")?, pinged: pinged?, fragments: fragments?, gre: gre? })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn expected_is_observed_on_every_row() -> Result<()> {
    let lab = Lab::with_hosts(Engine::Offline, "matrix", &Hosts::MORE).await?;
    let hosts = Hosts::of(&lab)?;
    let mut rows =
        [tls::rows(&hosts), http::rows(&hosts), denied::rows(&hosts), others::rows(&hosts)].concat();

    run(&lab, &mut rows).await?;
    let wrong_as_captures = wrong(&rows);
    if Engine::detect()? == Engine::Inline {
        run(&Lab::with_hosts(Engine::Inline, "matrix", &Hosts::MORE).await?, &mut rows).await?;
    }
    table::print(&rows);
    table::write(&rows)?;
    ensure!(wrong(&rows).is_empty(), "otherwise than expected: {:#?}", wrong(&rows));
    ensure!(wrong_as_captures.is_empty(), "otherwise than expected, as captures: {wrong_as_captures:#?}");
    Ok(())
}

fn wrong(rows: &[Row]) -> Vec<String> {
    let wrong = rows.iter().filter(|row| row.ok() == Some(false));
    wrong.map(|row| format!("{}: {:?}", row.traffic, row.observed)).collect()
}

/// Runs the rows that this lab can run.
async fn run(lab: &Lab, rows: &mut [Row]) -> Result<()> {
    let mut own: Vec<&mut Row> = rows.iter_mut().filter(|row| row.is_for(lab.engine())).collect();
    let probes = |rows: &[&mut Row]| rows.iter().map(|row| row.probe.clone()).collect::<Vec<Probe>>();

    // Without a firewall each is answered: what isn't below is the firewall's doing.
    lab.load(&Policy::default()).await?;
    let open = lab.probes(&probes(&own)).await?;
    let silent: Vec<_> = open.iter().filter(|seen| seen.outcome != Outcome::Answered).collect();
    ensure!(silent.is_empty(), "nobody answers, firewall or not: {silent:#?}");
    for block in [BlockAction::Reject, BlockAction::Drop] {
        lab.load(&Template { block, ..DEPLOYED }.policy()?).await?;
        let mut under: Vec<&mut Row> =
            own.iter_mut().filter(|row| row.block == block).map(|row| &mut **row).collect();
        for (seen, row) in lab.probes(&probes(&under)).await?.into_iter().zip(&mut under) {
            row.observed = Some(Observed::of(&seen, row.expected.client, lab.engine()));
        }
    }
    Ok(())
}
