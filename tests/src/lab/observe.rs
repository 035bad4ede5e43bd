//! Probes sent for real, from a thread inside the studio's namespace.

use std::io::{ErrorKind, Read};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::network::{finished, inside};
use super::packets::icmp_echo;
use super::probe::{Probe, Target, Turn};

/// How long a probe waits for its conversation to come to its end.
const PATIENCE: Duration = Duration::from_secs(3);
/// The ports of clients begin here. None comes twice: the engine would take its connection for an earlier one, and go on
/// with what it decided about that.
static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);

/// How a conversation ended, as the studio sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server was heard.
    Answered,
    /// The connection was refused, reset or closed.
    Reset,
    /// Nothing was heard in time.
    TimedOut,
}

/// What was seen of one probe from the studio.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) outcome: Outcome,
    pub(crate) port: u16,
    pub(crate) elapsed: Duration,
}

/// Sends all probes at once.
pub(crate) async fn send(namespace: &str, probes: &[Probe]) -> Result<Vec<Seen>> {
    let probes = probes.to_vec();
    let thread = inside(namespace, move || -> Result<Vec<Seen>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut running = JoinSet::new();
            for (at, probe) in probes.into_iter().enumerate() {
                running.spawn(async move { (at, converse(&probe).await) });
            }
            let mut seen = running.join_all().await;
            seen.sort_by_key(|(at, _)| *at);
            seen.into_iter().map(|(_, seen)| seen).collect()
        })
    })?;
    tokio::task::spawn_blocking(|| finished(thread)).await??
}

async fn converse(probe: &Probe) -> Result<Seen> {
    let begun = Instant::now();
    let target = probe.target;
    let (outcome, port) = match target {
        _ if target.is_for_captures_only() => bail!("{target:?} can't be sent: it is for captures only"),
        Target::Tcp(host, port) => tcp(host, port, &probe.script).await,
        Target::Udp(host, port) => udp(host, port, &probe.script).await,
        Target::Icmp(host) | Target::Ip(host, _) | Target::Fragment(host, _) => {
            icmp(host, &probe.script).await.map(|outcome| (outcome, 0))
        }
    }
    .with_context(|| format!("the probe {}", probe.name))?;
    Ok(Seen { outcome, port, elapsed: begun.elapsed() })
}

async fn tcp(host: IpAddr, port: u16, script: &[Turn]) -> Result<(Outcome, u16)> {
    let socket = TcpSocket::new_v4()?;
    // Bound before it connects: then its port is known even if it never does.
    let own_port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
    socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, own_port)))?;
    let talk = async {
        let mut stream = socket.connect(SocketAddr::from((host, port))).await?;
        stream.set_nodelay(true)?;
        for turn in script {
            match turn {
                Turn::Client(bytes) => stream.write_all(bytes).await?,
                Turn::Server(_) => {
                    let mut heard = [0; 2048];
                    if stream.read(&mut heard).await? == 0 {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
        Ok::<_, std::io::Error>(())
    };
    Ok((outcome(talk).await, own_port))
}

async fn udp(host: IpAddr, port: u16, script: &[Turn]) -> Result<(Outcome, u16)> {
    let own_port = NEXT_PORT.fetch_add(1, Ordering::Relaxed);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, own_port)).await?;
    socket.connect((host, port)).await?;
    let talk = async {
        for turn in script {
            match turn {
                Turn::Client(bytes) => socket.send(bytes).await?,
                Turn::Server(_) => socket.recv(&mut [0; 4096]).await?,
            };
        }
        Ok::<_, std::io::Error>(())
    };
    Ok((outcome(talk).await, own_port))
}

/// How a conversation ends within the patience of a probe.
async fn outcome(talk: impl Future<Output = std::io::Result<()>>) -> Outcome {
    match timeout(PATIENCE, talk).await {
        Err(_) => Outcome::TimedOut,
        Ok(Ok(())) => Outcome::Answered,
        Ok(Err(_)) => Outcome::Reset,
    }
}

async fn icmp(host: IpAddr, script: &[Turn]) -> Result<Outcome> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let Some(Turn::Client(payload)) = script.first() else { return Ok(Outcome::Answered) };
    let request = icmp_echo(8, payload);
    socket.send_to(&request, &SocketAddr::from((host, 0)).into())?;
    let reply = icmp_echo(0, payload);
    tokio::task::spawn_blocking(move || wait_for(socket, host, &reply)).await?
}

/// Reads what arrives until it is the reply; a raw socket hears the namespace's other ICMP too.
fn wait_for(mut socket: Socket, host: IpAddr, reply: &[u8]) -> Result<Outcome> {
    let limit = Instant::now() + PATIENCE;
    while Instant::now() < limit {
        let mut peek = [MaybeUninit::uninit(); 1];
        let from = match socket.peek_from(&mut peek) {
            Ok((_, from)) => from,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) => return Err(error.into()),
        };
        let mut packet = [0; 2048];
        let length = socket.read(&mut packet)?;
        let sender = from.as_socket().map(|address| address.ip());
        if sender == Some(host) && packet.get(..length).is_some_and(|packet| packet.ends_with(reply)) {
            return Ok(Outcome::Answered);
        }
    }
    Ok(Outcome::TimedOut)
}
