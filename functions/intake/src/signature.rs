//! Who sent something, and when: `x-egress-signature: v1=<hex>`, an HMAC-SHA256 over
//! `{x-egress-timestamp}.{x-egress-delivery}.{body}`, the body as it came over the wire; of Slack
//! `x-slack-signature: v0=<hex>` over `v0:{x-slack-request-timestamp}:{body}`.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use lambda_http::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::secrets::Secrets;

/// How far a sender's clock may be off, and for how long a webhook can be sent again, in seconds.
const WINDOW: i64 = 300;

/// The header with the id of a webhook's delivery.
const DELIVERY: &str = "x-egress-delivery";

/// The longest id of a delivery.
const LONGEST_DELIVERY: usize = 128;

/// What was signed, and the signature; not proved yet.
#[derive(Debug)]
pub struct Signed<'a> {
    parts: [&'a [u8]; 5],
    signature: Vec<u8>,
}

/// Why there is nothing to be proved. For the log: the sender hears nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No such header, or not a text.
    #[error("the header {0} is missing")]
    Missing(&'static str),
    /// Not a number of seconds.
    #[error("the header {0} is not a number of seconds")]
    NotATime(&'static str),
    /// Sent again later, or a wrong clock.
    #[error("the timestamp is {0} seconds off: the webhook is old, or a clock is wrong")]
    NotNow(i64),
    /// Another version, or no hexadecimal digits.
    #[error("the header {0} is not {1}= and hexadecimal digits")]
    Form(&'static str, &'static str),
}

/// An id of a delivery that can't be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header x-egress-delivery must be 1 to {LONGEST_DELIVERY} letters, digits and . _ : -")]
pub struct NotADelivery;

impl<'a> Signed<'a> {
    /// Reads the headers of a webhook, and refuses what was not sent now.
    pub fn webhook(headers: &'a HeaderMap, body: &'a [u8], now: Timestamp) -> Result<Self, SignatureError> {
        let timestamp = sent_now(headers, "x-egress-timestamp", now)?;
        let delivery = header(headers, DELIVERY)?;
        let signature = digits(headers, "x-egress-signature", "v1")?;
        Ok(Self { parts: [timestamp.as_bytes(), b".", delivery.as_bytes(), b".", body], signature })
    }

    /// The same of what Slack sends (<https://docs.slack.dev/authentication/verifying-requests-from-slack>).
    pub fn slack(headers: &'a HeaderMap, body: &'a [u8], now: Timestamp) -> Result<Self, SignatureError> {
        let timestamp = sent_now(headers, "x-slack-request-timestamp", now)?;
        let signature = digits(headers, "x-slack-signature", "v0")?;
        Ok(Self { parts: [b"v0", b":", timestamp.as_bytes(), b":", body], signature })
    }

    /// Whether one of the secrets that are good now signed this. Takes the same time whatever part of it is
    /// wrong.
    pub fn is_by(&self, secrets: &Secrets, now: Timestamp) -> bool {
        secrets.good(now).any(|secret| mac(secret, &self.parts).verify_slice(&self.signature).is_ok())
    }
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

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, SignatureError> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or(SignatureError::Missing(name))
}

/// The timestamp, if it is one of now.
fn sent_now<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
    now: Timestamp,
) -> Result<&'a str, SignatureError> {
    let timestamp = header(headers, name)?;
    let sent: i64 = timestamp.parse().map_err(|_| SignatureError::NotATime(name))?;
    let off = now.as_second().saturating_sub(sent);
    if off.unsigned_abs() > WINDOW.unsigned_abs() {
        return Err(SignatureError::NotNow(off));
    }
    Ok(timestamp)
}

/// The signature behind its version.
fn digits(headers: &HeaderMap, name: &'static str, version: &'static str) -> Result<Vec<u8>, SignatureError> {
    let digits = header(headers, name)?.strip_prefix(version).and_then(|rest| rest.strip_prefix('='));
    digits.and_then(|digits| hex::decode(digits).ok()).ok_or(SignatureError::Form(name, version))
}

fn mac(secret: &SecretString, parts: &[&[u8]]) -> Hmac<Sha256> {
    // HMAC takes a key of any length.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).unwrap_or_else(|_| unreachable!());
    for part in parts {
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
        Signed::webhook(headers, body.as_bytes(), now).is_ok_and(|signed| signed.is_by(secrets, now))
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
            Signed::webhook(&headers, b"", Timestamp::from_second(NOW).unwrap()).map(drop)
        };
        assert_eq!([read(NOW - 300), read(NOW + 300)], [Ok(()), Ok(())]);
        assert_eq!(read(NOW - 301), Err(SignatureError::NotNow(301)));
        assert_eq!(read(NOW + 301), Err(SignatureError::NotNow(-301)));
        assert_eq!(read(i64::MIN), Err(SignatureError::NotNow(i64::MAX)));
    }

    #[test]
    fn headers_that_are_missing_or_malformed_prove_nothing() {
        let now = Timestamp::from_second(NOW).unwrap();
        let error = |headers: &HeaderMap| Signed::webhook(headers, b"", now).unwrap_err();
        let mut missing = good();
        missing.remove("x-egress-delivery");
        assert_eq!(error(&missing), SignatureError::Missing("x-egress-delivery"));
        assert_eq!(error(&headers("today", "d", "v1=00")), SignatureError::NotATime("x-egress-timestamp"));
        for signature in ["", "00", "v0=00", "v1=0", "v1=xy"] {
            assert_eq!(
                error(&headers(&NOW.to_string(), "d", signature)),
                SignatureError::Form("x-egress-signature", "v1"),
                "{signature}"
            );
        }
        assert!(!is_proved(&headers(&NOW.to_string(), "d", "v1="), "", &secrets("a secret", None)));
    }

    #[test]
    fn a_delivery_is_a_short_plain_id() {
        let delivery = |id: &str| {
            let headers = headers(&NOW.to_string(), id, "v1=00");
            super::delivery(&headers).map(ToOwned::to_owned)
        };
        assert_eq!(delivery("jira:4711._-").as_deref(), Ok("jira:4711._-"));
        for id in ["", "a b", "a/b", &"x".repeat(129)] {
            assert_eq!(delivery(id), Err(NotADelivery), "{id}");
        }
    }

    /// The example of Slack's documentation.
    const SLACK_BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SLACK_SIGNATURE: &str = "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn is_slacks(body: &str, signature: &str, seconds_later: i64) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("x-slack-request-timestamp", "1531420618".parse().unwrap());
        headers.insert("x-slack-signature", signature.parse().unwrap());
        let now = Timestamp::from_second(1_531_420_618 + seconds_later).unwrap();
        let secrets = secrets("8f742231b10e8888abcd99yyyzzz85a5", None);
        Signed::slack(&headers, body.as_bytes(), now).is_ok_and(|signed| signed.is_by(&secrets, now))
    }

    #[test]
    fn slacks_own_example_is_good_for_five_minutes_and_nothing_like_it() {
        let good = format!("v0={SLACK_SIGNATURE}");
        assert!(is_slacks(SLACK_BODY, &good, 0) && is_slacks(SLACK_BODY, &good, 300));
        assert!(!is_slacks(SLACK_BODY, &good, 301) && !is_slacks(SLACK_BODY, &good, -301));
        assert!(!is_slacks(&SLACK_BODY.replace("%2F", "/"), &good, 0), "the body is signed as it came");
        assert!(!is_slacks(SLACK_BODY, &format!("v1={SLACK_SIGNATURE}"), 0));
        assert!(!is_slacks(SLACK_BODY, &good[..good.len() - 2], 0));
    }

    proptest! {
        #[test]
        fn one_wrong_bit_is_enough(bit in 0_usize..256) {
            let mut signature = hex::decode(SIGNATURE).unwrap();
            signature[bit / 8] ^= 1 << (bit % 8);
            let headers = headers("1767225600", "jira:4711", &format!("v1={}", hex::encode(signature)));
            prop_assert!(!is_proved(&headers, BODY, &secrets("a secret", None)));
            let mut signature = hex::decode(SLACK_SIGNATURE).unwrap();
            signature[bit / 8] ^= 1 << (bit % 8);
            let signature = format!("v0={}", hex::encode(signature));
            prop_assert!(!is_slacks(SLACK_BODY, &signature, 0));
        }
    }
}
