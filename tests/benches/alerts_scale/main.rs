//! An hour with a million blocked connections of 5,000 people, through the function `alerts`: what it writes and reads,
//! how many of it run at a time, what it tells, and what that costs.
//!
//! How CloudWatch Logs cuts a log into batches is documented nowhere. So the hour is run three times: as a batch for
//! each second and Availability Zone, the worst that is to be expected; as one for five seconds; and as full ones.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that fails has nothing to measure"
)]
#![expect(clippy::cast_precision_loss, reason = "what is printed is rounded")]

mod counting;
mod edges;
mod prices;
mod traffic;

// The store that the function's own tests use: there is one of it, and no crate that both could have it from.
#[path = "../../../functions/alerts/tests/it/memory.rs"]
#[expect(dead_code, reason = "the function's own tests use the rest")]
mod memory;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use alerts::Alerts;
use alerts::figures::Figures;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use egress::config::Config;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{Timestamp, ToSpan};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tests::memory::Chance;

use counting::{Counting, Taken};
use edges::{Nothing, Owners, Told};
use prices::Price;
use traffic::Seen;

/// What DynamoDB takes to answer, and EventBridge; and EC2.
const ANSWER: Duration = Duration::from_millis(5);
const EC2_ANSWER: Duration = Duration::from_millis(100);
/// How many calls of DynamoDB a function has on their way at once, and of EC2.
const AT_ONCE: u64 = 16;
const EC2_AT_ONCE: u64 = 4;
/// What of a processor a function of 512 MB has: 1,769 MB are one.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>
const PROCESSOR: f64 = 512.0 / 1_769.0;
/// How many windows a tick reads and closes in a second: two calls each.
const CLOSED_A_SECOND: usize = 1_600;
/// Lines of a batch at most: `PutLogEvents` takes no more at once.
const MOST_LINES: usize = 10_000;
/// What one partition of DynamoDB takes in a second, in write units.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>
const PARTITION: u64 = 1_000;
/// The function's time limit (infra/alerts.yaml).
const LONGEST: Duration = Duration::from_mins(1);
/// How long the longest row of calls of DynamoDB and the bus is that wait for one another: six of one group (window,
/// what is known, windows before, counts, oldest), and what the batch has before and after them.
const IN_A_ROW: u64 = 9;

type Function = Alerts<Counting, Told, Owners, Nothing, Nothing>;

/// How the log is cut: into a batch for so many milliseconds, of each Availability Zone alone or of all.
struct Cut {
    name: &'static str,
    milliseconds: u32,
    zones: usize,
}

const CUTS: [Cut; 3] = [
    Cut { name: "each second and zone", milliseconds: 1_000, zones: 3 },
    Cut { name: "each 5 seconds", milliseconds: 5_000, zones: 1 },
    Cut { name: "full batches", milliseconds: 60_000, zones: 1 },
];

/// What came of an hour.
#[derive(Default)]
struct Hour {
    records: usize,
    batches: u64,
    ticks: u64,
    figures: Figures,
    events: u64,
    /// CPU time on this machine, and how long it would take a function of Lambda's, answers included.
    cpu: Duration,
    busy: Duration,
    longest: Duration,
    /// Of the batches that come together.
    longest_now: Duration,
    longest_tick: Duration,
    hottest_closing: u64,
    taken: Taken,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let traffic = traffic::hour(&mut Chance::new(7));
    let mut hours = Vec::new();
    for cut in &CUTS {
        hours.push((cut.name, run(&traffic, cut).await.figures()));
    }
    print!("{:<40}", "");
    println!("{}", CUTS.map(|cut| format!("{:>24}", cut.name)).concat());
    for (line, (title, _)) in hours[0].1.iter().enumerate() {
        let cells: Vec<String> = hours.iter().map(|(_, figures)| shown(figures[line].1)).collect();
        println!("{title:<40}{}", cells.concat());
    }
    let hours: BTreeMap<&str, BTreeMap<&str, f64>> =
        hours.into_iter().map(|(name, figures)| (name, figures.into_iter().collect())).collect();
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench");
    std::fs::create_dir_all(directory).unwrap();
    std::fs::write(format!("{directory}/alerts-scale.json"), format!("{:#}\n", json!(hours))).unwrap();
}

fn shown(figure: f64) -> String {
    if figure.fract() == 0.0 { format!("{figure:>24}") } else { format!("{figure:>24.2}") }
}

/// Runs the hour, and the ticks until all of it is told.
async fn run(traffic: &[Seen], cut: &Cut) -> Hour {
    let (function, mut hour) = (function(), Hour { records: traffic.len(), ..Hour::default() });
    let begin: Timestamp = "2026-05-14T09:00:00Z".parse().unwrap();
    let (mut rest, mut minute) = (traffic, begin);
    while !rest.is_empty() {
        let slot = rest[0].at / cut.milliseconds;
        let (now_seen, later) =
            rest.split_at(rest.partition_point(|seen| seen.at / cut.milliseconds == slot));
        rest = later;
        // It comes when its time is over.
        let now = begin + i64::from((slot + 1) * cut.milliseconds).milliseconds();
        for zone in 0..cut.zones {
            let lines: Vec<_> =
                (0_u64..).zip(now_seen).filter(|(_, seen)| seen.person % cut.zones == zone).collect();
            for lines in lines.chunks(MOST_LINES) {
                hour.batch(&function, lines, begin, now).await;
            }
        }
        let seconds = std::mem::take(&mut hour.longest_now).as_secs_f64();
        function.store.taken.lock().unwrap().worked_off(Duration::from_secs_f64(seconds));
        while minute + 1.minutes() <= now {
            minute += 1.minutes();
            hour.tick(&function, minute).await;
        }
    }
    for _ in 0..20 {
        minute += 1.minutes();
        hour.tick(&function, minute).await;
    }
    let counted: u64 = function.store.memory.counts().values().sum();
    assert_eq!(counted, traffic.len() as u64, "each connection counts once");
    hour.taken = std::mem::take(&mut function.store.taken.lock().unwrap());
    hour
}

fn function() -> Function {
    let store = Counting::new();
    Alerts {
        config: Config::parse("[groups]\napprovers = [\"bob@example.com\"]").unwrap(),
        owners: edges::owners(&store.taken),
        store,
        bus: Told::default(),
        files: Nothing,
        dead_letters: Nothing,
        security_hub: None,
        jitter: || 0.5,
    }
}

/// Lines as a subscription delivers them.
fn delivery(lines: &[(u64, &Seen)], begin: Timestamp) -> Value {
    let event = |(place, seen): &(u64, &Seen)| {
        let flow = (u64::from(seen.at) << 20) + place;
        let message = record(seen, begin, flow);
        json!({"id": format!("{flow:056}"), "timestamp": begin.as_millisecond() + i64::from(seen.at), "message": message})
    };
    let envelope = json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012",
        "logGroup": "/aws/vendedlogs/network-firewall/demo/alert",
        "logStream": "/aws/network-firewall/alert/demo_2026-05-14-09", "subscriptionFilters": ["alerts"],
        "logEvents": lines.iter().map(event).collect::<Vec<_>>(),
    });
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(envelope.to_string().as_bytes()).unwrap();
    json!({"awslogs": {"data": STANDARD.encode(gzip.finish().unwrap())}})
}

/// A record of a blocked TLS connection.
fn record(seen: &Seen, begin: Timestamp, flow: u64) -> String {
    let at = begin + i64::from(seen.at).milliseconds();
    json!({
        "firewall_name": "demo", "availability_zone": "us-east-1a", "event_timestamp": at.as_second().to_string(),
        "event": {
            "tx_id": 0, "app_proto": "tls", "src_ip": seen.source(), "src_port": 40_000 + flow % 20_000,
            "event_type": "alert", "flow_id": flow, "dest_ip": "198.51.100.1", "dest_port": 443, "proto": "TCP",
            "alert": {
                "severity": 3, "signature_id": 9_900_001, "rev": 1, "category": "", "action": "blocked",
                "signature": "egress last word: TLS to a name that nothing allows",
            },
            "verdict": {"action": "drop", "reject-target": "to_client", "reject": ["tcp-reset"]},
            "tls": {"sni": seen.name(), "version": "UNDETERMINED"}, "pkt_src": "geneve encapsulation",
            "timestamp": at.to_string().replace('Z', "+0000"), "direction": "to_server",
        },
    })
    .to_string()
}

impl Hour {
    async fn batch(&mut self, function: &Function, lines: &[(u64, &Seen)], begin: Timestamp, now: Timestamp) {
        let took = self.handle(function, delivery(lines, begin), now).await;
        self.batches += 1;
        self.longest_now = self.longest_now.max(took);
        self.longest = self.longest.max(took);
    }

    async fn tick(&mut self, function: &Function, now: Timestamp) {
        let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        let took = self.handle(function, event, now).await;
        self.ticks += 1;
        self.longest_tick = self.longest_tick.max(took);
        let hottest = function.store.taken.lock().unwrap().closed(CLOSED_A_SECOND);
        self.hottest_closing = self.hottest_closing.max(hottest);
    }

    /// How long it would take a function of Lambda's.
    async fn handle(&mut self, function: &Function, event: Value, now: Timestamp) -> Duration {
        let (before, began) = (calls(function), cpu());
        self.figures.add(function.handle(event, now).await.unwrap());
        let (took, after) = (cpu().saturating_sub(began), calls(function));
        let [dynamodb, ec2, own] = [0, 1, 2].map(|place| after[place] - before[place]);
        let events = std::mem::take(&mut *function.bus.0.lock().unwrap());
        self.events += events.iter().map(|size| size.div_ceil(64 * 1_024) as u64).sum::<u64>();
        let cpu = took.saturating_sub(Duration::from_nanos(own));
        let answers = dynamodb.div_ceil(AT_ONCE).max(IN_A_ROW) + events.len().div_ceil(10) as u64;
        let ec2 = ec2.div_ceil(EC2_AT_ONCE).max(ec2.min(2));
        let waits = ANSWER * u32::try_from(answers).unwrap() + EC2_ANSWER * u32::try_from(ec2).unwrap();
        let busy = cpu.div_f64(PROCESSOR) + waits;
        (self.cpu, self.busy) = (self.cpu + cpu, self.busy + busy);
        busy
    }

    /// What is printed. It fails where a limit of AWS's, or of the function's own, is passed.
    fn figures(&self) -> Vec<(&'static str, f64)> {
        let taken = &self.taken;
        let written = |kind| taken.writes.get(kind).copied().unwrap_or_default() as f64;
        let read = |kind| taken.reads.get(kind).copied().unwrap_or_default() as f64;
        let writes = taken.writes.values().sum::<u64>() as f64;
        let reads = taken.reads.values().sum::<u64>() as f64;
        let invocations = (self.batches + self.ticks) as f64;
        let price = Price::of(writes, reads, self.events as f64, invocations, self.busy.as_secs_f64());
        let [table, index] = taken.hottest;
        let hottest = table.max(index).max(self.hottest_closing);
        assert!(hottest <= PARTITION, "{hottest} write units a second in a partition");
        assert!(self.longest.max(self.longest_tick) <= LONGEST, "{:?} {:?}", self.longest, self.longest_tick);
        vec![
            ("connections", self.records as f64),
            ("batches", self.batches as f64),
            ("alerts", self.figures.alerts as f64),
            ("digests", self.figures.digests as f64),
            ("write units: counts in a window's item", written("counts in a window")),
            ("write units: counts apart", written("counts apart")),
            ("write units: late counts", written("late counts")),
            ("write units: windows closed", written("closing")),
            ("write units: index of windows", written("index")),
            ("write units: owners of addresses", written("owners")),
            ("write units: batches", written("batches")),
            ("write units", writes),
            ("read units: windows", read("windows")),
            ("read units: windows before, for rests", read("windows before")),
            ("read units: the oldest of a domain", read("the oldest of a domain")),
            ("read units: windows with all counts", read("whole windows")),
            ("read units", reads),
            ("calls of EC2", taken.ec2 as f64),
            ("largest item of a window, bytes", taken.largest as f64),
            ("most write units a second: a partition", table as f64),
            ("most write units a second: the index", index as f64),
            ("most write units a second: closing", self.hottest_closing as f64),
            ("CPU of a batch here, ms", self.cpu.as_secs_f64() * 1_000.0 / self.batches as f64),
            ("longest batch, s", self.longest.as_secs_f64()),
            ("longest tick, s", self.longest_tick.as_secs_f64()),
            ("functions at a time", self.busy.as_secs_f64() / 3_600.0),
            ("$ DynamoDB, writes", price.writes),
            ("$ DynamoDB, reads", price.reads),
            ("$ Lambda", price.lambda),
            ("$ EventBridge", price.events),
            ("$ in all", price.sum()),
        ]
    }
}

/// How many calls of DynamoDB and EC2 were made, and the CPU time that counting them took, in nanoseconds.
fn calls(function: &Function) -> [u64; 3] {
    let taken = function.store.taken.lock().unwrap();
    [taken.calls, taken.ec2, taken.own]
}

/// The CPU time of this thread.
pub(crate) fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}
