//! The policy that is shipped, in a table: who does what to which request, and what it says.

use std::sync::LazyLock;

use egress::config::{Config, same_spelling};
use egress::policy::Action::{
    Approve, AutoApprove, BreakGlass, Deny, Extend, Grant, Request as Ask, Revoke, Withdraw,
};
use egress::policy::{Action, Policy, Verdict};
use egress::request::Request;
use proptest::prelude::*;

use super::*;

const SHIPPED: &str = include_str!("../../../infra/config/policy.cedar");

fn shipped() -> Policy {
    Policy::parse(SHIPPED).unwrap()
}

/// 20 characters.
const REASON: &str = "the build is broken.";

const OWN: &str = "nobody decides about an own request: somebody else has to";
const OFTEN: &str = "it has been extended three times: ask for it anew, so that it is looked at anew";
const DENIED: &str = "one of the domains is on the deny list";
const SUFFIX: &str =
    "one of the domains opens names that anybody can register: ask for the one name that is needed";
const UPLOAD: &str =
    "one of the domains is, or opens, a place where anybody can upload, so that data could leave by it";
const LONG: &str = "a grant lasts at most 30 days: ask for less, and extend it when it is needed for longer";
const LONG_HIGH: &str = "the risk is high, so a grant lasts at most 7 days";
const GLASS_LONG: &str = "what is opened without anybody's yes is open for at most one hour";
const GLASS_REASON: &str = "say in at least 20 characters why nobody can be waited for";
const GLASS_HIGH: &str = "the risk is high, so it is not opened without anybody's yes";

/// Somebody does something to a request that has so many approvals: what the policy says.
type Row = (&'static str, Action, Request, usize, String);

fn rows() -> Vec<Row> {
    let mut rows = asking();
    rows.extend(deciding());
    rows.extend(never_opened());
    rows.extend(glass());
    rows
}

fn table(rows: Vec<(&'static str, &[Action], Request, usize, &str)>) -> Vec<Row> {
    let each = |(who, actions, request, approvals, says): (_, &[Action], Request, _, &str)| {
        let row = |action: &Action| (who, *action, request.clone(), approvals, says.to_owned());
        actions.iter().map(row).collect::<Vec<_>>()
    };
    rows.into_iter().flat_map(each).collect()
}

fn asking() -> Vec<Row> {
    table(vec![
        (ALICE, &[Ask], low(), 0, YES),
        (ALICE, &[Ask], medium(), 0, YES),
        (ALICE, &[Ask], high(), 0, YES),
        (ALICE, &[AutoApprove], preset(), 0, YES),
        (ALICE, &[AutoApprove], ask(&["pypi.org", "github.com"]), 0, NO),
        (ALICE, &[AutoApprove], low(), 0, NO),
        (ALICE, &[AutoApprove], ask(&[]), 0, NO),
        (ALICE, &[AutoApprove], lasting(30 * DAY, preset()), 0, YES),
        (ALICE, &[Withdraw, Extend, Revoke], low(), 0, YES),
        (" Alice@Example.COM", &[Withdraw, Extend, Revoke], low(), 0, YES),
        (DAVE, &[Withdraw, Extend, Revoke], low(), 0, NO),
        (BOB, &[Withdraw, Extend], low(), 0, NO),
        (ALICE, &[Extend], extended(2, low()), 0, YES),
        (ALICE, &[Extend], extended(3, low()), 0, OFTEN),
        (ALICE, &[Ask, AutoApprove, Withdraw, Revoke], extended(3, preset()), 0, YES),
    ])
}

fn deciding() -> Vec<Row> {
    table(vec![
        (BOB, &[Approve, Deny, Revoke], low(), 0, YES),
        (CAROL, &[Approve, Deny, Revoke], high(), 1, YES),
        ("BOB@example.com ", &[Approve, Deny, Revoke], low(), 0, YES),
        (ERIN, &[Approve, Deny, Revoke], low(), 0, NO),
        (FRANK, &[Approve, Deny, Revoke], low(), 0, NO),
        (DAVE, &[Approve, Deny, Revoke], low(), 0, NO),
        (ALICE, &[Approve, Deny], low(), 0, OWN),
        (BOB, &[Approve, Deny], of(BOB, low()), 1, OWN),
        (BOB, &[Approve, Deny], of("Bob@Example.com", low()), 1, OWN),
        (BOB, &[Revoke, Withdraw], of(BOB, low()), 0, YES),
        (BOB, &[Grant], of(BOB, low()), 1, YES),
        (ALICE, &[Grant], low(), 0, NO),
        (ALICE, &[Grant], low(), 1, YES),
        (ALICE, &[Grant], medium(), 0, NO),
        (ALICE, &[Grant], medium(), 1, YES),
        (ALICE, &[Grant], high(), 1, NO),
        (ALICE, &[Grant], high(), 2, YES),
    ])
}

/// Whoever it is, and however many have said yes; and nothing forbids to close it.
fn never_opened() -> Vec<Row> {
    const OPENING: [Action; 5] = [Ask, AutoApprove, Grant, Approve, Extend];
    let asked_before =
        |request: Request, domain: &str| Request { domains: ask(&[domain]).domains, ..request };
    let never = [
        (asked_before(low(), "x.ngrok.io"), DENIED),
        (asked_before(low(), "github.io"), SUFFIX),
        (asked_before(low(), ".amazonaws.com"), SUFFIX),
        (asked_before(low(), "pastebin.com"), UPLOAD),
        (ask(&["www.pastebin.com"]), UPLOAD),
        (ask(&["example.com", ".google.com"]), UPLOAD),
        (lasting(30 * DAY + 1, low()), LONG),
        (lasting(30 * DAY + 1, preset()), LONG),
        (lasting(u64::MAX, medium()), LONG),
        (lasting(7 * DAY + 1, high()), LONG_HIGH),
    ];
    let mut rows = Vec::new();
    for (request, reason) in never {
        let shared = [(ALICE, &[Withdraw, Revoke]), (BOB, &[Deny, Revoke])];
        rows.push((BOB, &OPENING[..], request.clone(), 10, reason));
        rows.extend(shared.map(|(who, closing)| (who, &closing[..], request.clone(), 0, YES)));
    }
    rows.extend([
        (ALICE, &[Ask, Extend][..], lasting(30 * DAY, medium()), 0, YES),
        (ALICE, &[Ask, Extend], lasting(7 * DAY, high()), 0, YES),
        (BOB, &[Approve], lasting(30 * DAY, medium()), 0, YES),
        (BOB, &[Approve], lasting(7 * DAY, high()), 0, YES),
    ]);
    table(rows)
}

fn glass() -> Vec<Row> {
    let and = |one: &str, other: &str| format!("{one}; {other}");
    let both = [
        (broken(REASON, ask(&["pastebin.com"])), and(UPLOAD, GLASS_HIGH)),
        (broken(REASON, lasting(HOUR, ask(&["co.uk"]))), SUFFIX.to_owned()),
        (broken(REASON, ask(&["x.ngrok.io"])), and(DENIED, GLASS_HIGH)),
        (broken(REASON, high()), GLASS_HIGH.to_owned()),
        (lasting(7 * DAY + 1, broken(REASON, high())), format!("{LONG_HIGH}; {GLASS_LONG}; {GLASS_HIGH}")),
        (lasting(30 * DAY + 1, broken(REASON, low())), and(LONG, GLASS_LONG)),
        (lasting(HOUR + 1, broken(REASON, low())), GLASS_LONG.to_owned()),
        (broken("the build is broken", low()), GLASS_REASON.to_owned()),
        (broken("  the build is broken\n\n ", low()), GLASS_REASON.to_owned()),
        (of(ERIN, lasting(HOUR, low())), GLASS_REASON.to_owned()),
        (broken(REASON, low()), YES.to_owned()),
        (broken(REASON, medium()), YES.to_owned()),
    ];
    let mut rows = table(vec![
        (BOB, &[BreakGlass], of(BOB, broken(REASON, low())), 0, NO),
        (ALICE, &[BreakGlass], of(ALICE, broken(REASON, low())), 0, NO),
    ]);
    rows.extend(both.map(|(request, says)| (ERIN, BreakGlass, request, 0, says)));
    rows
}

/// What a policy says otherwise than the table.
fn wrong<'a>(policy: &'a Policy, rows: &'a [Row], config: &'a Config) -> impl Iterator<Item = String> + 'a {
    let looking = [(BOB, YES), (CAROL, YES), (FRANK, YES), (ERIN, NO), (ALICE, NO)];
    let looking = looking.into_iter().filter_map(move |(who, says)| {
        let is = said(policy.may_inspect(who, config));
        (is != says).then(|| format!("{who} Inspect: {is}, should be: {says}"))
    });
    let silencing = [(BOB, YES), ("BOB@example.com ", YES), (ERIN, YES), (FRANK, NO), (ALICE, NO)];
    let silencing = silencing.into_iter().filter_map(move |(who, says)| {
        let is = said(policy.may_silence(who, config));
        (is != says).then(|| format!("{who} Silence: {is}, should be: {says}"))
    });
    let rest = rows.iter().filter_map(move |(who, action, request, approvals, says)| {
        let is = said(policy.decide(who, *action, request, *approvals, config));
        let domains: Vec<String> = request.domains.iter().map(ToString::to_string).collect();
        (is != *says).then(|| format!("{who} {action:?} {domains:?}: {is}, should be: {says}"))
    });
    looking.chain(silencing).chain(rest)
}

#[test]
fn the_shipped_policy_says_what_the_table_says() {
    let wrong: Vec<String> = wrong(&shipped(), &rows(), &config()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    shipped().check(&config()).unwrap();
}

/// The shipped policy with one thing changed: without one of its policies, or with another number, operator,
/// action or group somewhere.
fn mutants() -> Vec<(String, String)> {
    let mut mutants = Vec::new();
    for statement in SHIPPED.split_inclusive(";\n").filter(|statement| statement.contains("@id")) {
        mutants.push((format!("without{statement}"), SHIPPED.replacen(statement, "", 1)));
    }
    let others = [
        (">= ", "> "),
        ("> ", ">= "),
        ("< ", "<= "),
        ("&&", "||"),
        ("||", "&&"),
        ("when", "unless"),
        ("\"Open\"", "\"Approve\""),
        ("\"approvers\"", "\"on_call\""),
        ("\"on_call\"", "\"approvers\""),
        ("\"auditors\"", "\"on_call\""),
    ];
    let actions =
        Action::ALL.map(|action| (action.name(), if action == Deny { Withdraw } else { Deny }.name()));
    let actions =
        actions.map(|(name, other)| (format!("Action::\"{name}\""), format!("Action::\"{other}\"")));
    let mut change = |at: usize, from: &str, to: &str| {
        let (before, after) = (&SHIPPED[..at], &SHIPPED[at + from.len()..]);
        let line = before.lines().count();
        let is_code =
            !before.lines().last().is_some_and(|line| line.starts_with("//") || line.starts_with('@'));
        if is_code {
            mutants.push((format!("line {line}: {to} for {from}"), format!("{before}{to}{after}")));
        }
    };
    for (from, to) in others.into_iter().chain(actions.iter().map(|(from, to)| (&**from, &**to))) {
        SHIPPED.match_indices(from).for_each(|(at, _)| change(at, from, to));
    }
    for (at, digits) in numbers(SHIPPED) {
        let number: u64 = digits.parse().unwrap();
        change(at, digits, &(number + 1).to_string());
        change(at, digits, &(number - 1).to_string());
    }
    mutants
}

fn numbers(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let digits = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    digits.map(move |digits| (digits.as_ptr() as usize - text.as_ptr() as usize, digits))
}

#[test]
fn the_table_notices_whatever_is_changed_in_the_shipped_policy() {
    let (rows, config, mutants) = (rows(), config(), mutants());
    let valid = mutants.iter().filter_map(|(name, text)| Some((name, Policy::parse(text).ok()?)));
    let (noticed, unnoticed): (Vec<_>, Vec<_>) =
        valid.partition(|(_, policy)| wrong(policy, &rows, &config).next().is_some());
    let unnoticed: Vec<&String> = unnoticed.into_iter().map(|(name, _)| name).collect();
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
    assert!(
        noticed.len() > 80 && mutants.len() - noticed.len() < 5,
        "{} of {}",
        noticed.len(),
        mutants.len()
    );
}

#[test]
fn how_many_have_to_say_yes_and_who_can() {
    let needed = |request: Request| shipped().approvals_needed(&request, &config());
    assert_eq!([preset(), low(), medium(), high()].map(needed), [Some(0), Some(1), Some(1), Some(2)]);
    assert_eq!(needed(ask(&["pastebin.com"])), None);
    assert_eq!(needed(lasting(8 * DAY, high())), None);

    let approvers = |request: Request| shipped().approvers_of(&request, &config());
    assert_eq!(approvers(low()), [BOB, CAROL]);
    assert_eq!(approvers(of(" Bob@Example.com", low())), [CAROL]);
    assert_eq!(approvers(ask(&["pastebin.com"])), Vec::<String>::new());
}

/// A request of anybody in any of many states.
fn any_request() -> impl Strategy<Value = Request> {
    let domain = prop::sample::select(vec![
        "github.com",
        ".numpy.org",
        "alice.github.io",
        "pypi.org",
        "pastebin.com",
        "co.uk",
        "x.ngrok.io",
        "bücher.de",
    ]);
    let seconds = prop_oneof![0..2 * HOUR, 0..40 * DAY, any::<u64>()];
    let domains = prop::collection::vec(domain, 0..4);
    let words = prop::option::of("[a-z ]{0,40}");
    let who = prop::sample::select(vec![ALICE, BOB, CAROL, ERIN, FRANK, "ünal@example.com", ""]);
    (domains, seconds, words, who, 0_u32..5, any::<u32>()).prop_map(
        |(domains, seconds, break_glass, who, extensions, spelling)| Request {
            break_glass,
            ..of(&spelt(who, spelling), extended(extensions, lasting(seconds, ask(&domains))))
        },
    )
}

/// A person in other letters, with spaces around.
fn spelt(person: &str, spelling: u32) -> String {
    let letter = |(at, letter): (usize, char)| match spelling >> (at % 32) & 1 {
        0 => letter.to_lowercase().collect::<String>(),
        _ => letter.to_uppercase().collect(),
    };
    let spaces = " \t".repeat(spelling as usize % 3);
    format!("{spaces}{}{spaces}", person.chars().enumerate().map(letter).collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nobody_decides_about_an_own_request(request in any_request(), spelling: u32, approvals in 0_usize..12) {
        let (policy, config) = (shipped_once(), config_once());
        let requester = spelt(&request.requester, spelling);
        for action in [Approve, Deny] {
            let verdict = policy.decide(&requester, action, &request, approvals, config);
            prop_assert!(matches!(&verdict, Verdict::Forbidden(reason) if reason.contains(OWN)), "{verdict:?}");
        }
        prop_assert!(!policy.approvers_of(&request, config).contains(&same_spelling(&requester)));
    }

    #[test]
    fn what_can_t_be_approved_can_t_be_had_another_way(request in any_request(), approvals in 0_usize..12) {
        let (policy, config) = (shipped_once(), config_once());
        let verdict = |who: &str, action| policy.decide(who, action, &request, approvals, config);
        let someone = if policy.approvers_of(&request, config).contains(&BOB.to_owned()) { BOB } else { CAROL };
        if verdict(someone, Approve) != Verdict::Permitted {
            for action in [Ask, AutoApprove, BreakGlass, Grant, Extend] {
                prop_assert_ne!(verdict(&request.requester, action), Verdict::Permitted, "{:?}", action);
            }
            prop_assert_eq!(policy.approvals_needed(&request, config), None);
        }
    }
}

fn shipped_once() -> &'static Policy {
    static POLICY: LazyLock<Policy> = LazyLock::new(shipped);
    &POLICY
}

fn config_once() -> &'static Config {
    static CONFIG: LazyLock<Config> = LazyLock::new(config);
    &CONFIG
}
