//! Who sent a webhook, and when: `x-egress-signature: v1=<hex>`, an HMAC-SHA256 over
//! `{x-egress-timestamp}.{x-egress-delivery}.{body}`, the body as it came over the wire.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use lambda_http::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::secrets::Secrets;

/// How far a sender's clock may be off, and for how long a webhook can be sent again, in seconds.
const WINDOW: i64 = 300;

/// The longest id of a delivery.
const LONGEST_DELIVERY: usize = 128;

/// A webhook with what it says of its proof; not proved yet.
#[derive(Debug)]
pub struct Signed<'a> {
    timestamp: &'a str,
    delivery: &'a str,
    body: &'a [u8],
    signature: Vec<u8>,
}

/// Why there is nothing to be proved. For the log: the sender hears nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No such header, or not a text.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// Not a number of seconds.
    #[error("the header x-egress-timestamp is not a number of seconds")]
    NotATime,
    /// Sent again later, or a wrong clock.
    #[error("the timestamp is {0} seconds off: the webhook is old, or a clock is wrong")]
    NotNow(i64),
    /// Another version, or no hexadecimal digits.
    #[error("the header x-egress-signature is not v1= and hexadecimal digits")]
    Form,
}

/// An id of a delivery that can't be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header x-egress-delivery must be 1 to {LONGEST_DELIVERY} letters, digits and . _ : -")]
pub struct NotADelivery;

impl<'a> Signed<'a> {
    /// Reads the headers, and refuses what was not sent now.
    pub fn read(headers: &'a HeaderMap, body: &'a [u8], now: Timestamp) -> Result<Self, SignatureError> {
        let header = |name: &'static str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.ok_or(SignatureError::Missing(name))
        };
        let timestamp = header("x-egress-timestamp")?;
        let delivery = header("x-egress-delivery")?;
        let signature = header("x-egress-signature")?;
        let sent: i64 = timestamp.parse().map_err(|_| SignatureError::NotATime)?;
        let off = now.as_second().saturating_sub(sent);
        if off.unsigned_abs() > WINDOW.unsigned_abs() {
            return Err(SignatureError::NotNow(off));
        }
        let digits = signature.strip_prefix("v1=").ok_or(SignatureError::Form)?;
        let signature = hex::decode(digits).map_err(|_| SignatureError::Form)?;
        Ok(Self { timestamp, delivery, body, signature })
    }

    /// Whether one of the secrets that are good now signed this. Takes the same time whatever part of it is
    /// wrong.
    pub fn is_by(&self, secrets: &Secrets, now: Timestamp) -> bool {
        secrets.good(now).any(|secret| {
            mac(secret, self.timestamp, self.delivery, self.body).verify_slice(&self.signature).is_ok()
        })
    }

    /// The id of the delivery, the same when it is sent again.
    pub fn delivery(&self) -> Result<&'a str, NotADelivery> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        let length = 1..=LONGEST_DELIVERY;
        if length.contains(&self.delivery.len()) && self.delivery.bytes().all(allowed) {
            Ok(self.delivery)
        } else {
            Err(NotADelivery)
        }
    }
}

fn mac(secret: &SecretString, timestamp: &str, delivery: &str, body: &[u8]) -> Hmac<Sha256> {
    // HMAC takes a key of any length.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).unwrap_or_else(|_| unreachable!());
    for part in [timestamp.as_bytes(), b".", delivery.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secrets::Previous;

    const NOW: i64 = 1_767_225_600;
    const BODY: &str = r#"{"action": "request", "requester": "älice"}"#;
    /// `printf '%s' "1767225600.jira:4711.$BODY" | openssl dgst -sha256 -hmac 'a secret'`
    const SIGNATURE: &str = "ea37969c6374b1ad4768771b26044ed06f7fbae260f08b29d830a4c11f831302";

    fn secrets(current: &str, previous: Option<&str>) -> Secrets {
        let replaced_at = Timestamp::from_second(NOW).unwrap();
        let previous = previous.map(|secret| Previous { secret: secret.into(), replaced_at });
        Secrets { current: current.into(), previous }
    }

    fn headers(timestamp: &str, delivery: &str, signature: &str) -> HeaderMap {
        let named = [("timestamp", timestamp), ("delivery", delivery), ("signature", signature)];
        let header = |(name, value): (&str, &str)| {
            (format!("x-egress-{name}").parse().unwrap(), value.parse().unwrap())
        };
        named.into_iter().map(header).collect()
    }

    fn is_proved(headers: &HeaderMap, body: &str, secrets: &Secrets) -> bool {
        let now = Timestamp::from_second(NOW).unwrap();
        Signed::read(headers, body.as_bytes(), now).is_ok_and(|signed| signed.is_by(secrets, now))
    }

    fn good() -> HeaderMap {
        headers("1767225600", "jira:4711", &format!("v1={SIGNATURE}"))
    }

    #[test]
    fn a_signature_made_elsewhere_is_good_and_so_is_one_of_the_previous_secret() {
        assert!(is_proved(&good(), BODY, &secrets("a secret", None)));
        assert!(is_proved(&good(), BODY, &secrets("a newer one", Some("a secret"))));
        assert!(!is_proved(&good(), BODY, &secrets("a newer one", None)));
    }

    #[test]
    fn the_body_is_signed_byte_for_byte() {
        let encoded_again = serde_json::from_str::<serde_json::Value>(BODY).unwrap().to_string();
        assert!(!is_proved(&good(), &encoded_again, &secrets("a secret", None)));
    }

    #[test]
    fn what_is_signed_cant_be_moved_between_its_parts() {
        let headers = headers("1767225600", "jira", &format!("v1={SIGNATURE}"));
        assert!(!is_proved(&headers, &format!(":4711.{BODY}"), &secrets("a secret", None)));
    }

    #[test]
    fn only_what_was_sent_within_five_minutes_is_looked_at() {
        let read = |timestamp: i64| {
            let headers = headers(&timestamp.to_string(), "d", "v1=00");
            Signed::read(&headers, b"", Timestamp::from_second(NOW).unwrap()).map(drop)
        };
        assert_eq!([read(NOW - 300), read(NOW + 300)], [Ok(()), Ok(())]);
        assert_eq!(read(NOW - 301), Err(SignatureError::NotNow(301)));
        assert_eq!(read(NOW + 301), Err(SignatureError::NotNow(-301)));
        assert_eq!(read(i64::MIN), Err(SignatureError::NotNow(i64::MAX)));
    }

    #[test]
    fn headers_that_are_missing_or_malformed_prove_nothing() {
        let now = Timestamp::from_second(NOW).unwrap();
        let error = |headers: &HeaderMap| Signed::read(headers, b"", now).unwrap_err();
        let mut missing = good();
        missing.remove("x-egress-delivery");
        assert_eq!(error(&missing), SignatureError::Missing("x-egress-delivery"));
        assert_eq!(error(&headers("today", "d", "v1=00")), SignatureError::NotATime);
        for signature in ["", "00", "v0=00", "v1=0", "v1=xy"] {
            assert_eq!(
                error(&headers(&NOW.to_string(), "d", signature)),
                SignatureError::Form,
                "{signature}"
            );
        }
        assert!(!is_proved(&headers(&NOW.to_string(), "d", "v1="), "", &secrets("a secret", None)));
    }

    #[test]
    fn a_delivery_is_a_short_plain_id() {
        let now = Timestamp::from_second(NOW).unwrap();
        let delivery = |id: &str| {
            let headers = headers(&NOW.to_string(), id, "v1=00");
            Signed::read(&headers, b"", now).unwrap().delivery().map(ToOwned::to_owned)
        };
        assert_eq!(delivery("jira:4711._-").as_deref(), Ok("jira:4711._-"));
        for id in ["", "a b", "a/b", &"x".repeat(129)] {
            assert_eq!(delivery(id), Err(NotADelivery), "{id}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_bit_is_enough(bit in 0_usize..256) {
            let mut signature = hex::decode(SIGNATURE).unwrap();
            signature[bit / 8] ^= 1 << (bit % 8);
            let headers = headers("1767225600", "jira:4711", &format!("v1={}", hex::encode(signature)));
            prop_assert!(!is_proved(&headers, BODY, &secrets("a secret", None)));
        }
    }
}
