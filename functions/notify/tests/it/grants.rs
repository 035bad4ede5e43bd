//! What people read beside a request's states: reminders, broken glass, no room, the first use.

use serde_json::{Value, json};

use crate::events::{about, approved, broken, reads, request, risky, with};

pub(crate) fn awaited(request: Value) -> Value {
    let approvers = ["bob@example.com", "Carol@example.com"];
    about("DecisionAwaited", json!({"approvers": approvers}), &with(request, json!({"reminders": 1})))
}

pub(crate) fn glass_broken(request: &Value) -> Value {
    let approvers = ["bob@example.com", "carol@example.com"];
    about("GlassBroken", json!({"approvers": approvers, "at": "2026-05-14T09:15:30Z"}), request)
}

pub(crate) fn waits(request: Value, stood: bool) -> Value {
    let reason = "its rules need 4 units of capacity, and 2 are left in the grants groups: 2 are missing. End grants that aren't needed, deploy with a larger GrantCapacity, or add a rule group to the grants groups";
    about(
        "GrantWaits",
        json!({"reason": reason, "stood": stood}),
        &with(request, json!({"waits_for": reason})),
    )
}

pub(crate) fn first_used(request: &Value) -> Value {
    let used = json!({"host": "api.github.com", "source": "10.2.3.10", "at": "2026-05-14T09:20:07Z"});
    about("GrantFirstUsed", used, request)
}

/// A request that was approved, and wants to be answered in a ticket.
fn granted() -> Value {
    with(request(approved()), json!({"reply_to": {"via": "jira", "to": "OPS-1"}}))
}

reads! {
    reminder: awaited(request(json!({}))),
    reminder_of_a_high_risk_that_one_has_approved: awaited(with(
        request(risky()),
        json!({"approvals": [{"by": "carol@example.com", "at": "2026-05-14T09:15:30Z"}]}),
    )),
    reminder_of_what_nobody_may_decide: about("DecisionAwaited", json!({"approvers": []}), &request(json!({"reminders": 3}))),
    glass_is_broken: glass_broken(&request(broken())),
    glass_is_broken_for_a_preset: glass_broken(&with(request(broken()), json!({"preset": "oncall"}))),
    no_room: waits(granted(), false),
    no_room_any_more: waits(granted(), true),
    first_use: first_used(&with(granted(), json!({"state": "active"}))),
}
