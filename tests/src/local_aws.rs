//! The local AWS as a harness: one instance on its own port, gone when it is dropped.
//!
//! ```no_run
//! # async fn story() -> anyhow::Result<()> {
//! let aws = tests::local_aws::LocalAws::start().await?;
//! let firewall = aws_sdk_networkfirewall::Client::new(&aws.sdk_config());
//! # Ok(())
//! # }
//! ```
//!
//! The process is Python (`tests/local_aws/`, on `MiniStack`). It reads its standard input, whose other end is
//! held here: when that ends, however this process ended, it stops its functions' processes and itself.

mod leftovers;
mod network;
mod process;
mod venv;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_networkfirewall::config::{Credentials, SharedCredentialsProvider};

pub use leftovers::Leftover;
pub use network::{Network, Subnet};
use process::Process;

/// The Region that the local AWS is used in.
pub const REGION: &str = "us-east-1";
/// The account that everything is in.
pub const ACCOUNT: &str = "000000000000";

/// How an instance behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long a firewall takes to take over a change; the second Availability Zone half as much again, and so on.
    pub delay: Duration,
    /// How long a minute of an `EventBridge` schedule's rate takes.
    pub minute: Duration,
    /// Whether roles' policies are enforced. The credentials of [`LocalAws::sdk_config`] are the account's root.
    pub enforce_iam: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { delay: Duration::from_millis(300), minute: Duration::from_mins(1), enforce_iam: false }
    }
}

/// A running local AWS.
#[derive(Debug)]
pub struct LocalAws {
    process: Process,
    venv: PathBuf,
}

impl LocalAws {
    /// Starts one with the default options.
    pub async fn start() -> anyhow::Result<Self> {
        Self::with(Options::default()).await
    }

    /// Starts one whose firewalls take `delay` to take over a change.
    pub async fn with_delay(delay: Duration) -> anyhow::Result<Self> {
        Self::with(Options { delay, ..Options::default() }).await
    }

    /// Starts one with options of its own.
    pub async fn with(options: Options) -> anyhow::Result<Self> {
        let venv = tokio::task::spawn_blocking(venv::path).await??;
        let process = Process::start(&venv, options).await?;
        Ok(Self { process, venv })
    }

    /// The URL that answers for every service.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.process.port
    }

    /// A configuration for SDK clients. Each call gives a fresh one: clients share connections through it, and
    /// those belong to the runtime they were opened on.
    pub fn sdk_config(&self) -> SdkConfig {
        let credentials = Credentials::new("test", "test", None, None, "local-aws");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(self.endpoint())
            .build()
    }

    /// The environment in which other programs (the `aws` command, boto3, a function) find it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            // Nothing of the user's own configuration may lead a command to a real account.
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_PAGER", String::new()),
        ]
    }

    /// A program of the Python environment (`aws`, `python`, `cfn-lint`), set up to find this instance and the
    /// Python packages of the tests.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.venv.join("bin").join(program));
        command.envs(self.environment()).env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN");
        command.env("PYTHONPATH", venv::tests_directory());
        command
    }

    /// The Python environment.
    pub fn venv(&self) -> &Path {
        &self.venv
    }

    /// The file that everything said by the local AWS goes to; the functions' own output is in their log groups.
    pub fn log(&self) -> &Path {
        &self.process.log
    }

    /// The id of its process, which is also its process group's.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The network in the account, and who uses its subnets.
    pub async fn network(&self) -> anyhow::Result<Network> {
        network::read(self.command("python")).await
    }

    /// What is left in the account, over all services that a stack may touch: nothing, in an empty one.
    pub async fn leftovers(&self) -> anyhow::Result<Vec<Leftover>> {
        leftovers::list(self.command("python")).await
    }
}
