//! The way out of the studio where there are no namespaces: the real clients talk to this proxy on the
//! loopback, and it has the firewall's engine judge what each of them says first.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::offline::{Judge, Judgement};
use super::probe::{Target, Turn};

/// What a client says before it hears anything is never longer than this.
const FIRST_FLIGHT: usize = 64 * 1024;
/// How long a client may take to say it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The proxy; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the proxy needs to know.
#[derive(Debug)]
pub(crate) struct Routes {
    /// The addresses of the names, as the firewall would see them.
    pub(crate) hosts: Vec<(String, Ipv4Addr)>,
    /// The lab's own servers: for TLS, and for plain HTTP.
    pub(crate) servers: [SocketAddr; 2],
    /// Who decides.
    pub(crate) judge: Arc<Judge>,
}

impl Proxy {
    pub(crate) async fn start(routes: Routes) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let routes = Arc::new(routes);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let routes = Arc::clone(&routes);
                connections.spawn(async move {
                    if let Err(error) = routes.handle(stream).await {
                        eprintln!("the lab's proxy: {error:#}");
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, task })
    }
}

impl Routes {
    async fn handle(&self, mut client: TcpStream) -> Result<()> {
        let asked = timeout(PATIENCE, read_request(&mut client)).await.context("no request")??;
        let target = Target::Tcp(self.address_of(&asked.host)?.into(), asked.port);
        let first = if asked.tunnel {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            read_flight(&mut client).await?
        } else {
            asked.request
        };
        if first.is_empty() {
            return Ok(());
        }
        let conversation = self.judge.conversation(target, vec![Turn::Client(first.clone())]);
        let judgements = self.judge.judge(vec![conversation]).await?;
        match judgements.first().context("no judgement")? {
            Judgement::Passed => self.tunnel(client, asked.tunnel, &first).await,
            Judgement::Rejected => Ok(socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO))?),
            Judgement::Dropped => {
                // The client may say what it likes, and gives up in its own time.
                while client.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {}
                Ok(())
            }
        }
    }

    fn address_of(&self, host: &str) -> Result<Ipv4Addr> {
        let known = self.hosts.iter().find(|(name, _)| name == host).map(|(_, address)| *address);
        known.or_else(|| host.parse().ok()).with_context(|| format!("the lab has no host {host}"))
    }

    async fn tunnel(&self, mut client: TcpStream, tls: bool, first: &[u8]) -> Result<()> {
        let [for_tls, for_http] = self.servers;
        let mut server = TcpStream::connect(if tls { for_tls } else { for_http }).await?;
        server.write_all(first).await?;
        // Either side may end it as it likes.
        let _ = copy_bidirectional(&mut client, &mut server).await;
        Ok(())
    }
}

/// What a client asks of a proxy.
struct Asked {
    host: String,
    port: u16,
    tunnel: bool,
    /// Without a tunnel: the request as its server gets it.
    request: Vec<u8>,
}

async fn read_request(client: &mut TcpStream) -> Result<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
        if head.len() > FIRST_FLIGHT {
            bail!("a request without an end");
        }
    }
    let head = String::from_utf8(head)?;
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let [method, target, version] = line.split(' ').collect::<Vec<_>>()[..] else {
        bail!("no request: {line}")
    };
    if method == "CONNECT" {
        let (host, port) = target.rsplit_once(':').context("CONNECT without a port")?;
        return Ok(Asked { host: host.into(), port: port.parse()?, tunnel: true, request: Vec::new() });
    }
    let rest =
        target.strip_prefix("http://").with_context(|| format!("not a request for a proxy: {line}"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
    let kept = lines.filter(|line| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        !line.is_empty() && name != "connection" && !name.starts_with("proxy-")
    });
    let headers = kept.collect::<Vec<_>>().join("\r\n");
    // One request a connection: the next might be for another host.
    let request =
        format!("{method} /{path} {version}\r\n{headers}\r\nConnection: close\r\n\r\n").into_bytes();
    Ok(Asked { host: host.into(), port: port.parse()?, tunnel: false, request })
}

/// What the client says first through a tunnel: a whole TLS record if it is one, else what is there.
async fn read_flight(client: &mut TcpStream) -> Result<Vec<u8>> {
    let mut flight = Vec::new();
    let mut chunk = vec![0; 4096];
    let whole = |flight: &[u8]| match flight {
        [22, _, _, high, low, rest @ ..] => rest.len() >= usize::from(u16::from_be_bytes([*high, *low])),
        [22, ..] | [] => false,
        _ => true,
    };
    while !whole(&flight) && flight.len() < FIRST_FLIGHT {
        let read = timeout(PATIENCE, client.read(&mut chunk)).await.context("a tunnel in silence")?;
        match read? {
            0 => break,
            length => flight.extend(chunk.get(..length).unwrap_or_default()),
        }
    }
    Ok(flight)
}
