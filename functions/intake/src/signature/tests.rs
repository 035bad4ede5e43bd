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
    let header =
        |(name, value): (&str, &str)| (format!("x-egress-{name}").parse().unwrap(), value.parse().unwrap());
    named.into_iter().map(header).collect()
}

fn is_proved(headers: &HeaderMap, body: &str, secrets: &Secrets) -> bool {
    let now = Timestamp::from_second(NOW).unwrap();
    Claim::webhook(headers, body.as_bytes(), now).is_ok_and(|claim| claim.is_by(secrets, now))
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
        Claim::webhook(&headers, b"", Timestamp::from_second(NOW).unwrap()).map(drop)
    };
    assert_eq!([read(NOW - 300), read(NOW + 300)], [Ok(()), Ok(())]);
    assert_eq!(read(NOW - 301), Err(SignatureError::NotNow(301)));
    assert_eq!(read(NOW + 301), Err(SignatureError::NotNow(-301)));
    assert_eq!(read(i64::MIN), Err(SignatureError::NotNow(i64::MAX)));
}

#[test]
fn headers_that_are_missing_or_malformed_prove_nothing() {
    let now = Timestamp::from_second(NOW).unwrap();
    let error = |headers: &HeaderMap| Claim::webhook(headers, b"", now).unwrap_err();
    let mut missing = good();
    missing.remove("x-egress-delivery");
    assert_eq!(error(&missing), SignatureError::Missing("x-egress-delivery".to_owned()));
    assert_eq!(error(&headers("today", "d", "v1=00")), SignatureError::NotATime("x-egress-timestamp"));
    for signature in ["", "00", "v0=00", "v1=0", "v1=xy"] {
        assert_eq!(
            error(&headers(&NOW.to_string(), "d", signature)),
            SignatureError::Form("x-egress-signature".to_owned(), "v1=".to_owned()),
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
    Claim::slack(&headers, body.as_bytes(), now).is_ok_and(|claim| claim.is_by(&secrets, now))
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

/// GitHub's and Jira's own examples
/// (<https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries>,
/// <https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks>).
const PUBLISHED: &str = "It's a Secret to Everybody";
const GITHUB: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
const JIRA: &str = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9";

fn hmac(header: &str, prefix: &str, encoding: Encoding) -> Proof {
    Proof::Hmac { header: header.to_owned(), prefix: prefix.to_owned(), encoding }
}

/// Whether a header proves a body to an adapter; why not, where that is seen at once.
fn proves(proof: &Proof, header: (&str, &str), body: &str, secret: &str) -> Result<bool, SignatureError> {
    let (name, value) = header;
    let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
    let claim = Claim::adapter(proof, &headers, body.as_bytes())?;
    Ok(claim.is_by(&secrets(secret, None), Timestamp::from_second(NOW).unwrap()))
}

#[test]
fn the_examples_of_github_and_jira_are_good_and_nothing_like_them() {
    let github = hmac("x-hub-signature-256", "sha256=", Encoding::Hex);
    let is_githubs =
        |value: &str, body: &str| proves(&github, ("X-Hub-Signature-256", value), body, PUBLISHED);
    assert_eq!(is_githubs(GITHUB, "Hello, World!"), Ok(true));
    let in_capitals = format!("sha256={}", GITHUB[7..].to_uppercase());
    assert_eq!(is_githubs(&in_capitals, "Hello, World!"), Ok(true));
    assert_eq!(is_githubs(GITHUB, "Hello, World"), Ok(false));
    assert_eq!(is_githubs(JIRA, "Hello, World!"), Ok(false));
    let jira = hmac("x-hub-signature", "sha256=", Encoding::Hex);
    let is_jiras = |value: &str, body: &str| proves(&jira, ("x-hub-signature", value), body, PUBLISHED);
    assert_eq!(is_jiras(JIRA, "Hello World!"), Ok(true));
    assert_eq!(is_jiras("sha256=", "Hello World!"), Ok(false));
}

#[test]
fn jira_names_the_method_and_another_one_is_refused() {
    let jira = hmac("x-hub-signature", "sha256=", Encoding::Hex);
    for value in [
        &JIRA.replace("sha256", "sha1"),
        &JIRA.replace("sha256", "SHA256"),
        &JIRA[7..],
        "",
        "none=",
        "sha256=xy",
    ] {
        let error = proves(&jira, ("x-hub-signature", value), "Hello World!", PUBLISHED).unwrap_err();
        assert_eq!(
            error,
            SignatureError::Form("x-hub-signature".to_owned(), "sha256=".to_owned()),
            "{value}"
        );
    }
}

#[test]
fn a_key_is_the_whole_secret_and_nothing_else() {
    let key = |prefix: &str| Proof::Key { header: "authorization".to_owned(), prefix: prefix.to_owned() };
    let is_key = |value| proves(&key("Bearer "), ("authorization", value), "{}", "a secret");
    assert_eq!(is_key("Bearer a secret"), Ok(true));
    for value in ["Bearer a secre", "Bearer a secrets", "Bearer A secret", "Bearer ", "Bearer a secret "] {
        assert_eq!(is_key(value), Ok(false), "{value}");
    }
    assert!(is_key("a secret").is_err() && is_key("bearer a secret").is_err());
    assert_eq!(proves(&key(""), ("authorization", "a secret"), "{}", "a secret"), Ok(true));
}

/// `printf '%s' "$BODY" | openssl dgst -sha256 -mac HMAC -macopt hexkey:00010203 -binary | base64`
const TEAMS_BODY: &str = r#"{"type":"message","text":"<at>Egress</at> list"}"#;
const TEAMS_SIGNATURE: &str = "WkKxQYGnF2tgVu5MNCHYlSDUrIDy9Vmh9wHSTeARboU=";

fn is_teams(value: &str, body: &str, secret: &str) -> Result<bool, SignatureError> {
    let headers = HeaderMap::from_iter([("authorization".parse().unwrap(), value.parse().unwrap())]);
    let claim = Claim::teams(&headers, body.as_bytes())?;
    Ok(claim.is_by(&secrets(secret, None), Timestamp::from_second(NOW).unwrap()))
}

#[test]
fn teams_signs_with_what_its_token_is_in_base_64() {
    let good = format!("HMAC {TEAMS_SIGNATURE}");
    assert_eq!(is_teams(&good, TEAMS_BODY, "AAECAw=="), Ok(true));
    assert_eq!(is_teams(&good, TEAMS_BODY, "AAECBA=="), Ok(false));
    assert_eq!(is_teams(&good, &TEAMS_BODY.replace(':', ": "), "AAECAw=="), Ok(false));
    for value in [TEAMS_SIGNATURE, "HMAC x", "Bearer x", &good.replace('=', "")] {
        assert!(is_teams(value, TEAMS_BODY, "AAECAw==").is_err(), "{value}");
    }
}

#[test]
fn a_token_that_is_none_proves_nothing() {
    let headers = HeaderMap::from_iter([("authorization".parse().unwrap(), "HMAC AAAA".parse().unwrap())]);
    for token in ["not base 64", " ", "===="] {
        let claim = Claim::teams(&headers, b"{}").unwrap();
        assert!(!claim.is_by(&secrets(token, None), Timestamp::from_second(NOW).unwrap()), "{token}");
    }
}

/// A signature, one bit of it wrong.
fn flipped(signature: &str, bit: usize) -> String {
    let mut signature = hex::decode(signature).unwrap();
    signature[bit / 8] ^= 1 << (bit % 8);
    hex::encode(signature)
}

proptest! {
    #[test]
    fn one_wrong_bit_is_enough(bit in 0_usize..256) {
        let wrong = headers("1767225600", "jira:4711", &format!("v1={}", flipped(SIGNATURE, bit)));
        prop_assert!(!is_proved(&wrong, BODY, &secrets("a secret", None)));
        let wrong = format!("v0={}", flipped(SLACK_SIGNATURE, bit));
        prop_assert!(!is_slacks(SLACK_BODY, &wrong, 0));
        let github = hmac("x-hub-signature-256", "sha256=", Encoding::Hex);
        let wrong = format!("sha256={}", flipped(&GITHUB[7..], bit));
        prop_assert_eq!(proves(&github, ("x-hub-signature-256", &wrong), "Hello, World!", PUBLISHED), Ok(false));
        let signature = hex::encode(BASE64.decode(TEAMS_SIGNATURE).unwrap());
        let wrong = BASE64.encode(hex::decode(flipped(&signature, bit)).unwrap());
        prop_assert_eq!(is_teams(&format!("HMAC {wrong}"), TEAMS_BODY, "AAECAw=="), Ok(false));
    }

    #[test]
    fn fuzz_no_header_is_too_strange(value in "[ -~]{0,80}", behind in "[0-9a-fA-F+/=]{0,80}") {
        for value in [value, format!("sha256={behind}"), format!("HMAC {behind}"), format!("v0={behind}")] {
            for encoding in [Encoding::Hex, Encoding::Base64] {
                let proof = hmac("x-hub-signature", "sha256=", encoding);
                prop_assert_ne!(proves(&proof, ("x-hub-signature", &value), "{}", "a secret"), Ok(true));
            }
            prop_assert_ne!(is_teams(&value, "{}", "AAECAw=="), Ok(true));
            prop_assert!(!is_slacks(SLACK_BODY, &value, 0));
        }
    }
}
