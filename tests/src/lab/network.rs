//! The inline lab's network: three namespaces in a line, studio — firewall — internet.
//!
//! The firewall's namespace holds only Suricata, which copies packets from one of its interfaces to
//! the other; studio and internet share a link that exists through it alone. Names carry the id of
//! the process that made them, so that whoever comes next can tell what a killed process left behind.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::command::{feed, output};

/// The notebook's address, in the article's Studio subnet.
pub const STUDIO: Ipv4Addr = Ipv4Addr::new(10, 2, 3, 10);
/// The other end of the studio's link: where the way out begins.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 2, 3, 1);
/// The firewall's interface to the studio.
pub(crate) const INNER: &str = "inner";
/// The firewall's interface to the internet.
pub(crate) const OUTER: &str = "outer";
const PREFIX: &str = "egr-";
/// Where `ip netns exec` finds the files that a namespace has of its own.
const FILES: &str = "/etc/netns";
/// Whether this process made that folder, which most machines don't have.
static MADE_FILES: AtomicBool = AtomicBool::new(false);

/// The three namespaces; they go when this is dropped.
#[derive(Debug)]
pub(crate) struct Network {
    /// Where the clients run.
    pub(crate) studio: String,
    /// Where Suricata runs.
    pub(crate) firewall: String,
    /// Where the servers run.
    pub(crate) internet: String,
}

impl Network {
    /// Makes the namespaces and the links between them, with `hosts` as the names that the studio knows.
    pub(crate) fn create(hosts: &[(String, Ipv4Addr)]) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_stale();
        let id = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let network = Self {
            studio: format!("{id}-studio"),
            firewall: format!("{id}-fw"),
            internet: format!("{id}-net"),
        };
        network.link()?;
        network.address(hosts)?;
        network.name_hosts(hosts)?;
        Ok(network)
    }

    fn link(&self) -> Result<()> {
        let Self { studio, firewall, internet } = self;
        feed(
            "ip",
            &["-batch", "-"],
            &format!(
                "netns add {studio}\nnetns add {firewall}\nnetns add {internet}\n\
                 link add name eth0 netns {studio} type veth peer name {INNER} netns {firewall}\n\
                 link add name eth0 netns {internet} type veth peer name {OUTER} netns {firewall}\n"
            ),
        )?;
        for (namespace, interface) in
            [(studio, "eth0"), (firewall, INNER), (firewall, OUTER), (internet, "eth0")]
        {
            // No IPv6, whose own chatter would be blocked and logged; and no offloading: Suricata must
            // see packets as they would be on a wire, with checksums in them.
            let quiet = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
            finished(inside(namespace, move || {
                if Path::new(&quiet).exists() { fs::write(quiet, "1") } else { Ok(()) }
            })?)??;
            let offloads = "tx off rx off sg off tso off gso off gro off";
            let mut arguments = vec!["netns", "exec", namespace, "ethtool", "-K", interface];
            arguments.extend(offloads.split(' '));
            output("ip", &arguments)?;
        }
        Ok(())
    }

    fn address(&self, hosts: &[(String, Ipv4Addr)]) -> Result<()> {
        let Self { studio, firewall, internet } = self;
        feed(
            "ip",
            &["-n", studio, "-batch", "-"],
            &format!(
                "link set lo up\nlink set eth0 address 02:00:00:00:00:0a\nlink set eth0 up\n\
                 addr add {STUDIO}/24 dev eth0\nroute add default via {GATEWAY}\n"
            ),
        )?;
        let public: Vec<_> =
            hosts.iter().map(|(_, address)| format!("addr replace {address}/32 dev lo\n")).collect();
        let public = public.concat();
        feed(
            "ip",
            &["-n", internet, "-batch", "-"],
            &format!(
                "link set lo up\nlink set eth0 address 02:00:00:00:00:01\nlink set eth0 up\n\
                 addr add {GATEWAY}/24 dev eth0\n{public}"
            ),
        )?;
        // What Suricata sends of its own (the reset of a rejected connection) goes by this namespace's
        // routes: it needs an address to send from and a way to each side.
        feed(
            "ip",
            &["-n", firewall, "-batch", "-"],
            &format!(
                "link set lo up\nlink set {INNER} up\nlink set {OUTER} up\n\
                 addr add 169.254.3.1/32 dev {INNER}\naddr add 169.254.3.2/32 dev {OUTER}\n\
                 route add {STUDIO}/32 dev {INNER}\nroute add {GATEWAY}/32 dev {OUTER}\n\
                 route add default via {GATEWAY} dev {OUTER} onlink\n\
                 neigh add {STUDIO} lladdr 02:00:00:00:00:0a dev {INNER} nud permanent\n\
                 neigh add {GATEWAY} lladdr 02:00:00:00:00:01 dev {OUTER} nud permanent\n"
            ),
        )
    }

    /// `ip netns exec` puts these files in the place of the machine's own. The resolver named there
    /// doesn't answer: a VPC's own resolver is not reached through the firewall either, so the names
    /// are simply known, and an unknown one fails at once.
    fn name_hosts(&self, hosts: &[(String, Ipv4Addr)]) -> Result<()> {
        let folder = files_of(&self.studio);
        make_files(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let names: Vec<_> = hosts.iter().map(|(name, address)| format!("{address} {name}\n")).collect();
        fs::write(folder.join("hosts"), format!("127.0.0.1 localhost\n{}", names.concat()))?;
        fs::write(folder.join("resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")?;
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in [&self.studio, &self.firewall, &self.internet] {
            remove(namespace);
        }
    }
}

/// Runs `work` on a thread of its own inside a namespace: its sockets are that namespace's.
pub(crate) fn inside<T, W>(namespace: &str, work: W) -> Result<JoinHandle<Result<T>>>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let path = Path::new("/run/netns").join(namespace);
    let handle = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(thread::Builder::new().name(namespace.to_owned()).spawn(move || {
        move_into_link_name_space(handle.as_fd(), Some(LinkNameSpaceType::Network))
            .context("cannot enter the namespace")?;
        Ok(work())
    })?)
}

/// Waits for a thread that [`inside`] started.
pub(crate) fn finished<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow::anyhow!("a thread in a namespace of the lab panicked"))?
}

fn files_of(namespace: &str) -> PathBuf {
    Path::new(FILES).join(namespace)
}

/// Makes the folder of a namespace's files. Another process's lab may take the folder above away between
/// the two steps.
fn make_files(folder: &Path) -> io::Result<()> {
    const ATTEMPTS: usize = 100;
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        match fs::create_dir(FILES) {
            Ok(()) => MADE_FILES.store(true, Ordering::Relaxed),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        outcome = fs::create_dir(folder);
        if !matches!(&outcome, Err(error) if error.kind() == ErrorKind::NotFound) {
            break;
        }
    }
    outcome
}

/// Ends what still runs in a namespace and removes it. Nothing to be done about a failure here: the
/// next lab tries again.
fn remove(namespace: &str) {
    for line in output("ip", &["netns", "pids", namespace]).unwrap_or_default().lines() {
        let pid = line.trim().parse().ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|pid| *pid != rustix::process::getpid()) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    let _ = output("ip", &["netns", "delete", namespace]);
    let _ = fs::remove_dir_all(files_of(namespace));
    // One that was there before stays, and so does one that somebody else uses: it is not empty.
    if MADE_FILES.load(Ordering::Relaxed) {
        let _ = fs::remove_dir(FILES);
    }
}

/// Removes the namespaces of labs whose process is gone.
fn remove_stale() {
    for folder in ["/run/netns", FILES] {
        for path in left_behind(Path::new(folder), PREFIX) {
            remove(&path.file_name().unwrap_or_default().to_string_lossy());
        }
    }
}

/// What is in `folder` under a name of `prefix` and the id of a process that is gone.
pub(crate) fn left_behind(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let stale = |name: &str| {
        let owner = name.strip_prefix(prefix).and_then(|rest| rest.split('-').next());
        owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
    };
    entries.filter(|entry| stale(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect()
}
