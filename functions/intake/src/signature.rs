//! Who sent something, and when: nothing of a body is read before this is known.
//!
//! | way in | what is signed, and with what | what keeps it from being sent again |
//! |---|---|---|
//! | `/webhook` | `x-egress-signature: v1=<hex>`, HMAC-SHA256 over `{x-egress-timestamp}.{x-egress-delivery}.{body}` | the timestamp, at most 300 s off; then the delivery's id |
//! | `/slack` | `x-slack-signature: v0=<hex>`, over `v0:{x-slack-request-timestamp}:{body}` | the timestamp, at most 300 s off; then the id of the trigger, or of the dialog, in the body |
//! | `/teams` | `authorization: HMAC <base 64>`, over the body | the timestamp in the body, at most 300 s off; then the activity's id in it |
//! | `/tickets/<adapter>`, `hmac` | a header of the adapter's, over the body | the ticket's name, or the id in the body, or the digest of the body |
//! | `/tickets/<adapter>`, `key` | the secret itself in a header | the same; the secret proves who sends, and nothing of what is sent |
//! | a partner bus | nothing: only the partner can put events there | the id in the detail, or the event's |
//!
//! Ids of deliveries in headers (GitHub's, Jira's) are not signed, so they prove nothing here. Each id is part of the
//! message's key, and the ledger takes each key once: in the transaction that acts on it, for fifteen days. An id of a
//! request is derived from the key, so that after those days, too, nothing is asked for twice; and what else a message
//! could do a second time, the state of its request has no room for any more. What changes nothing (a question, a word
//! that was not taken) is answered again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use egress::adapter::settings::{Encoding, Proof};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use lambda_http::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::secrets::Secrets;

/// How far a sender's clock may be off, and for how long what is sent can be sent again, in seconds.
const WINDOW: i64 = 300;

/// The header with the id of a webhook's delivery.
const DELIVERY: &str = "x-egress-delivery";

/// The longest id of a delivery.
const LONGEST_DELIVERY: usize = 128;

/// Who somebody claims to be; not proved yet.
#[derive(Debug)]
pub struct Claim<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    /// A signature by the text of a secret.
    Signed([&'a [u8]; 5], Vec<u8>),
    /// A signature by what the text of a secret is in base 64.
    SignedByBase64(&'a [u8], Vec<u8>),
    /// The secret itself.
    Key(&'a [u8]),
}

/// Why there is nothing to be proved. For the log: the sender hears nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No such header, or not a text.
    #[error("the header {0} is missing")]
    Missing(String),
    /// Not a number of seconds.
    #[error("the header {0} is not a number of seconds")]
    NotATime(&'static str),
    /// Sent again later, or a wrong clock.
    #[error("the timestamp is {0} seconds off: it is old, or a clock is wrong")]
    NotNow(i64),
    /// Another version or method, or not the digits of a signature.
    #[error("the header {0} is not {1:?} and a signature")]
    Form(String, String),
}

/// An id of a delivery that can't be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header x-egress-delivery must be 1 to {LONGEST_DELIVERY} letters, digits and . _ : -")]
pub struct NotADelivery;

impl<'a> Claim<'a> {
    /// Reads the headers of a webhook, and refuses what was not sent now.
    pub fn webhook(headers: &'a HeaderMap, body: &'a [u8], now: Timestamp) -> Result<Self, SignatureError> {
        let timestamp = sent_now(headers, "x-egress-timestamp", now)?;
        let delivery = header(headers, DELIVERY)?;
        let signature = signature(headers, "x-egress-signature", "v1=", Encoding::Hex)?;
        let parts = [timestamp.as_bytes(), b".", delivery.as_bytes(), b".", body];
        Ok(Self(Kind::Signed(parts, signature)))
    }

    /// The same of what Slack sends (<https://docs.slack.dev/authentication/verifying-requests-from-slack>).
    pub fn slack(headers: &'a HeaderMap, body: &'a [u8], now: Timestamp) -> Result<Self, SignatureError> {
        let timestamp = sent_now(headers, "x-slack-request-timestamp", now)?;
        let signature = signature(headers, "x-slack-signature", "v0=", Encoding::Hex)?;
        Ok(Self(Kind::Signed([b"v0", b":", timestamp.as_bytes(), b":", body], signature)))
    }

    /// The same of an outgoing webhook of Teams'
    /// (<https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook>).
    /// When it was sent stands in the body, which is not read yet.
    pub fn teams(headers: &HeaderMap, body: &'a [u8]) -> Result<Self, SignatureError> {
        let signature = signature(headers, "authorization", "HMAC ", Encoding::Base64)?;
        Ok(Self(Kind::SignedByBase64(body, signature)))
    }

    /// The same of what a ticket system sends, as its adapter has it.
    pub fn adapter(proof: &Proof, headers: &'a HeaderMap, body: &'a [u8]) -> Result<Self, SignatureError> {
        match proof {
            Proof::Hmac { header, prefix, encoding } => {
                let signature = signature(headers, header, prefix, *encoding)?;
                Ok(Self(Kind::Signed([body, b"", b"", b"", b""], signature)))
            }
            Proof::Key { header, prefix } => {
                behind(headers, header, prefix).map(|key| Self(Kind::Key(key.as_bytes())))
            }
        }
    }

    /// Whether one of the secrets that are good now proves it. Takes the same time whatever part of it is wrong. One
    /// that isn't of the form that it should have proves nothing, and is logged.
    pub fn is_by(&self, secrets: &Secrets, now: Timestamp) -> bool {
        secrets.good(now).any(|secret| self.is_of(secret))
    }

    fn is_of(&self, secret: &SecretString) -> bool {
        let secret = secret.expose_secret();
        match &self.0 {
            Kind::Signed(parts, signature) => mac(secret.as_bytes(), parts).verify_slice(signature).is_ok(),
            Kind::SignedByBase64(body, signature) => {
                let Some(secret) = BASE64.decode(secret).ok().filter(|secret| !secret.is_empty()) else {
                    tracing::error!("a secret is not base 64");
                    return false;
                };
                mac(&secret, &[*body]).verify_slice(signature).is_ok()
            }
            // Two texts of any length are compared by what each becomes under a key that nobody knows.
            Kind::Key(given) => {
                let secret = secret.as_bytes();
                let expected = mac(secret, &[secret]).finalize().into_bytes();
                mac(secret, &[*given]).verify_slice(&expected).is_ok()
            }
        }
    }
}

/// That what a body says of when it was sent is now, where it is signed.
pub fn is_now(sent: Timestamp, now: Timestamp) -> Result<(), SignatureError> {
    in_window(sent.as_second(), now)
}

/// The id of a webhook's delivery, the same when it is sent again.
pub fn delivery(headers: &HeaderMap) -> Result<&str, NotADelivery> {
    let delivery = header(headers, DELIVERY).map_err(|_| NotADelivery)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let length = 1..=LONGEST_DELIVERY;
    if length.contains(&delivery.len()) && delivery.bytes().all(allowed) {
        Ok(delivery)
    } else {
        Err(NotADelivery)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, SignatureError> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| SignatureError::Missing(name.to_owned()))
}

/// What stands in a header behind the version or the method.
fn behind<'a>(headers: &'a HeaderMap, name: &str, prefix: &str) -> Result<&'a str, SignatureError> {
    let form = || SignatureError::Form(name.to_owned(), prefix.to_owned());
    header(headers, name)?.strip_prefix(prefix).ok_or_else(form)
}

fn signature(
    headers: &HeaderMap,
    name: &str,
    prefix: &str,
    encoding: Encoding,
) -> Result<Vec<u8>, SignatureError> {
    let digits = behind(headers, name, prefix)?;
    let signature = match encoding {
        Encoding::Hex => hex::decode(digits).ok(),
        Encoding::Base64 => BASE64.decode(digits).ok(),
    };
    signature.ok_or_else(|| SignatureError::Form(name.to_owned(), prefix.to_owned()))
}

/// The timestamp, if it is one of now.
fn sent_now<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
    now: Timestamp,
) -> Result<&'a str, SignatureError> {
    let timestamp = header(headers, name)?;
    let sent: i64 = timestamp.parse().map_err(|_| SignatureError::NotATime(name))?;
    in_window(sent, now)?;
    Ok(timestamp)
}

fn in_window(sent: i64, now: Timestamp) -> Result<(), SignatureError> {
    let off = now.as_second().saturating_sub(sent);
    if off.unsigned_abs() > WINDOW.unsigned_abs() { Err(SignatureError::NotNow(off)) } else { Ok(()) }
}

fn mac(secret: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap_or_else(|_| unreachable!());
    for part in parts {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests;
