//! The fields of a record that are used, under the names that they have in the log.

use serde::de::{MapAccess, SeqAccess};

use crate::lenient::{Lenient, Leniently, Number, Text, Texts, skip, take};

/// The envelope that the firewall puts around each event.
#[derive(Debug, Default)]
pub(crate) struct Record<'a> {
    pub(crate) firewall: Text<'a>,
    pub(crate) availability_zone: Text<'a>,
    /// A text in most records, a number in those of TLS inspection.
    pub(crate) epoch_seconds: Number,
    pub(crate) event: Event<'a>,
}

impl<'a> Record<'a> {
    pub(crate) fn parse(line: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<Leniently<Self>>(line).map(|record| record.0)
    }
}

impl<'de> Lenient<'de> for Record<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "firewall_name" => take(&mut self.firewall, map),
            "availability_zone" => take(&mut self.availability_zone, map),
            "event_timestamp" => take(&mut self.epoch_seconds, map),
            "event" => take(&mut self.event, map),
            _ => skip(map),
        }
    }
}

/// Suricata's event.
#[derive(Debug, Default)]
pub(crate) struct Event<'a> {
    /// Whether there was one.
    pub(crate) given: bool,
    pub(crate) kind: Text<'a>,
    pub(crate) timestamp: Text<'a>,
    pub(crate) flow_id: Number,
    pub(crate) source_address: Text<'a>,
    pub(crate) source_port: Number,
    pub(crate) server_address: Text<'a>,
    pub(crate) server_port: Number,
    pub(crate) direction: Text<'a>,
    pub(crate) protocol: Text<'a>,
    pub(crate) app_proto: Text<'a>,
    pub(crate) alert: Alert<'a>,
    pub(crate) verdict: Verdict<'a>,
    pub(crate) tls: Tls<'a>,
    pub(crate) http: Http<'a>,
}

impl<'de> Lenient<'de> for Event<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        self.given = true;
        match key {
            "event_type" => take(&mut self.kind, map),
            "timestamp" => take(&mut self.timestamp, map),
            "flow_id" => take(&mut self.flow_id, map),
            "src_ip" => take(&mut self.source_address, map),
            "src_port" => take(&mut self.source_port, map),
            "dest_ip" => take(&mut self.server_address, map),
            "dest_port" => take(&mut self.server_port, map),
            "direction" => take(&mut self.direction, map),
            "proto" => take(&mut self.protocol, map),
            "app_proto" => take(&mut self.app_proto, map),
            "alert" => take(&mut self.alert, map),
            "verdict" => take(&mut self.verdict, map),
            "tls" => take(&mut self.tls, map),
            "http" => take(&mut self.http, map),
            _ => skip(map),
        }
    }
}

/// The rule that the record is about.
#[derive(Debug, Default)]
pub(crate) struct Alert<'a> {
    /// Whether there was one.
    pub(crate) given: bool,
    pub(crate) action: Text<'a>,
    pub(crate) signature: Text<'a>,
    pub(crate) metadata: RuleMetadata<'a>,
}

impl<'de> Lenient<'de> for Alert<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        self.given = true;
        match key {
            "action" => take(&mut self.action, map),
            "signature" => take(&mut self.signature, map),
            "metadata" => take(&mut self.metadata, map),
            _ => skip(map),
        }
    }
}

/// What the rule says in its keyword `metadata`.
#[derive(Debug, Default)]
pub(crate) struct RuleMetadata<'a> {
    /// The ids of the requests that the rule was granted for.
    pub(crate) grants: Texts<'a>,
}

impl<'de> Lenient<'de> for RuleMetadata<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "grant" => take(&mut self.grants, map),
            _ => skip(map),
        }
    }
}

/// What was done with the packet.
#[derive(Debug, Default)]
pub(crate) struct Verdict<'a> {
    pub(crate) action: Text<'a>,
}

impl<'de> Lenient<'de> for Verdict<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "action" => take(&mut self.action, map),
            _ => skip(map),
        }
    }
}

/// The client's hello.
#[derive(Debug, Default)]
pub(crate) struct Tls<'a> {
    pub(crate) sni: Text<'a>,
}

impl<'de> Lenient<'de> for Tls<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "sni" => take(&mut self.sni, map),
            _ => skip(map),
        }
    }
}

/// The request. HTTP/2 has its host only among the headers.
#[derive(Debug, Default)]
pub(crate) struct Http<'a> {
    pub(crate) hostname: Text<'a>,
    pub(crate) headers: Headers<'a>,
}

impl<'de> Lenient<'de> for Http<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "hostname" => take(&mut self.hostname, map),
            "request_headers" => take(&mut self.headers, map),
            _ => skip(map),
        }
    }
}

/// The headers that name a host, of a list of `{"name", "value"}`.
#[derive(Debug, Default)]
pub(crate) struct Headers<'a> {
    pub(crate) authority: Text<'a>,
    pub(crate) host: Text<'a>,
}

impl<'de> Lenient<'de> for Headers<'de> {
    fn element<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let Some(Leniently(header)) = list.next_element::<Leniently<Header<'de>>>()? else {
            return Ok(false);
        };
        match header.name.0 {
            Some(name) if name == ":authority" => self.authority = header.value,
            Some(name) if name.eq_ignore_ascii_case("host") => self.host = header.value,
            _ => {}
        }
        Ok(true)
    }
}

#[derive(Debug, Default)]
struct Header<'a> {
    name: Text<'a>,
    value: Text<'a>,
}

impl<'de> Lenient<'de> for Header<'de> {
    fn entry<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "name" => take(&mut self.name, map),
            "value" => take(&mut self.value, map),
            _ => skip(map),
        }
    }
}
