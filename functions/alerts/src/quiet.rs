//! When nothing is told: a silence, a request that waits for its decision, and an alert that was told a moment ago.

use std::time::Duration;

use egress::aws::windows::WindowKey;
use egress::counts::Counts;
use egress::request::StateName;
use jiff::Timestamp;

use crate::advice::covers;
use crate::groups::start_of_window;
use crate::windows::Known;

/// Whether nothing is told of an owner's connections to a domain now. A silence holds for everything; a pending request
/// only for what isn't raised, and where it asks for each of the hosts that were blocked: not where there are more than
/// are named.
pub fn is_quiet(known: &Known, key: &WindowKey, counts: &Counts, raised: bool, now: Timestamp) -> bool {
    let silenced = known.silences.iter().any(|silence| silence.covers(&key.domain, &key.owner, now));
    let pending = || known.requests.iter().filter(|request| request.state == StateName::Pending);
    let requested = || counts.hosts.iter().all(|host| pending().any(|request| covers(request, &host.host)));
    silenced || (!raised && counts.are_named() && requested())
}

/// The windows before this one in which an alert about the same is not repeated in it. Times of rest stand on the
/// clock, as windows do: so it is the same ones for everybody, in whatever order batches come.
pub fn earlier(key: &WindowKey, window: Duration, repeat: Duration) -> Vec<WindowKey> {
    let begin = start_of_window(key.start, repeat);
    let before = std::iter::successors(Some(key.start), |start| start.checked_sub(window).ok()).skip(1);
    let keys = before.take_while(|start| *start >= begin);
    keys.map(|start| WindowKey { start, ..key.clone() }).collect()
}
