//! What CloudFormation is answered: at most 4,096 bytes of JSON.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html>

use std::collections::BTreeMap;

use serde::Serialize;

use super::request::{Request, RequestType};

/// The longest body that CloudFormation reads.
const MOST_BYTES: usize = 4_096;

/// Between the head and the tail of a text that had to be cut.
const CUT: &str = " […] ";

/// A request was carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// What the resource is known by from now on; the id that it has when there is no better.
    pub(crate) physical_id: Option<String>,
    /// What a template can read with `Fn::GetAtt`.
    pub(crate) data: BTreeMap<String, String>,
    /// What a person has to know of it, or nothing.
    pub(crate) note: String,
}

/// A request couldn't be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// What there is already, so that a later Delete finds it.
    pub(crate) physical_id: Option<String>,
    /// Why, for the stack's events.
    pub(crate) reason: String,
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { physical_id: None, reason: error.to_string() }
    }
}

/// What became of a request.
pub(crate) type Outcome = Result<Done, Failed>;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    physical_resource_id: &'a str,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    data: &'a BTreeMap<String, String>,
}

/// The body of the answer. Data is never cut, since a template would go on with half of it: where it is
/// too long, the request has failed. A Reason keeps its head and its tail, where the cause most often is.
pub(crate) fn body(request: &Request, outcome: &Outcome) -> Vec<u8> {
    let none = BTreeMap::new();
    let id = physical_id(request, outcome);
    let write = |status, reason: &str, data: &BTreeMap<String, String>| {
        let answer = Answer {
            status,
            reason,
            physical_resource_id: &id,
            stack_id: &request.stack_id,
            request_id: &request.id,
            logical_resource_id: &request.logical_resource_id,
            data,
        };
        // Strings and maps of strings always serialize.
        serde_json::to_vec(&answer).unwrap_or_default()
    };
    let fitting = |status, reason: &str, data| {
        let whole = write(status, reason, data);
        if whole.len() <= MOST_BYTES || reason.is_empty() {
            return whole;
        }
        let without = whole.len() - reason.chars().map(escaped).sum::<usize>();
        write(status, &cut(reason, MOST_BYTES.saturating_sub(without)), data)
    };
    let reason = match outcome {
        Ok(done) => {
            // After a Delete nobody can read Data.
            let data = if request.kind == RequestType::Delete { &none } else { &done.data };
            let answer = fitting("SUCCESS", &done.note, data);
            if answer.len() <= MOST_BYTES {
                return answer;
            }
            let length = answer.len();
            format!(
                "the answer has {length} bytes with its Data, and CloudFormation reads at most {MOST_BYTES}"
            )
        }
        Err(failed) if failed.reason.trim().is_empty() => "the cause is not known".to_owned(),
        Err(failed) => failed.reason.clone(),
    };
    fitting("FAILED", &reason, &none)
}

/// The id that CloudFormation knows the resource by after this. It never changes with a Delete.
fn physical_id(request: &Request, outcome: &Outcome) -> String {
    let new = match outcome {
        Ok(done) => done.physical_id.as_ref(),
        Err(failed) => failed.physical_id.as_ref(),
    };
    let old = request.physical_resource_id.as_ref();
    let id = if request.kind == RequestType::Delete { old } else { new.or(old) };
    id.cloned().unwrap_or_else(|| request.default_physical_id())
}

/// As much of a text's head and tail as fits into so many bytes of a JSON string: two thirds and one.
fn cut(text: &str, bytes: usize) -> String {
    let room = bytes.saturating_sub(CUT.len());
    let head: String = fitting(text.chars(), room / 3 * 2).collect();
    let rest = text.strip_prefix(head.as_str()).unwrap_or_default();
    let used: usize = head.chars().map(escaped).sum();
    let mut tail: Vec<char> = fitting(rest.chars().rev(), room - used).collect();
    tail.reverse();
    head + CUT + &String::from_iter(tail)
}

/// The first characters that take no more than so many bytes in JSON.
fn fitting(characters: impl Iterator<Item = char>, bytes: usize) -> impl Iterator<Item = char> {
    characters
        .scan(0, |used, character| {
            *used += escaped(character);
            Some((character, *used))
        })
        .take_while(move |(_, used)| *used <= bytes)
        .map(|(character, _)| character)
}

/// How many bytes a character takes in a JSON string.
fn escaped(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn request(request_type: &str) -> Request {
        Request::read(json!({
            "RequestType": request_type,
            "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/demo/1",
            "RequestId": "r-1",
            "LogicalResourceId": "Grants",
            "PhysicalResourceId": if request_type == "Create" { None } else { Some("old") },
        }))
    }

    fn answer(request_type: &str, outcome: &Outcome) -> Value {
        let body = body(&request(request_type), outcome);
        assert!(body.len() <= MOST_BYTES, "{} bytes", body.len());
        serde_json::from_slice(&body).unwrap()
    }

    fn failed(reason: &str) -> Outcome {
        Err(Failed { physical_id: None, reason: reason.to_owned() })
    }

    fn done(id: &str, data: &[(&str, &str)]) -> Done {
        let data = data.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Done { physical_id: Some(id.to_owned()), data, note: String::new() }
    }

    #[test]
    fn a_success_says_the_id_and_the_data() {
        insta::assert_json_snapshot!(answer("Create", &Ok(done("new", &[("RuleGroupArn", "arn:group")]))), @r#"
        {
          "Status": "SUCCESS",
          "PhysicalResourceId": "new",
          "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/demo/1",
          "RequestId": "r-1",
          "LogicalResourceId": "Grants",
          "Data": {
            "RuleGroupArn": "arn:group"
          }
        }
        "#);
    }

    #[test]
    fn a_failure_says_why_and_has_an_id() {
        let answer = answer("Create", &failed("the property Capacity is missing"));
        assert_eq!(answer["Status"], "FAILED");
        assert_eq!(answer["Reason"], "the property Capacity is missing");
        assert_eq!(answer["PhysicalResourceId"], request("Create").default_physical_id());
    }

    #[test]
    fn an_update_may_change_the_id_and_a_delete_never_does() {
        assert_eq!(answer("Update", &Ok(done("new", &[])))["PhysicalResourceId"], "new");
        assert_eq!(answer("Update", &Ok(Done::default()))["PhysicalResourceId"], "old");
        assert_eq!(answer("Update", &failed("no"))["PhysicalResourceId"], "old");
        assert_eq!(answer("Delete", &Ok(done("new", &[])))["PhysicalResourceId"], "old");
        let made = Err(Failed { physical_id: Some("new".to_owned()), reason: "time is up".to_owned() });
        assert_eq!(answer("Update", &made)["PhysicalResourceId"], "new");
    }

    #[test]
    fn a_reason_of_any_length_keeps_its_head_and_its_tail() {
        let reason = format!("HEAD{}TAIL", "ü\"\n".repeat(3_000));
        let answer = answer("Create", &failed(&reason));
        let shown = answer["Reason"].as_str().unwrap();
        assert!(
            shown.starts_with("HEADü\"\n") && shown.contains(CUT) && shown.ends_with("ü\"\nTAIL"),
            "{shown}"
        );
        assert_eq!(answer["RequestId"], "r-1");
    }

    #[test]
    fn the_last_byte_is_used_and_none_more() {
        let length = |reason: usize| body(&request("Create"), &failed(&"x".repeat(reason))).len();
        let room = MOST_BYTES - length(1) + 1;
        assert_eq!(length(room), MOST_BYTES);
        assert_eq!(answer("Create", &failed(&"x".repeat(room)))["Reason"].as_str().unwrap().len(), room);
        assert!(length(room + 1) <= MOST_BYTES);
    }

    #[test]
    fn data_that_is_too_long_is_a_failure_and_keeps_the_id() {
        let outcome = Ok(done("new", &[("Long", &"x".repeat(MOST_BYTES))]));
        let answered = answer("Create", &outcome);
        assert_eq!((&answered["Status"], &answered["PhysicalResourceId"]), (&json!("FAILED"), &json!("new")));
        assert!(answered["Reason"].as_str().unwrap().contains("at most 4096"));
        assert_eq!(answer("Delete", &outcome)["Status"], "SUCCESS");
    }

    #[test]
    fn a_success_may_have_a_note_and_is_cut_before_it_fails() {
        let noted = |note: String| Ok(Done { note, ..done("new", &[("Key", "value")]) });
        assert_eq!(answer("Delete", &noted("kept in fs-1".to_owned()))["Reason"], "kept in fs-1");
        let long = answer("Create", &noted("x".repeat(MOST_BYTES)));
        assert_eq!((&long["Status"], &long["Data"]["Key"]), (&json!("SUCCESS"), &json!("value")));
        assert!(long["Reason"].as_str().unwrap().contains(CUT));
    }

    proptest! {
        #[test]
        fn every_failure_fits(reason in "(?s).{0,3000}") {
            let answer = answer("Update", &failed(&reason));
            prop_assert!(!answer["Reason"].as_str().unwrap().is_empty());
        }
    }
}
