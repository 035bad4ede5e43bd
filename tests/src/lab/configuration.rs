//! Suricata's configuration, as near to Network Firewall's as can be had: the stream engine inline,
//! connections that it hasn't seen begin are dropped, the parsers of the protocols that rules name,
//! and alert records with the verdict and the fields of the application's protocol.
//!
//! Self-contained: nothing of the machine's own `/etc/suricata` is read.

use std::path::Path;

use super::network::{INNER, OUTER};

/// What differs between one lab and another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Configuration<'a> {
    /// `HOME_NET`: the VPC's address range.
    pub(crate) home_net: &'a str,
    /// Between two interfaces, with a socket for commands; or for captures, one at a time.
    pub(crate) inline: bool,
}

impl Configuration<'_> {
    /// The text for a lab that lives in `folder`.
    pub(crate) fn render(&self, folder: &Path) -> String {
        let folder = folder.display();
        let home = self.home_net;
        let engine = if self.inline { inline(&folder.to_string()) } else { CAPTURES.to_owned() };
        format!(
            r#"%YAML 1.1
---
vars:
  address-groups:
    HOME_NET: "[{home}]"
    EXTERNAL_NET: "!$HOME_NET"
# The nearest to strict order that there is: see the module on policies.
action-order: [drop, pass, reject, alert]
default-rule-path: {folder}
rule-files: [policy.rules]
classification-file: {folder}/classification.config
reference-config-file: {folder}/reference.config
threshold-file: {folder}/threshold.config
default-log-dir: {folder}
stats: {{enabled: no}}
host-mode: router
runmode: workers
max-pending-packets: 512
pid-file: {folder}/suricata.pid
logging:
  default-log-level: notice
  outputs:
    - console: {{enabled: yes}}
{OUTPUTS}{PROTOCOLS}{STREAMS}{engine}"#
        )
    }
}

fn inline(folder: &str) -> String {
    format!(
        r"unix-command: {{enabled: yes, filename: {folder}/suricata.socket}}
af-packet:
  - {{interface: {INNER}, copy-iface: {OUTER}, copy-mode: ips, threads: 1, cluster-id: 98, cluster-type: cluster_flow, defrag: no, use-mmap: yes, tpacket-v3: no, ring-size: 4096, buffer-size: 1048576}}
  - {{interface: {OUTER}, copy-iface: {INNER}, copy-mode: ips, threads: 1, cluster-id: 97, cluster-type: cluster_flow, defrag: no, use-mmap: yes, tpacket-v3: no, ring-size: 4096, buffer-size: 1048576}}
"
    )
}

/// Offline also logs each dropped packet: rules may drop without an alert.
const CAPTURES: &str = r"unix-command: {enabled: no}
pcap-file: {checksum-checks: no}
";

const OUTPUTS: &str = r"outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      community-id: no
      types:
        - alert:
            verdict: yes
            tagged-packets: no
            metadata: {app-layer: true, flow: false, rule: {metadata: true, raw: false}}
  - eve-log:
      enabled: yes
      filetype: regular
      filename: drops.json
      types:
        - drop: {alerts: no, verdict: yes, flows: all}
";

const PROTOCOLS: &str = r#"app-layer:
  # A parser that gives up leaves the connection to the rules; nothing passes by its error alone.
  error-policy: ignore
  protocols:
    tls: {enabled: yes, detection-ports: {dp: "443"}, ja3-fingerprints: yes}
    http:
      enabled: yes
      libhtp:
        default-config: {personality: IDS, request-body-limit: 100kb, response-body-limit: 100kb, response-body-decompress-layer-limit: 2, http-body-inline: auto}
    http2: {enabled: yes}
    quic: {enabled: yes}
    ssh: {enabled: yes}
    dns: {tcp: {enabled: yes, detection-ports: {dp: 53}}, udp: {enabled: yes, detection-ports: {dp: 53}}}
    smtp: {enabled: yes}
    ftp: {enabled: yes}
    imap: {enabled: detection-only}
    smb: {enabled: yes, detection-ports: {dp: "139, 445"}}
    dcerpc: {enabled: yes}
    krb5: {enabled: yes}
    rdp: {enabled: yes}
    rfb: {enabled: yes, detection-ports: {dp: "5900"}}
    mqtt: {enabled: yes}
    snmp: {enabled: yes}
    sip: {enabled: yes}
    ntp: {enabled: yes}
    tftp: {enabled: yes}
    ike: {enabled: yes}
    dhcp: {enabled: yes}
    nfs: {enabled: yes}
    telnet: {enabled: yes}
    bittorrent-dht: {enabled: yes}
    pgsql: {enabled: yes}
    modbus: {enabled: no}
    dnp3: {enabled: no}
    enip: {enabled: no}
"#;

const STREAMS: &str = r"exception-policy: auto
stream:
  memcap: 64mb
  checksum-validation: no
  inline: yes
  midstream: no
  midstream-policy: drop-flow
  reassembly: {memcap: 128mb, depth: 1mb, toserver-chunk-size: 2560, toclient-chunk-size: 2560, randomize-chunk-size: yes}
defrag: {memcap: 16mb, hash-size: 4096, trackers: 4096, max-frags: 8192, prealloc: yes, timeout: 60}
flow: {memcap: 64mb, hash-size: 16384, prealloc: 1000}
host: {hash-size: 1024, prealloc: 100, memcap: 8mb}
";
