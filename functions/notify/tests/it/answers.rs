//! What people read of the answers to their commands and questions.

use serde_json::{Value, json};

use crate::events::{answered, approved, reads, request, risky, with};

pub(crate) fn not_allowed() -> Value {
    let reason = "alice@example.com has asked for req-0123456789ab: somebody else has to decide about it";
    answered(&json!({"kind": "not_allowed", "request_id": "req-0123456789ab", "reason": reason}))
}

pub(crate) fn why() -> Value {
    let judgement = json!({"verdict": "blocked", "decided_by": {
        "kind": "nothing_allows", "group": "studio-last-word", "action": "reject", "sid": 9_001,
        "message": "egress last word: TLS to a name that nothing allows"
    }});
    answered(&json!({
        "kind": "why", "host": "github.com", "tls": judgement, "http": judgement, "presets": ["code"],
        "notes": ["Of the same domain, there was also blocked: api.github.com."],
        "what_to_do": ["Ask for the preset code: it holds github.com, and presets are approved at once."]
    }))
}

fn summary(id: &str, more: Value) -> Value {
    let summary = json!({
        "id": id, "state": "active", "requester": "alice@example.com", "domains": ["github.com", ".pypi.org"],
        "until": "2026-05-17T09:15:00Z"
    });
    with(summary, more)
}

/// Alerts rest for alice.
pub(crate) fn silenced(more: Value) -> Value {
    let silence = json!({
        "domain": "pypi.org", "owner": "profile/d-abcdefghijkl/alice", "until": "2026-05-15T09:15:30Z",
        "by": "bob@example.com", "at": "2026-05-14T09:15:30Z"
    });
    answered(&json!({"kind": "silenced", "silence": with(silence, more)}))
}

pub(crate) fn list() -> Value {
    answered(&json!({
        "kind": "list", "more": 3,
        "requests": [
            summary("req-00000000000a", json!({"state": "pending"})),
            summary("req-00000000000b", json!({"unused_since": "2026-05-10T09:15:00Z"})),
        ]
    }))
}

/// A history of `count` entries.
fn history(count: u32) -> Vec<Value> {
    let entry = |version: u32| {
        let entry = json!({
            "version": version, "at": "2026-05-14T09:15:00Z", "by": "clock", "what": "reminded", "from": "pending",
            "to": "pending", "seal": "00"
        });
        match version {
            1 => with(entry, json!({"by": "alice@example.com", "what": "asked", "from": null})),
            2 => with(
                entry,
                json!({"by": "bob@example.com", "what": "approved", "to": "approved", "comment": "For the\nworkshop"}),
            ),
            _ => entry,
        }
    };
    (1..=count).map(entry).collect()
}

pub(crate) fn status(request: &Value) -> Value {
    let evidence = json!({
        "first_used_at": "2026-05-14T09:20:00Z", "last_used_at": "2026-05-14T10:02:00Z", "connections": 17
    });
    answered(&json!({"kind": "status", "request": request, "history": history(3), "evidence": evidence}))
}

reads! {
    done: answered(&json!({"kind": "done", "request": request(risky())})),
    done_and_refused: answered(&json!({"kind": "done", "request": request(json!({
        "state": "refused", "domains": [], "refused_domains": [{"text": "*.com", "reason": "com is a public suffix"}]
    }))})),
    done_and_without_room: answered(&json!({"kind": "done", "request": with(
        request(approved()),
        json!({"waits_for": "its rules need 4 units of capacity, and 2 are left"}),
    )})),
    not_done: not_allowed(),
    not_done_about_no_request: answered(&json!({"kind": "not_allowed", "reason": "no policy lets you see other people's requests"})),
    why_it_is_blocked: why(),
    a_list: list(),
    a_list_of_nothing: answered(&json!({"kind": "list", "requests": [], "more": 0})),
    status_of_what_is_live: status(&with(request(approved()), json!({"state": "active"}))),
    status_of_what_was_extended: answered(&json!({
        "kind": "status", "history": history(2),
        "request": with(request(approved()), json!({"state": "ended", "ending": "superseded", "superseded_by": "req-00000000000f"}))
    })),
    silence_for_one: silenced(json!({})),
    silence_for_all: silenced(json!({"owner": null})),
    silence_that_is_over: silenced(json!({"owner": null, "until": "2026-05-14T09:15:30Z"})),
    status_with_a_long_history: answered(&json!({"kind": "status", "history": history(43), "request": request(json!({}))})),
}
