//! An alert as a finding of Security Hub, in the AWS Security Finding Format (ASFF). Names and limits are those of
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html>.
//!
//! What is said is what is known: a connection was blocked, and which of our rules finds it unusual. So the types are
//! of the namespace `Unusual Behaviors`; `TTPs` would say that somebody attacks.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use egress::events::{FindingRule, Severity, TrafficBlocked};
use egress::owner::Owner;
use egress::text::visible;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The longest title, description and text of a remedy, in characters.
const LONGEST_TITLE: usize = 256;
const LONGEST_DESCRIPTION: usize = 1_024;
const LONGEST_REMEDY: usize = 512;
/// The longest value in the details of a resource, in characters: fewer than 1,024.
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-resourcedetails-other.html>
const LONGEST_DETAIL: usize = 1_023;
/// The longest domain and protocol in the block on the network, in characters.
const LONGEST_DOMAIN: usize = 128;
const LONGEST_PROTOCOL: usize = 16;

/// The product under which an account's own findings stand, and by it the account and the Region:
/// `arn:aws:securityhub:eu-west-1:123456789012:product/123456789012/default`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    arn: String,
    region: String,
    account: String,
}

/// It is no such ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the ARN of Security Hub's default product, such as \
     arn:aws:securityhub:eu-west-1:123456789012:product/123456789012/default"
)]
pub struct NoProduct(String);

impl FromStr for Product {
    type Err = NoProduct;

    fn from_str(arn: &str) -> Result<Self, NoProduct> {
        let parts: Vec<&str> = arn.split(':').collect();
        match parts.as_slice() {
            ["arn", _, "securityhub", region, account, product]
                if *product == format!("product/{account}/default") =>
            {
                let [arn, region, account] = [arn, region, account].map(str::to_owned);
                Ok(Self { arn, region, account })
            }
            _ => Err(NoProduct(arn.to_owned())),
        }
    }
}

/// The finding of an alert of this project. It is the same for every delivery of the alert, and so changes nothing when
/// it is imported again.
pub fn finding(alert: &TrafficBlocked, product: &Product, project: &str) -> Value {
    let (label, original) = match alert.severity {
        Severity::Normal => ("LOW", "normal"),
        Severity::Raised => ("MEDIUM", "raised"),
    };
    let kinds: Vec<Kind> = alert.findings.iter().map(|finding| Kind::of(finding.rule)).collect();
    let generator = kinds.first().map_or("not-allowed", |kind| kind.generator);
    let types: Vec<&str> = kinds.iter().map(|kind| kind.r#type).collect();
    let types = if types.is_empty() { vec!["Unusual Behaviors/Network Flow/NotAllowed"] } else { types };
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("studio-egress/{project}/{}", alert.event_id),
        "ProductArn": product.arn,
        "ProductName": "Studio Egress",
        "GeneratorId": format!("studio-egress/{generator}"),
        "AwsAccountId": product.account,
        "CreatedAt": at(alert.first_seen),
        "UpdatedAt": at(alert.last_seen),
        "FirstObservedAt": at(alert.first_seen),
        "LastObservedAt": at(alert.last_seen),
        // Who investigates may set a severity and types of their own: so the provider's stand here.
        "FindingProviderFields": {"Severity": {"Label": label, "Original": original}, "Types": types},
        "Title": cut(&format!("{} was blocked at {}", owner(alert), alert.domain), LONGEST_TITLE),
        "Description": cut(&description(alert), LONGEST_DESCRIPTION),
        "Remediation": {"Recommendation": {"Text": cut(&remedy(alert), LONGEST_REMEDY)}},
        "ProductFields": product_fields(alert, project),
        "Resources": [resource(alert, product)],
        "Network": network(alert),
        "Action": action(alert),
        "RecordState": "ACTIVE",
    })
}

/// What a rule that raises an alert is called in Security Hub.
struct Kind {
    generator: &'static str,
    r#type: &'static str,
}

impl Kind {
    fn of(rule: FindingRule) -> Self {
        let (generator, r#type) = match rule {
            FindingRule::ManyNames => ("many-names", "Unusual Behaviors/Network Flow/ManyNames"),
            FindingRule::SharedHosting => ("shared-hosting", "Unusual Behaviors/Network Flow/SharedHosting"),
            FindingRule::BareAddress => ("bare-address", "Unusual Behaviors/IP address/BareAddress"),
        };
        Self { generator, r#type }
    }
}

/// Whose connection it was; an address where that isn't known.
fn owner(alert: &TrafficBlocked) -> String {
    match &alert.owner {
        Owner::Unknown { .. } => alert.source.clone(),
        owner => owner.to_string(),
    }
}

fn description(alert: &TrafficBlocked) -> String {
    let TrafficBlocked { count, source, destination, protocol, .. } = alert;
    let others = match alert.destination_count {
        0 | 1 => String::new(),
        all => format!(" and {} other destinations", all - 1),
    };
    let (first, last) = (at(alert.first_seen), at(alert.last_seen));
    let told = format!(
        "Connections ({protocol}) from {source} to {destination}{others}: at least {count}, from {first} to {last}. \
         The firewall blocked them."
    );
    let findings = alert.findings.iter().map(|finding| finding.text.as_str());
    std::iter::once(told.as_str()).chain(findings).collect::<Vec<_>>().join(" ")
}

/// What to do.
fn remedy(alert: &TrafficBlocked) -> String {
    let mut sentences = vec!["Find out what on that machine asks for it.".to_owned()];
    sentences.extend(alert.suggestion.as_ref().map(|suggestion| match &suggestion.preset {
        None => format!("If work needs it, ask for {}.", suggestion.pattern),
        Some(preset) => {
            format!("If work needs it, ask for the preset {preset}, which has {}.", suggestion.pattern)
        }
    }));
    sentences.extend(alert.notes.iter().cloned());
    sentences.join(" ")
}

/// What of the alert has no place in the format.
fn product_fields(alert: &TrafficBlocked, project: &str) -> Value {
    let fields = [
        ("project", project.to_owned()),
        ("event-id", alert.event_id.clone()),
        ("connections", alert.count.to_string()),
        ("destinations", alert.destination_count.to_string()),
        ("is-new", alert.is_new.to_string()),
        ("firewall", alert.firewall.clone()),
        ("availability-zone", alert.availability_zone.clone()),
        ("rule", alert.signature.clone()),
    ];
    texts(fields.map(|(name, text)| (format!("studio-egress/{name}"), text)))
}

/// Who was blocked. Studio's people are no resource that the format knows.
fn resource(alert: &TrafficBlocked, product: &Product) -> Value {
    let source = alert.source.parse::<IpAddr>();
    let id = source.map_or_else(|_| alert.source.clone(), |source| alert.owner.key(source));
    let details = [
        ("Owner", alert.owner.to_string()),
        ("Source", alert.source.clone()),
        ("Domain", alert.domain.clone()),
        ("Destination", alert.destination.clone()),
        ("OtherDestinations", alert.others.join(" ")),
    ];
    let details = texts(details.map(|(name, text)| (name.to_owned(), text)));
    json!({"Type": "Other", "Id": id, "Region": product.region, "Details": {"Other": details}})
}

fn network(alert: &TrafficBlocked) -> Value {
    let mut network = Map::from_iter([
        ("Direction".to_owned(), json!("OUT")),
        ("Protocol".to_owned(), json!(protocol(alert))),
    ]);
    let address = |side: &str, address: IpAddr| {
        let version = if address.is_ipv4() { "V4" } else { "V6" };
        (format!("{side}Ip{version}"), json!(address))
    };
    network.extend(alert.source.parse().ok().map(|source| address("Source", source)));
    match destination(alert) {
        Some(destination) => network.extend([address("Destination", destination)]),
        // A name that is cut is another name.
        None if alert.destination.len() <= LONGEST_DOMAIN => {
            network.extend([("DestinationDomain".to_owned(), json!(alert.destination))]);
        }
        None => {}
    }
    network.extend(alert.port.map(|port| ("DestinationPort".to_owned(), json!(port))));
    Value::Object(network)
}

fn action(alert: &TrafficBlocked) -> Value {
    let mut action = Map::from_iter([
        ("ConnectionDirection".to_owned(), json!("OUTBOUND")),
        ("Protocol".to_owned(), json!(protocol(alert))),
        ("Blocked".to_owned(), json!(true)),
    ]);
    action.extend(alert.port.map(|port| ("RemotePortDetails".to_owned(), json!({"Port": port}))));
    let remote = destination(alert).filter(IpAddr::is_ipv4);
    action.extend(remote.map(|remote| ("RemoteIpDetails".to_owned(), json!({"IpAddressV4": remote}))));
    json!({"ActionType": "NETWORK_CONNECTION", "NetworkConnectionAction": action})
}

/// The address that was gone to, where no name was asked for.
fn destination(alert: &TrafficBlocked) -> Option<IpAddr> {
    let destination = &alert.destination;
    let socket = destination.parse().map(|socket: SocketAddr| socket.ip());
    socket.or_else(|_| destination.parse()).ok()
}

fn protocol(alert: &TrafficBlocked) -> String {
    alert.protocol.chars().flat_map(char::to_uppercase).take(LONGEST_PROTOCOL).collect()
}

/// A map of texts, without those that are empty: the format has none.
fn texts(texts: impl IntoIterator<Item = (String, String)>) -> Value {
    let some = texts.into_iter().filter(|(_, text)| !text.trim().is_empty());
    some.map(|(name, text)| (name, json!(cut(&text, LONGEST_DETAIL)))).collect::<Map<_, _>>().into()
}

/// A text as people can be shown it, cut to so many characters.
fn cut(text: &str, longest: usize) -> String {
    visible(text, longest.saturating_sub(1))
}

/// A time as the format has it, to the millisecond.
fn at(time: Timestamp) -> String {
    format!("{time:.3}")
}
