use proptest::prelude::*;

use super::*;

fn own() -> RequestId {
    RequestId::try_from("req-00000000000f".to_owned()).unwrap()
}

fn shown(text: &str, own: Option<&RequestId>) -> String {
    match Command::parse(text, own) {
        Ok(command) => format!("{text}\n    {command:?}"),
        Err(error) => format!("{text}\n    {error}"),
    }
}

#[test]
fn what_can_be_said() {
    let said = [
        "",
        "help",
        "request github.com because I clone the samples",
        "Request .github.com, api.github.com for 7d ticket OPS-1 Because of a & b",
        "request for 1h 30m github.com;1password.com because x",
        "request for 7d 1password.com because x",
        "request preset pypi because pip",
        "extend req-0123456789ab because not done",
        "extend REQ-0123456789AB for 2d because not done",
        "approve req-0123456789ab",
        "approve req-0123456789ab looks fine, because  it is",
        "`approve req-0123456789ab`",
        "deny req-0123456789ab because no",
        "deny req-0123456789ab\nnot now\nand not later",
        "revoke req-0123456789ab because done",
        "withdraw req-0123456789ab",
        "silence pypi.org",
        "silence https://x.pypi.org/simple for 1h 30m owner profile/d-x/alice",
        "Silence 2001:db8::1 Owner address/10.2.3.4 For 0",
        "`silence pypi.org for 1d owner profile/d-x/alice`",
        "status req-0123456789ab",
        "why https://github.com/x",
        "list",
        "list unused",
    ];
    insta::assert_snapshot!(said.map(|text| shown(text, None)).join("\n"));
}

#[test]
fn on_a_ticket_its_own_request_is_meant() {
    let said = [
        "approve",
        "deny not now",
        "deny because not now",
        "approve req-0123456789ab the extension",
        "approve req-01 is no id",
        "extend for 2d because not done",
        "revoke because done",
        "withdraw",
        "withdraw please",
        "status",
    ];
    insta::assert_snapshot!(said.map(|text| shown(text, Some(&own()))).join("\n"));
}

#[test]
fn what_means_nothing_is_answered_with_what_is_missing_or_wrong() {
    let said = [
        "open github.com",
        "request github.com",
        "request github.com because",
        "request because x",
        "request preset because x",
        "request preset pypi github.com because x",
        "request github.com for because x",
        "request github.com for 7 because x",
        "request github.com for 5s because x",
        "request github.com ticket because x",
        "extend because x",
        "extend req-1 because x",
        "extend req-0123456789ab 2d because x",
        "approve",
        "approve because it is fine",
        "withdraw req-0123456789ab now",
        "silence",
        "silence pypi.org for",
        "silence pypi.org for 31d",
        "silence pypi.org for 59s",
        "silence pypi.org for 1ms",
        "silence pypi.org owner",
        "silence pypi.org owner alice owner bob",
        "silence pypi.org files.pythonhosted.org",
        "why",
        "list all",
    ];
    insta::assert_snapshot!(said.map(|text| shown(text, None)).join("\n"));
}

#[test]
fn a_comment_is_a_command_when_it_begins_with_one() {
    for (comment, command) in [
        ("/approve", Some("approve")),
        ("\n\n  /Deny not now\nlater", Some("Deny not now\nlater")),
        ("/silence pypi.org", Some("silence pypi.org")),
        ("/egress list", Some(" list")),
        ("/egress", Some("")),
        ("/egress open", Some(" open")),
        ("/approved by me", None),
        ("/ approve", None),
        ("I would /approve this", None),
        ("> /approve", None),
        ("/assign bob", None),
        ("", None),
    ] {
        assert_eq!(in_comment(comment), command, "{comment}");
    }
}

proptest! {
    /// Whatever is silenced by it: what it says is what was typed.
    #[test]
    fn fuzz_a_silence_is_of_what_was_typed(
        domain in "[a-z0-9.:/-]{1,30}",
        owner in proptest::option::of("[a-zA-Z0-9./:-]{1,40}"),
        minutes in proptest::option::of(1..=30 * 24 * 60_u64),
        owner_first: bool,
        spaces in 1..4_usize,
    ) {
        let mut rest = [minutes.map(|minutes| format!("for {minutes}m")), owner.clone().map(|owner| format!("owner {owner}"))];
        if owner_first {
            rest.reverse();
        }
        let words: Vec<String> = ["silence".to_owned(), domain.clone()].into_iter().chain(rest.into_iter().flatten()).collect();
        let typed = words.join(&" ".repeat(spaces));
        let duration = minutes.map(|minutes| minutes * 60);
        prop_assert_eq!(Command::parse(&typed, None), Ok(Some(Command::Silence { domain, owner, duration })));
    }

    #[test]
    fn fuzz_nothing_that_anybody_types_is_too_strange(text in ".{0,300}", on_a_ticket: bool) {
        let own = own();
        let own = on_a_ticket.then_some(&own);
        let _ = (Command::parse(&text, own), in_comment(&text));
    }

    #[test]
    fn fuzz_nor_words_of_ours_in_any_order(
        words in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(VERBS.as_slice()),
                proptest::sample::select([
                    "for", "7d", "0", "owner", "profile/d-x/alice", "because", "preset", "req-0123456789ab", "req-", "github.com", "ticket", "`", ",", "\n",
                    "/", "\u{a0}", "ſ", "İ",
                ].as_slice()),
            ],
            0..12,
        ),
        on_a_ticket: bool,
    ) {
        let own = own();
        let _ = Command::parse(&words.join(" "), on_a_ticket.then_some(&own));
    }
}
