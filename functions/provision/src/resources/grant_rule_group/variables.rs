//! The variables of a rule group (`HOME_NET`), as templates write them.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-networkfirewall-rulegroup-rulevariables.html>

use std::collections::HashMap;

use aws_sdk_networkfirewall::types::{IpSet, PortSet, RuleVariables};

use crate::protocol::properties::{Properties, PropertyError, wrong};

const NAME: &str = "RuleVariables";

/// What the variables are to be. None where nothing is said of them, neither now nor before: then they stay.
pub(super) fn read(
    properties: &Properties,
    old: &Properties,
) -> Result<Option<RuleVariables>, PropertyError> {
    let said = properties.map(NAME)?;
    if said.is_none() && !old.map(NAME).is_ok_and(|old| old.is_some()) {
        return Ok(None);
    }
    let said = said.unwrap_or_default();
    let mut variables = RuleVariables::builder();
    for (name, definition) in sets(&said, "IPSets")? {
        let set = IpSet::builder().set_definition(Some(definition)).build();
        variables = variables.ip_sets(name, set.map_err(|error| wrong(NAME, error.to_string()))?);
    }
    for (name, definition) in sets(&said, "PortSets")? {
        variables = variables.port_sets(name, PortSet::builder().set_definition(Some(definition)).build());
    }
    Ok(Some(variables.build()))
}

fn sets(said: &Properties, kind: &str) -> Result<Vec<(String, Vec<String>)>, PropertyError> {
    let within = |error: PropertyError| error.within(NAME);
    let Some(sets) = said.map(kind).map_err(within)? else { return Ok(Vec::new()) };
    let within_kind = |error: PropertyError| error.within(&format!("{NAME}.{kind}"));
    let read = |name: &str| {
        let set = sets.map(name).map_err(within_kind)?.unwrap_or_default();
        let definition = set.texts("Definition");
        Ok((name.to_owned(), definition.map_err(|error| error.within(&format!("{NAME}.{kind}.{name}")))?))
    };
    sets.names().map(read).collect()
}

/// Whether a group has these variables. No sets of a kind are the same as an empty map of them.
pub(super) fn same(wanted: &RuleVariables, has: Option<&RuleVariables>) -> bool {
    let (ips, ports) = (HashMap::new(), HashMap::new());
    let sets = |variables: Option<&RuleVariables>| {
        let ips = variables.and_then(RuleVariables::ip_sets).unwrap_or(&ips).clone();
        (ips, variables.and_then(RuleVariables::port_sets).unwrap_or(&ports).clone())
    };
    sets(Some(wanted)) == sets(has)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_from(now: &Value, before: &Value) -> Result<Option<RuleVariables>, String> {
        let properties = |variables: &Value| Properties::new(json!({"RuleVariables": variables}));
        read(&properties(now), &properties(before)).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_are_set_taken_away_and_left_alone() {
        let home = json!({"IPSets": {"HOME_NET": {"Definition": ["10.2.0.0/16"]}}, "PortSets": {"WEB": {"Definition": [443]}}});
        let set = read_from(&home, &json!(null)).unwrap().unwrap();
        assert_eq!(set.ip_sets().unwrap()["HOME_NET"].definition(), ["10.2.0.0/16"]);
        assert_eq!(set.port_sets().unwrap()["WEB"].definition(), ["443"]);
        assert!(same(&set, Some(&set)) && !same(&set, None));
        let taken = read_from(&json!(null), &home).unwrap().unwrap();
        assert!(same(&taken, None) && !same(&taken, Some(&set)));
        assert_eq!(read_from(&json!(null), &json!(null)), Ok(None));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let error = |now: Value| read_from(&now, &json!(null)).unwrap_err();
        assert_eq!(error(json!("x")), r#"the property RuleVariables is "x": it must be a map"#);
        assert_eq!(
            error(json!({"IPSets": {"HOME_NET": {"Definition": []}}})),
            "the property RuleVariables.IPSets.HOME_NET.Definition is an empty list"
        );
        assert_eq!(
            error(json!({"PortSets": {"WEB": "443"}})),
            r#"the property RuleVariables.PortSets.WEB is "443": it must be a map"#
        );
    }
}
