//! What CloudFormation is answered: at most 4,096 bytes of JSON.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html>

use serde::{Serialize, Serializer};

use super::request::{Request, RequestType};

/// The longest body that CloudFormation reads.
const MOST_BYTES: usize = 4_096;

/// So many characters of a note stay whatever Data there is.
const LEAST_NOTE: usize = 200;

/// Between the head and the tail of a text that had to be cut.
const CUT: &str = " […] ";

/// A request was carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// What the resource is known by from now on; the id that it has when there is no better.
    pub(crate) physical_id: Option<String>,
    /// What a template can read with `Fn::GetAtt`, the most important first.
    pub(crate) data: Data,
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

/// Names and values, each name once.
pub(crate) type Data = Vec<(String, String)>;

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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_echo: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "as_map")]
    data: &'a [(String, String)],
}

/// The body of the answer. What is too long is cut so that the rest can be used: a Reason keeps its head
/// and its tail, where the cause most often is. Of Data no value is ever cut, since a template would go on
/// with half of it: the last entries are left out whole, the Reason says how many, and a template that
/// reads one of those fails with its name.
pub(crate) fn body(request: &Request, outcome: &Outcome) -> Vec<u8> {
    let id = physical_id(request, outcome);
    let write = |status, reason: &str, data: &[(String, String)]| {
        let answer = Answer {
            status,
            reason,
            physical_resource_id: &id,
            stack_id: &request.stack_id,
            request_id: &request.id,
            logical_resource_id: &request.logical_resource_id,
            no_echo: request.no_echo(),
            data,
        };
        // Strings and maps of strings always serialize.
        serde_json::to_vec(&answer).unwrap_or_default()
    };
    let fitting = |status, reason: &str, data: &[_]| {
        let whole = write(status, reason, data);
        if whole.len() <= MOST_BYTES || reason.is_empty() {
            return whole;
        }
        let without = whole.len() - reason.chars().map(escaped).sum::<usize>();
        write(status, &cut(reason, MOST_BYTES.saturating_sub(without)), data)
    };
    match outcome {
        // After a Delete nobody can read Data.
        Ok(done) if request.kind == RequestType::Delete => fitting("SUCCESS", &done.note, &[]),
        Ok(done) => {
            let all = done.data.as_slice();
            let kept = (0..=all.len()).rev().filter_map(|kept| all.get(..kept));
            let shown = kept.map(|data| (note(done, all.len() - data.len()), data));
            let mut fits =
                shown.filter(|(note, data)| write("SUCCESS", shortest(note), data).len() <= MOST_BYTES);
            let (note, data) = fits.next().unwrap_or_else(|| (note(done, all.len()), &[]));
            fitting("SUCCESS", &note, data)
        }
        Err(failed) if failed.reason.trim().is_empty() => fitting("FAILED", "the cause is not known", &[]),
        Err(failed) => fitting("FAILED", &failed.reason, &[]),
    }
}

/// What a person has to know, that entries were left out before all.
fn note(done: &Done, left_out: usize) -> String {
    if left_out == 0 {
        return done.note.clone();
    }
    let short = format!(
        "the last {left_out} of {} values are left out, since an answer has at most {MOST_BYTES} bytes",
        done.data.len()
    );
    if done.note.is_empty() { short } else { format!("{short}; {}", done.note) }
}

/// As much of a note as has to be there beside the Data.
fn shortest(note: &str) -> &str {
    note.char_indices().nth(LEAST_NOTE).and_then(|(end, _)| note.get(..end)).unwrap_or(note)
}

fn as_map<S: Serializer>(data: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(data.iter().map(|(name, value)| (name, value)))
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
    fn data_that_is_too_long_loses_its_last_values_whole() {
        let long = "x".repeat(1_500);
        let outcome =
            Ok(done("new", &[("First", &long), ("Second", &long), ("Third", &long), ("Last", "y")]));
        let answered = answer("Create", &outcome);
        assert_eq!(answered["Status"], "SUCCESS");
        assert_eq!(answered["Data"], json!({"First": long, "Second": long}));
        insta::assert_snapshot!(answered["Reason"].as_str().unwrap(), @"the last 2 of 4 values are left out, since an answer has at most 4096 bytes");
        let none = answer("Create", &Ok(done("new", &[("Long", &"x".repeat(MOST_BYTES))])));
        assert_eq!((&none["Status"], none.get("Data")), (&json!("SUCCESS"), None));
        assert_eq!(answer("Delete", &outcome).get("Reason"), None);
    }

    #[test]
    fn data_is_not_shown_where_the_template_asks_for_that() {
        let event = json!({"RequestType": "Create", "ResourceProperties": {"NoEcho": "true"}});
        let body = body(&Request::read(event), &Ok(done("new", &[("Secret", "x")])));
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&answer["NoEcho"], &answer["Data"]), (&json!(true), &json!({"Secret": "x"})));
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
        fn every_success_fits(data in prop::collection::btree_map(".{1,9}", ".{0,900}", 0..12), note in ".{0,900}") {
            let outcome = Ok(Done { data: data.clone().into_iter().collect(), note, ..Done::default() });
            let answer = answer("Create", &outcome);
            for (name, value) in answer["Data"].as_object().into_iter().flatten() {
                prop_assert_eq!(Some(value.as_str().unwrap()), data.get(name).map(String::as_str));
            }
        }

        #[test]
        fn every_failure_fits(reason in "(?s).{0,3000}") {
            let answer = answer("Update", &failed(&reason));
            prop_assert!(!answer["Reason"].as_str().unwrap().is_empty());
        }
    }
}
