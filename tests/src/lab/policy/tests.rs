use std::collections::BTreeMap;

use super::*;

const GUARD: &str = "# What nothing may open.\n\
    drop udp $HOME_NET any -> $EXTERNAL_NET any (msg:\"guard: UDP; all of it\"; sid:9000001; rev:1;)\n";
const GRANT: &str = "pass tls $HOME_NET any -> $EXTERNAL_NET any (ssl_state:client_hello; tls.sni; dotprefix; \
    content:\".github.com\"; nocase; endswith; alert; msg:\"egress grant .github.com\"; \
    metadata:grant req-0123456789ab; flow:to_server, established; sid:1000001; rev:1;)\n";
const LAST_WORD: &str = "reject tls $HOME_NET any -> $EXTERNAL_NET any (msg:\"last word\"; ssl_state:client_hello; sid:9900001; rev:1;)\n\
    drop tcp any any -> any any (msg:\"last word, in silence\"; sid:9900002; rev:1;)\n";

fn policy(groups: Vec<RuleGroup>) -> Policy {
    let default_actions = ["drop", "alert"].map(|verb| format!("aws:{verb}_established_app_layer_to_server"));
    Policy { default_actions: default_actions.into(), groups, ..Policy::default() }
}

fn whole() -> Policy {
    policy(vec![
        RuleGroup::rules("guard", GUARD),
        RuleGroup::rules("grants", GRANT),
        RuleGroup::domains("baseline", ListAction::Allow, &[".kaggle.com", "example.com"]),
        RuleGroup::rules("last word", LAST_WORD),
    ])
}

fn refusal(policy: &Policy) -> String {
    policy.render(1).map(|rendered| rendered.text).expect_err("refused").to_string()
}

#[test]
fn a_whole_policy_becomes_one_file_in_its_order() {
    insta::assert_snapshot!(whole().render(1).unwrap().text);
}

#[test]
fn each_number_leads_back_to_its_rule() {
    let origins = whole().render(200_001).unwrap().origins;
    let grant = origins.get(&200_002).unwrap();
    assert_eq!((grant.group.as_str(), grant.sid, grant.silent), ("grants", 1_000_001, false));
    let silent = origins.get(&200_008).unwrap();
    assert_eq!((silent.group.as_str(), silent.sid, silent.silent), ("last word", 9_900_002, true));
    assert_eq!(origins.values().last().unwrap().group, DEFAULT_ACTION);
}

#[test]
fn a_groups_own_variables_and_the_policys_home_are_put_in() {
    let mut group = RuleGroup::rules(
        "own",
        "drop tcp $HOME_NET any -> !$PARTNERS $PORTS (msg:\"for $5\"; sid:1;)\n\
         drop udp $HOME_NET any -> $EXTERNAL_NET any (sid:2;)",
    );
    group.variables = BTreeMap::from([
        ("PARTNERS".into(), vec!["192.0.2.0/24".into(), "198.51.100.1".into()]),
        ("PORTS".into(), vec!["1024:2048".into(), "443".into()]),
    ]);
    let policy =
        Policy { home_net: Some(vec!["10.0.0.0/8".into()]), groups: vec![group], ..Policy::default() };
    insta::assert_snapshot!(policy.render(1).unwrap().text);
}

#[test]
fn a_reject_before_the_passes_is_a_drop_that_marks_and_a_reset_of_what_is_marked() {
    let guard = "reject ssh $HOME_NET any -> $EXTERNAL_NET any (msg:\"guard: SSH\"; flow:to_server; \
        flowbits:isnotset,refused; flowbits:set,refused; sid:9000012;)\n\
        reject tcp $HOME_NET any -> $EXTERNAL_NET any (msg:\"guard: the rest\"; flowbits:isset,refused; noalert; sid:9000016;)\n\
        drop tcp $EXTERNAL_NET any -> $HOME_NET any (msg:\"guard: answer\"; flow:to_client; sid:9000011;)";
    let rendered = policy(vec![
        RuleGroup::rules("guard", guard),
        RuleGroup::domains("deny", ListAction::Reject, &["gist.github.com"]),
        RuleGroup::rules("grants", GRANT),
        RuleGroup::rules("last word", LAST_WORD),
    ])
    .render(1)
    .unwrap();
    insta::assert_snapshot!(rendered.text);
    // Nothing that resets is logged, so its number need lead nowhere; the drops are the policy's rejects.
    assert_eq!(rendered.origins.len(), 12);
    assert!(!rendered.origins.get(&1).unwrap().silent);
    assert!(rendered.origins.get(&3).unwrap().silent);
}

#[test]
fn each_kind_of_domain_list_has_its_rules() {
    use ListAction::{Alert, Allow, Deny, Reject};
    let texts = [Allow, Deny, Reject, Alert].map(|action| {
        let group = RuleGroup::domains("list", action, &["evil.com", ".evil.org"]);
        Policy { groups: vec![group], ..Policy::default() }.render(1).unwrap().text
    });
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn in_action_order_what_passes_comes_first_wherever_it_stands_and_a_list_drops_the_rest() {
    let order = Order::Action;
    let deny = RuleGroup::domains("deny", ListAction::Deny, &["evil.github.com"]);
    let grants = RuleGroup::rules("grants", GRANT);
    let list = RuleGroup::domains("list", ListAction::Allow, &[".kaggle.com"]);
    let policy = Policy { order, groups: vec![deny, list, grants], ..Policy::default() };
    insta::assert_snapshot!(policy.render(1).unwrap().text);
    let with_default = Policy { order, ..self::policy(Vec::new()) };
    assert_eq!(refusal(&with_default), "default actions need STRICT_ORDER");
}

#[test]
fn default_actions_are_logged_only_with_their_twin() {
    let with = |actions: &[&str]| {
        let default_actions = actions.iter().map(|&action| action.to_owned()).collect();
        Policy { default_actions, ..Policy::default() }.render(1).unwrap().text
    };
    assert_eq!(with(&[]), "");
    let silent = with(&["aws:drop_established_app_layer_to_server"]);
    assert!(silent.lines().skip(1).all(|rule| rule.starts_with("drop") && rule.contains("noalert;")));
    let watching = with(&["aws:alert_established_app_layer_to_server"]);
    assert!(watching.lines().skip(1).all(|rule| rule.starts_with("alert") && !rule.contains("noalert;")));
}

#[test]
fn what_cannot_be_reproduced_is_refused() {
    let later_pass = RuleGroup::rules("later", GRANT);
    let mut groups = whole().groups;
    groups.push(later_pass);
    insta::assert_snapshot!(refusal(&policy(groups)));

    let [first, grants] = ["first", "grants"].map(|name| RuleGroup::rules(name, GRANT));
    let between_passes = vec![first, RuleGroup::rules("between", LAST_WORD), grants];
    assert!(
        refusal(&policy(between_passes))
            .contains("rule 9900001 of between (Reject) comes before a pass rule")
    );

    let urgent = "reject tls any any -> any any (sid:2; priority:1;)";
    let by_priority = vec![RuleGroup::rules("last word", LAST_WORD), RuleGroup::rules("urgent", urgent)];
    assert!(refusal(&policy(by_priority)).contains("rule 2 of urgent has priority 1"));

    let strict = Policy { default_actions: vec!["aws:drop_strict".into()], ..Policy::default() };
    assert_eq!(refusal(&strict), "the default action `aws:drop_strict` is not one that the lab knows");
}

#[test]
fn what_network_firewall_refuses_is_refused() {
    let refused = |rule: &str| {
        let policy = Policy { groups: vec![RuleGroup::rules("group", rule)], ..Policy::default() };
        format!("{:#}", policy.render(1).expect_err("refused"))
    };
    assert_eq!(
        refused("reject udp any any -> any any (sid:1;)"),
        "rule group group, line 1: udp reject is not supported"
    );
    assert_eq!(
        refused("\npass tls any any -> any any (msg:\"sid:1;\";)"),
        "rule group group, line 2: sid not assigned"
    );
    assert_eq!(
        refused("pass tls $NOWHERE any -> any any (sid:1;)"),
        "rule group group, line 1: the variable $NOWHERE is defined nowhere"
    );
}
