//! The internet of the lab: real servers under real names, none of which leaves this machine.
//!
//! Over TLS and plain HTTP alike, a host's files are those in its folder (see [`sites`]); any other
//! host answers with a page of its own. Beside them stand the servers that a notebook should not reach.

mod certificates;
mod responders;
mod sites;
mod web;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::network::{finished, inside};
pub(crate) use certificates::Authority;
pub use sites::{GIT_REPOSITORY, PYTHON_PACKAGE};

/// The hosts that every lab knows.
const HOSTS: [&str; 7] = [
    "kaggle.com",
    "www.kaggle.com",
    "github.com",
    "pypi.org",
    "files.pythonhosted.org",
    "example.com",
    "resolver.example",
];

/// The lab's hosts with their addresses: the known ones, then `more`. The addresses are from the range
/// for documentation (203.0.113.0/24): public to the firewall, and nobody's.
pub(crate) fn hosts(more: &[&str]) -> Vec<Host> {
    let new = more.iter().filter(|name| !HOSTS.contains(name));
    HOSTS
        .iter()
        .chain(new)
        .zip(10..=u8::MAX)
        .map(|(name, last)| ((*name).to_owned(), Ipv4Addr::new(203, 0, 113, last)))
        .collect()
}

/// A name and its address.
pub(crate) type Host = (String, Ipv4Addr);

/// What the servers serve, and the authority that vouches for their names.
#[derive(Debug, Clone)]
pub(crate) struct Internet {
    sites: PathBuf,
    authority: Arc<Authority>,
}

impl Internet {
    /// Makes the sites and the authority under `folder`.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let sites = folder.join("sites");
        sites::create(&sites, folder)?;
        Ok(Self { sites, authority: Arc::new(Authority::create(&folder.join("ca.pem"))?) })
    }

    /// Starts all servers inside a namespace that has these addresses, each on its well-known port.
    pub(crate) async fn serve_inside(self, namespace: &str, hosts: &[Host]) -> Result<Running> {
        let addresses: Vec<_> = hosts.iter().map(|(_, address)| *address).collect();
        let (stop, stopped) = oneshot::channel();
        let (started, when_started) = oneshot::channel();
        let thread = inside(namespace, move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut servers = JoinSet::new();
                let outcome = self.start_all(&mut servers, &addresses).await;
                let _ = started.send(outcome);
                let _ = stopped.await;
                Ok(())
            })
        })?;
        let running = Running { stop: Some(stop), thread: Some(thread), servers: JoinSet::new() };
        when_started.await.context("the lab's servers did not start")??;
        Ok(running)
    }

    async fn start_all(&self, servers: &mut JoinSet<()>, addresses: &[Ipv4Addr]) -> Result<()> {
        for port in [443, 853, 8443] {
            servers.spawn(self.clone().tls(everywhere_tcp(port).await?));
        }
        for port in [80, 8080] {
            servers.spawn(self.clone().http(everywhere_tcp(port).await?));
        }
        responders::start(servers, addresses).await
    }

    /// Starts the web servers on the loopback, on free ports: for TLS, and for plain HTTP.
    pub(crate) async fn serve_locally(self) -> Result<(Running, [SocketAddr; 2])> {
        let listeners = [TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?];
        let addresses = [listeners[0].local_addr()?, listeners[1].local_addr()?];
        let [tls, http] = listeners;
        let mut servers = JoinSet::new();
        servers.spawn(self.clone().tls(tls));
        servers.spawn(self.http(http));
        Ok((Running { stop: None, thread: None, servers }, addresses))
    }

    async fn tls(self, listener: TcpListener) {
        web::serve(listener, Some(self.authority.acceptor()), self.sites).await;
    }

    async fn http(self, listener: TcpListener) {
        web::serve(listener, None, self.sites).await;
    }
}

/// Servers that run until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<Result<()>>>>,
    #[expect(dead_code, reason = "held so that the servers on the loopback end with it")]
    servers: JoinSet<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = finished(thread);
        }
    }
}

async fn everywhere_tcp(port: u16) -> Result<TcpListener> {
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    TcpListener::bind(everywhere).await.with_context(|| format!("cannot serve TCP port {port}"))
}
