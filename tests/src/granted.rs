//! The rules of grants as the functions write them, for tests that hold them against Suricata.

use std::collections::BTreeMap;

use egress::domain::DomainPattern;
use egress::firewall::{Content, RuleGroup, Settings, UpdateToken};
use egress::request::{LiveGrant, RequestId};
use egress::rules;
use jiff::Timestamp;

/// The text of a rule group in which one grant lets these patterns pass; nothing where there is no text.
pub fn rules_for(request_id: RequestId, domains: Vec<DomainPattern>) -> Option<String> {
    let group = RuleGroup {
        arn: "arn:aws:network-firewall:us-east-1:000000000000:stateful-rulegroup/grants".to_owned(),
        token: UpdateToken("00000000-0000-4000-8000-000000000000".to_owned()),
        content: Content::Rules(rules::no_grants()),
        settings: Settings::default(),
        capacity: 30_000,
        consumed: 1,
        changed_at: None,
    };
    let grant = LiveGrant {
        request_id,
        requester: "alice".to_owned(),
        domains,
        approved_at: Timestamp::UNIX_EPOCH,
        ends_at: Timestamp::MAX,
        active: true,
        used: false,
        waits: false,
        extends: None,
    };
    let plan = rules::plan(&[group], &[grant], &BTreeMap::new(), &BTreeMap::new());
    match plan.groups.into_iter().next()?.content {
        Content::Rules(text) => Some(text),
        Content::DomainList(_) => None,
    }
}
