//! Process groups: a command's children, which outlive it when only it is killed.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// The group that a command leads; all of it is killed when this is dropped.
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// The group of a command that was started with `process_group(0)`.
    pub(crate) fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    /// The command was waited for: its id may be somebody else's from now on.
    pub(crate) fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
