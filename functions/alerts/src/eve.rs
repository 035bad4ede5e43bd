//! The fields of a record that are used, under the names that they have in the log.

use crate::json::{Fault, Json, Text};

/// The envelope that the firewall puts around each event.
#[derive(Debug, Default)]
pub(crate) struct Record<'a> {
    pub(crate) firewall: Option<Text<'a>>,
    pub(crate) availability_zone: Option<Text<'a>>,
    /// A text in most records, a number in those of TLS inspection.
    pub(crate) epoch_seconds: Option<u64>,
    pub(crate) event: Event<'a>,
}

/// Suricata's event.
#[derive(Debug, Default)]
pub(crate) struct Event<'a> {
    /// Whether there was one, with anything in it.
    pub(crate) given: bool,
    pub(crate) kind: Option<Text<'a>>,
    pub(crate) timestamp: Option<Text<'a>>,
    pub(crate) flow_id: Option<u64>,
    pub(crate) source_address: Option<Text<'a>>,
    pub(crate) source_port: Option<u64>,
    pub(crate) server_address: Option<Text<'a>>,
    pub(crate) server_port: Option<u64>,
    pub(crate) direction: Option<Text<'a>>,
    pub(crate) protocol: Option<Text<'a>>,
    pub(crate) app_proto: Option<Text<'a>>,
    pub(crate) alert: Alert<'a>,
    /// What was done with the packet.
    pub(crate) verdict: Option<Text<'a>>,
    /// Of the hello of TLS.
    pub(crate) sni: Option<Text<'a>>,
    /// Of the hello in QUIC.
    pub(crate) quic_sni: Option<Text<'a>>,
    pub(crate) http: Http<'a>,
}

/// The rule that the record is about.
#[derive(Debug, Default)]
pub(crate) struct Alert<'a> {
    /// Whether there was one, with anything in it.
    pub(crate) given: bool,
    pub(crate) action: Option<Text<'a>>,
    pub(crate) signature: Option<Text<'a>>,
    /// The ids of the requests that the rule was granted for, from its keyword `metadata`.
    pub(crate) grants: Vec<Text<'a>>,
}

/// The request. HTTP/2 has its host only among the headers.
#[derive(Debug, Default)]
pub(crate) struct Http<'a> {
    pub(crate) hostname: Option<Text<'a>>,
    /// The header `:authority`.
    pub(crate) authority: Option<Text<'a>>,
    /// The header `Host`.
    pub(crate) host: Option<Text<'a>>,
}

impl<'a> Record<'a> {
    /// Reads a record into this one, in which there is none yet.
    pub(crate) fn read<const INNER: bool>(&mut self, json: &mut Json<'a, INNER>) -> Result<(), Fault> {
        json.object(|json, key| {
            match key {
                b"event" => self.event.read(json)?,
                b"event_timestamp" => self.epoch_seconds = json.number()?,
                b"firewall_name" => self.firewall = json.text()?,
                b"availability_zone" => self.availability_zone = json.text()?,
                _ => json.skip()?,
            }
            Ok(())
        })
    }
}

impl<'a> Event<'a> {
    fn read<const INNER: bool>(&mut self, json: &mut Json<'a, INNER>) -> Result<(), Fault> {
        if self.given {
            *self = Self::default();
        }
        json.object(|json, key| {
            self.given = true;
            // By length first: it is the quickest way to tell them apart.
            match key.len() {
                3 if key == b"tls" => self.sni = text_of(json, b"sni")?,
                4 if key == b"http" => self.http = Http::read(json)?,
                4 if key == b"quic" => self.quic_sni = text_of(json, b"sni")?,
                5 if key == b"alert" => self.alert.read(json)?,
                5 if key == b"proto" => self.protocol = json.text()?,
                6 if key == b"src_ip" => self.source_address = json.text()?,
                7 if key == b"dest_ip" => self.server_address = json.text()?,
                7 if key == b"flow_id" => self.flow_id = json.number()?,
                7 if key == b"verdict" => self.verdict = text_of(json, b"action")?,
                8 if key == b"src_port" => self.source_port = json.number()?,
                9 if key == b"app_proto" => self.app_proto = json.text()?,
                9 if key == b"dest_port" => self.server_port = json.number()?,
                9 if key == b"direction" => self.direction = json.text()?,
                9 if key == b"timestamp" => self.timestamp = json.text()?,
                10 if key == b"event_type" => self.kind = json.text()?,
                _ => json.skip()?,
            }
            Ok(())
        })
    }
}

impl<'a> Alert<'a> {
    fn read<const INNER: bool>(&mut self, json: &mut Json<'a, INNER>) -> Result<(), Fault> {
        if self.given {
            *self = Self::default();
        }
        json.object(|json, key| {
            self.given = true;
            match key {
                b"action" => self.action = json.text()?,
                b"signature" => self.signature = json.text()?,
                b"metadata" => self.grants = grants(json)?,
                _ => json.skip()?,
            }
            Ok(())
        })
    }
}

impl<'a> Http<'a> {
    fn read<const INNER: bool>(json: &mut Json<'a, INNER>) -> Result<Self, Fault> {
        let mut http = Self::default();
        json.object(|json, key| {
            match key {
                b"hostname" => http.hostname = json.text()?,
                b"request_headers" => (http.authority, http.host) = named_hosts(json)?,
                _ => json.skip()?,
            }
            Ok(())
        })?;
        Ok(http)
    }
}

/// One text of an object of which nothing else is used.
fn text_of<'a, const INNER: bool>(
    json: &mut Json<'a, INNER>,
    wanted: &[u8],
) -> Result<Option<Text<'a>>, Fault> {
    let mut found = None;
    json.object(|json, key| {
        if key == wanted {
            found = json.text()?;
            Ok(())
        } else {
            json.skip()
        }
    })?;
    Ok(found)
}

/// The texts of the key `grant`: a list, or one alone.
fn grants<'a, const INNER: bool>(json: &mut Json<'a, INNER>) -> Result<Vec<Text<'a>>, Fault> {
    let mut grants = Vec::new();
    json.object(|json, key| {
        if key != b"grant" {
            return json.skip();
        }
        grants.clear();
        let mut one = |json: &mut Json<'a, INNER>| {
            grants.extend(json.text()?);
            Ok(())
        };
        if json.peek()? == b'[' { json.list(one) } else { one(json) }
    })?;
    Ok(grants)
}

/// The headers `:authority` and `Host`, of a list of `{"name", "value"}`.
fn named_hosts<'a, const INNER: bool>(
    json: &mut Json<'a, INNER>,
) -> Result<(Option<Text<'a>>, Option<Text<'a>>), Fault> {
    let (mut authority, mut host) = (None, None);
    json.list(|json| {
        let (mut name, mut value) = (None, None);
        json.object(|json, key| {
            match key {
                b"name" => name = json.text()?,
                b"value" => value = json.text()?,
                _ => json.skip()?,
            }
            Ok(())
        })?;
        match name.map(Text::bytes) {
            Some(name) if *name == *b":authority" => authority = value,
            Some(name) if name.eq_ignore_ascii_case(b"host") => host = value,
            _ => {}
        }
        Ok(())
    })?;
    Ok((authority, host))
}
