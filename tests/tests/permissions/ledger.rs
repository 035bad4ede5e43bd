//! What the template lets the function that decides do to the ledger.

const TEMPLATE: &str = include_str!("../../../infra/requests.yaml");
/// What changes or deletes what is there; `PutItem` adds, and what it writes over no longer fits its neighbours'
/// seals.
const CHANGING: [&str; 6] = [
    "dynamodb:UpdateItem",
    "dynamodb:DeleteItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PartiQLDelete",
    "dynamodb:*",
];
/// The partitions that are append-only, as the ledger's keys begin.
const APPENDED: [&str; 5] = ["request#", "message#", "refused#", "use#", "blocked#"];

/// The statements of the function's role that speak of the ledger, each from its `Sid` to the next.
fn statements() -> Vec<&'static str> {
    let statements = TEMPLATE.split("- Sid: ").skip(1);
    statements.filter(|statement| statement.contains("dynamodb:")).collect()
}

#[test]
fn the_function_can_t_change_or_delete_what_has_happened() {
    let changing: Vec<&str> = statements()
        .into_iter()
        .filter(|statement| CHANGING.iter().any(|action| statement.contains(action)))
        .collect();
    assert_eq!(changing.len(), 2, "the statements Finish and OwnTargets: {changing:#?}");
    for statement in changing {
        assert!(!APPENDED.iter().any(|partition| statement.contains(partition)), "{statement}");
    }
}

#[test]
fn every_permission_on_the_ledger_is_for_partitions_by_name() {
    for statement in statements() {
        let keys = statement.split_once("dynamodb:LeadingKeys: ").expect("a condition").1;
        let keys = keys.lines().next().unwrap_or_default();
        assert!(!keys.contains("'*'") && keys.chars().any(char::is_alphabetic), "{statement}");
        assert!(statement.contains("dynamodb:LeadingKeys: false"), "also where no key is named: {statement}");
    }
}
