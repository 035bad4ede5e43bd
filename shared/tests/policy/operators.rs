//! Policies of operators: what they are told, how their mistakes are named, and what they can do.

use egress::config::Config;
use egress::policy::Action::{Approve, Request as Ask};
use egress::policy::{MOST_APPROVALS, Policy, Verdict};
use egress::request::Request;

use super::*;

const ASKING: &str = "@id(\"ask\") permit (principal, action == Egress::Action::\"Request\", resource);";

/// What is said of a policy that isn't taken.
fn mistake(text: &str) -> String {
    Policy::parse(text).unwrap_err().to_string()
}

/// Whether a condition is true of a request.
fn holds(condition: &str, request: &Request) -> bool {
    let text = ASKING.replace(';', &format!(" when {{ {condition} }};"));
    let policy = Policy::parse(&text).unwrap_or_else(|error| panic!("{condition}: {error}"));
    policy.decide(&request.requester, Ask, request, 3, &config()) == Verdict::Permitted
}

#[test]
fn what_policies_are_told_of_a_request() {
    let asked = Request {
        ticket: Some("OPS-1".to_owned()),
        justification: "  für „x“\n".to_owned(),
        ..broken(" nobody is there ", extended(2, ask(&["api.github.com", ".numpy.org"])))
    };
    for condition in [
        "resource.requester == principal && principal == Egress::Person::\"erin@example.com\"",
        "resource.requester in Egress::Group::\"on_call\"",
        "resource.domains == [\"api.github.com\", \".numpy.org\"]",
        "resource.within.containsAll([\"api.github.com\", \".api.github.com\", \".github.com\", \".com\", \".numpy.org\", \".org\"])",
        "!resource.within.contains(\"numpy.org\") && !resource.within.contains(\"github.com\")",
        "resource.subdomains && resource.risk == 1 && resource.duration_seconds == 3600 && resource.extensions == 2",
        "resource.ticket && resource.break_glass && resource.break_glass_reason_length == 15",
        "resource.justification_length == 7",
        "context.own && context.approvals == 3",
        "!(resource.preset_covered || resource.denied || resource.public_suffix || resource.shared_hosting)",
        "!(resource.anybody_can_upload || resource.international)",
        "action in Egress::Action::\"Open\"",
    ] {
        assert!(holds(condition, &asked), "{condition}");
    }
    for (condition, request) in [
        ("resource.preset_covered", preset()),
        ("resource.denied", ask(&["x.ngrok.io"])),
        ("resource.public_suffix", ask(&["s3.amazonaws.com"])),
        ("resource.public_suffix", ask(&[".amazonaws.com"])),
        ("resource.shared_hosting && resource.risk == 2", ask(&["alice.github.io"])),
        ("resource.anybody_can_upload", ask(&["api.pastebin.com"])),
        ("resource.international", ask(&["bücher.de"])),
        ("resource.duration_seconds == 9223372036854775807", lasting(u64::MAX, low())),
    ] {
        assert!(holds(condition, &request) && !holds(condition, &low()), "{condition}");
    }
    assert!(!holds("resource.ticket", &Request { ticket: Some(" ".to_owned()), ..low() }));
}

#[test]
fn a_policy_with_a_mistake_is_refused_with_its_line() {
    let when = |condition: &str| {
        format!("// Asking\n{}", ASKING.replace(';', &format!("\nwhen {{ {condition} }};")))
    };
    let table = [
        when("resource.riks > 1"),
        when("resource.risk > \"high\""),
        when("resource.within.contains(7)"),
        when("principal in Egress::Grup::\"approvers\""),
        when("principal == Egress::Person::\"Bob@Example.com\""),
        when("resource.risk = 1"),
        when("resource.risk > 1 && false"),
        ASKING.replace("Request", "Requst"),
        format!("{ASKING}\n\npermit (principal, action, resource"),
        format!("{ASKING}\n{ASKING}"),
        format!("{ASKING}\npermit (principal, action, resource);"),
        ASKING.replace("ask", "two words"),
        ASKING.replace("permit", "forbid"),
        ASKING.replace("permit", "@reason(\" \") forbid"),
        ASKING.replace("principal", "principal == ?principal"),
        "// nothing".to_owned(),
        format!(
            "{}\n{}",
            when("resource.riks > 1"),
            ASKING.replace("ask", "as k").replace("Request", "Requst")
        ),
    ];
    let line = |text: &String| format!("{text}\n→ {}", mistake(text).replace("policy.cedar ", ""));
    let table: Vec<String> = table.iter().map(line).collect();
    insta::assert_snapshot!(table.join("\n\n"), @r#"
    // Asking
    @id("ask") permit (principal, action == Egress::Action::"Request", resource)
    when { resource.riks > 1 };
    → line 3: for policy `ask`, attribute `riks` on entity type `Egress::Request` not found (did you mean `risk`?)

    // Asking
    @id("ask") permit (principal, action == Egress::Action::"Request", resource)
    when { resource.risk > "high" };
    → line 3: for policy `ask`, unexpected type: expected Long but saw String

    // Asking
    @id("ask") permit (principal, action == Egress::Action::"Request", resource)
    when { resource.within.contains(7) };
    → line 3: the types Long and String are not compatible (for policy `ask`, elements of the first operand and the second operand to a `contains` expression must have compatible types. Types must be exactly equal to be compatible)

    // Asking
    @id("ask") permit (principal, action == Egress::Action::"Request", resource)
    when { principal in Egress::Grup::"approvers" };
    → line 3: for policy `ask`, unrecognized entity type `Egress::Grup` (did you mean `Egress::Group`?)

    // Asking
    @id("ask") permit (principal, action == Egress::Action::"Request", resource)
    when { principal == Egress::Person::"Bob@Example.com" };
    → line 3: write the person "Bob@Example.com" as "bob@example.com"

    // Asking
    @id("ask") permit (principal, action == Egress::Action::"Request", resource)
    when { resource.risk = 1 };
    → line 3: '=' is not a valid operator in Cedar (try using '==' instead)

    // Asking
    @id("ask") permit (principal, action == Egress::Action::"Request", resource)
    when { resource.risk > 1 && false };
    → line 2: for policy `ask`, policy is impossible: the policy expression evaluates to false for all valid requests

    @id("ask") permit (principal, action == Egress::Action::"Requst", resource);
    → line 1: for policy `ask`, unrecognized action `Egress::Action::"Requst"` (did you mean `Egress::Action::"Request"`?)

    @id("ask") permit (principal, action == Egress::Action::"Request", resource);

    permit (principal, action, resource
    → line 3: unexpected end of input

    @id("ask") permit (principal, action == Egress::Action::"Request", resource);
    @id("ask") permit (principal, action == Egress::Action::"Request", resource);
    → line 2: a policy above it has the same @id

    @id("ask") permit (principal, action == Egress::Action::"Request", resource);
    permit (principal, action, resource);
    → line 2: a policy needs an @id("…"): 1 to 64 of a-z, A-Z, 0-9, - and _

    @id("two words") permit (principal, action == Egress::Action::"Request", resource);
    → line 1: a policy needs an @id("…"): 1 to 64 of a-z, A-Z, 0-9, - and _

    @id("ask") forbid (principal, action == Egress::Action::"Request", resource);
    → line 1: a forbid needs a @reason("…"): a sentence of at most 300 characters, on one line

    @id("ask") @reason(" ") forbid (principal, action == Egress::Action::"Request", resource);
    → line 1: a forbid needs a @reason("…"): a sentence of at most 300 characters, on one line

    @id("ask") permit (principal == ?principal, action == Egress::Action::"Request", resource);
    → policy.cedar: it has templates (?principal, ?resource), which nothing here fills in

    // nothing
    → policy.cedar: it has no policy, so nothing would be permitted

    // Asking
    @id("ask") permit (principal, action == Egress::Action::"Request", resource)
    when { resource.riks > 1 };
    @id("as k") permit (principal, action == Egress::Action::"Requst", resource);
    → line 3: for policy `ask`, attribute `riks` on entity type `Egress::Request` not found (did you mean `risk`?)
    line 4: a policy needs an @id("…"): 1 to 64 of a-z, A-Z, 0-9, - and _
    line 4: for policy `policy1`, unrecognized action `Egress::Action::"Requst"` (did you mean `Egress::Action::"Request"`?)
    "#);
}

#[test]
fn a_text_that_is_too_much_is_refused_before_it_is_parsed() {
    insta::assert_snapshot!(mistake(&" ".repeat(100_001)), @"policy.cedar: it is larger than 100000 bytes");
    let comment = format!("// {}\n{ASKING}", "(".repeat(50_000));
    assert!(Policy::parse(&comment).is_ok());
    for deep in ["(", "[", "{a:", "!", "\"\" like \"", "if ", "-", "1 + ", "a.", "true && ", "principal has "]
    {
        let text = format!(
            "{ASKING} permit (principal, action, resource) when {{ {}",
            deep.repeat(20_000 / deep.len())
        );
        assert!(mistake(&text).len() <= 3_000, "{deep}");
    }
    let many = "permit (principal, action, resource);\n".repeat(1_000);
    assert!(mistake(&many).contains("line 19: a policy needs an @id"));
    assert!(mistake(&many).ends_with("more") && mistake(&many).len() <= 3_000);
}

/// Cedar's validator gives up in silence where the stack ends.
#[test]
fn the_deepest_policy_is_validated_and_evaluated_on_the_smallest_stack() {
    let nested = [
        (130, "resource.ticket || ", ""),
        (390, "(", ")"),
        (130, "true == (", ")"),
        (195, "!(", ")"),
        (390, "if ", " then true else false"),
    ];
    for (times, before, after) in nested {
        let text = move |last: &str| {
            let condition = format!("{}{last}{}", before.repeat(times), after.repeat(times));
            ASKING.replace(';', &format!(" when {{ {condition} }};"))
        };
        let look = move || {
            assert!(mistake(&text("resource.nothing")).contains("`nothing`"));
            let policy = Policy::parse(&text("resource.ticket")).unwrap();
            let verdict = policy.decide(ALICE, Ask, &low(), 0, &config());
            assert!(!matches!(verdict, Verdict::Forbidden(_)), "{verdict:?}");
        };
        std::thread::Builder::new().stack_size(512 * 1024).spawn(look).unwrap().join().unwrap();
    }
}

#[test]
fn a_group_that_the_configuration_lacks_is_named() {
    let policy = |group: &str| {
        Policy::parse(&ASKING.replace("principal", &format!("principal in Egress::Group::\"{group}\"")))
    };
    assert!(policy("auditors").unwrap().check(&config()).is_ok());
    insta::assert_snapshot!(policy("aprovers").unwrap().check(&config()).unwrap_err(), @r#"policy.cedar line 1: it speaks of the group "aprovers", which egress.toml doesn't have"#);
}

#[test]
fn an_operator_asks_two_people_and_for_some_domains_the_security_team() {
    let text = r#"
        @id("two")
        permit (principal, action == Egress::Action::"Grant", resource) when { context.approvals >= 2 };
        @id("decide")
        permit (principal, action == Egress::Action::"Approve", resource)
        when { principal in Egress::Group::"approvers" || principal in Egress::Group::"security" };
        @id("security")
        @reason("the security team decides about code hosts")
        forbid (principal, action == Egress::Action::"Approve", resource)
        when { resource.within.containsAny([".github.com", ".gitlab.com"]) }
        unless { principal in Egress::Group::"security" };
    "#;
    let policy = Policy::parse(text).unwrap();
    let config = Config::parse("[groups]\napprovers = [\"bob\"]\nsecurity = [\"Grace\", \"heidi\"]").unwrap();
    let code = ask(&["numpy.org", "api.github.com"]);
    assert_eq!(policy.approvals_needed(&preset(), &config), Some(2));
    assert_eq!(policy.approvers_of(&low(), &config), ["grace", "heidi"]);
    assert_eq!(policy.approvers_of(&code, &config), ["grace", "heidi"]);
    assert_eq!(policy.approvers_of(&medium(), &config), ["bob", "grace", "heidi"]);
    let bob = policy.decide("bob", Approve, &code, 0, &config);
    assert_eq!(said(bob), "the security team decides about code hosts");
    assert_eq!(policy.decide(ALICE, Ask, &low(), 0, &config), Verdict::NotPermitted);
}

#[test]
fn no_number_of_approvals_is_enough_where_too_many_are_wanted() {
    let wanting = |approvals: usize| {
        let text = format!(
            "@id(\"many\") permit (principal, action == Egress::Action::\"Grant\", resource) when {{ context.approvals == {approvals} }};"
        );
        Policy::parse(&text).unwrap().approvals_needed(&low(), &config())
    };
    assert_eq!(wanting(MOST_APPROVALS), Some(MOST_APPROVALS));
    assert_eq!(wanting(MOST_APPROVALS + 1), None);
}

#[test]
fn a_policy_that_can_t_be_evaluated_stops_what_others_permit() {
    let overflows = "@id(\"sum\") @reason(\"too much\") forbid (principal, action, resource is Egress::Request) when { resource.duration_seconds * 2 > 7 };";
    for text in [overflows.to_owned(), overflows.replace("forbid", "permit")] {
        let policy = Policy::parse(&format!("{ASKING} {text}")).unwrap();
        let verdict = |request| policy.decide(ALICE, Ask, &request, 0, &config());
        insta::allow_duplicates! {
            insta::assert_snapshot!(said(verdict(lasting(u64::MAX, low()))), @"the policy sum can't be evaluated: integer overflow while attempting to multiply the values `9223372036854775807` and `2`");
        }
        assert_eq!(verdict(lasting(3, low())), Verdict::Permitted);
    }
}

#[test]
fn a_permit_may_have_a_reason_too() {
    let policy = Policy::parse(&ASKING.replace("permit", "@reason(\"why not\") permit")).unwrap();
    assert_eq!(policy.decide(ALICE, Ask, &low(), 0, &config()), Verdict::Permitted);
}
