//! The policy's default actions as rules, behind all others.
//!
//! Network Firewall's own rules for them aren't published. `…_app_layer_to_server` lets a TCP handshake
//! through, waits until a `ClientHello` or a request is whole however many packets it takes, and then
//! drops what the client sends. In Suricata's terms: a whole `ClientHello`, whole HTTP headers, another
//! protocol once it is known, and UDP once it is answered. What a rule can't see is a conversation whose
//! protocol is never known; the guard has it.

use anyhow::{Result, ensure};

const DROP: &str = "aws:drop_established_app_layer_to_server";
const ALERT: &str = "aws:alert_established_app_layer_to_server";

/// The sid that Network Firewall's records give for its default actions (2, 4, 6 and 8 are in use).
const SID: u64 = 8;

const MATCHES: [&str; 4] = [
    "tls any any -> any any (flow:to_server,established; ssl_state:client_hello",
    "http any any -> any any (flow:to_server,established; http.header_names; content:\"|0d 0a|\"; startswith",
    "tcp any any -> any any (flow:to_server,established; app-layer-protocol:!tls; app-layer-protocol:!http",
    "udp any any -> any any (flow:to_server,established",
];

/// The rules for `actions`. A drop without its alert twin is not logged, as in Network Firewall.
pub(super) fn rules(actions: &[String]) -> Result<Vec<String>> {
    for action in actions {
        ensure!([DROP, ALERT].contains(&action.as_str()), super::unknown("the default action", action));
    }
    let has = |action: &str| actions.iter().any(|given| given == action);
    let (keyword, logged) = match (has(DROP), has(ALERT)) {
        (false, false) => return Ok(Vec::new()),
        (true, true) => ("drop", ""),
        (true, false) => ("drop", " noalert;"),
        (false, true) => ("alert", ""),
    };
    let rule = |matched: &&str| format!("{keyword} {matched}; msg:\"{ALERT} action\";{logged} sid:{SID};)");
    Ok(MATCHES.iter().map(rule).collect())
}
