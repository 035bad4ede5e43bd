//! EC2's query API of 2016-11-15: forms in, XML out. Which calls are made of it, and what of an answer is read, is
//! the matter of those who make them.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html>

use roxmltree::{Document, Node};

use super::signed::{CallError, Protocol, Service, Signed};

const SERVICE: Service = Service { host: "ec2", signing_name: "ec2", protocol: Protocol::Query };
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// The service.
#[derive(Debug, Clone)]
pub struct Ec2(Signed);

/// A filter: its name, and the values of which one has to be; EC2 takes 200 of them.
pub type Filter<'a> = (&'a str, &'a [String]);

/// An element of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a, 'input>(Node<'a, 'input>);

impl Ec2 {
    /// The service, called by signed requests.
    pub fn new(signed: Signed) -> Self {
        Self(signed)
    }

    /// Every page of a listing: what `read` makes of the items of `set` that all filters let through.
    pub async fn list<T>(
        &self,
        action: &str,
        set: &str,
        filters: &[Filter<'_>],
        read: fn(Element<'_, '_>) -> Option<T>,
    ) -> Result<Vec<T>, CallError> {
        let mut rows = Vec::new();
        let mut token = None;
        loop {
            let mut form = filter_form(filters);
            form.extend(token.map(|token| ("NextToken".to_owned(), token)));
            let body = self.call(action, form).await?;
            let (page, next) = page(&body, set, read)?;
            rows.extend(page);
            token = next;
            if token.is_none() {
                return Ok(rows);
            }
        }
    }

    /// Carries out an action with these parameters, and answers the XML.
    pub async fn call(&self, action: &str, form: Vec<(String, String)>) -> Result<String, CallError> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", "2016-11-15")
            .extend_pairs(form)
            .finish();
        let body = self.0.post(SERVICE, &[FORM], body).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

impl<'a, 'input: 'a> Element<'a, 'input> {
    /// The text of a child, without white space around it; none where there is no such child.
    pub fn text(self, name: &str) -> Option<String> {
        self.child(name).map(|child| child.0.text().unwrap_or_default().trim().to_owned())
    }

    /// A child.
    pub fn child(self, name: &str) -> Option<Self> {
        self.0.children().find(|child| child.tag_name().name() == name).map(Self)
    }

    /// The items of a set; none when there is no such set.
    pub fn items(self, set: &str) -> impl Iterator<Item = Self> + use<'a, 'input> {
        let children = self.child(set).into_iter().flat_map(|set| set.0.children());
        children.filter(|child| child.tag_name().name() == "item").map(Self)
    }
}

/// The rows of a page: what `read` makes of the items of `set`; and the token of the next page, where there is one.
pub fn page<T>(
    body: &str,
    set: &str,
    read: fn(Element<'_, '_>) -> Option<T>,
) -> Result<(Vec<T>, Option<String>), CallError> {
    let page = read_page(body, set, read).or_else(|_| read_page(&without_forbidden(body), set, read));
    page.map_err(|error| CallError::Unreadable(error.to_string()))
}

fn read_page<T>(
    body: &str,
    set: &str,
    read: fn(Element<'_, '_>) -> Option<T>,
) -> Result<(Vec<T>, Option<String>), roxmltree::Error> {
    let document = Document::parse(body)?;
    let answer = Element(document.root_element());
    let next = answer.text("nextToken").filter(|token| !token.is_empty());
    Ok((answer.items(set).filter_map(read).collect(), next))
}

/// The text with a mark in place of each character that XML can't have (XML 1.0, 2.2), however it is written: one of
/// them in somebody's tag would hide all other rows.
fn without_forbidden(body: &str) -> String {
    let allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    let mut cleaned = String::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, behind)) = rest.split_once("&#") {
        let (number, after) = behind.split_once(';').unwrap_or((behind, ""));
        let parsed = match number.strip_prefix('x') {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        let is_allowed = parsed.ok().and_then(char::from_u32).is_some_and(|c| allowed(&c));
        cleaned.push_str(before);
        if is_allowed {
            cleaned.extend(["&#", number, ";"]);
        } else {
            cleaned.push(char::REPLACEMENT_CHARACTER);
        }
        rest = after;
    }
    cleaned.push_str(rest);
    cleaned.chars().map(|c| if allowed(&c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

fn filter_form(filters: &[Filter<'_>]) -> Vec<(String, String)> {
    let mut form = Vec::new();
    for (index, (name, values)) in (1..).zip(filters) {
        form.push((format!("Filter.{index}.Name"), (*name).to_owned()));
        form.extend(numbered(&format!("Filter.{index}.Value"), values));
    }
    form
}

/// A list as parameters: `Name.1`, `Name.2`, …
pub fn numbered(name: &str, values: &[String]) -> impl Iterator<Item = (String, String)> {
    (1..).zip(values).map(move |(index, value): (u32, _)| (format!("{name}.{index}"), value.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
        <DescribeSecurityGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
          <securityGroupInfo>
            <item><groupId> sg-1 </groupId><tagSet><item><key>team</key></item><item><key>name</key></item></tagSet></item>
            <item><groupName>without an id</groupName></item>
            <item><groupId>sg-2</groupId><tagSet/></item>
          </securityGroupInfo>
          <nextToken>more</nextToken>
        </DescribeSecurityGroupsResponse>"#;

    #[test]
    fn a_page_has_rows_and_says_where_the_next_one_is() {
        let read = |item: Element<'_, '_>| Some((item.text("groupId")?, item.items("tagSet").count()));
        let (rows, next) = page(PAGE, "securityGroupInfo", read).unwrap();
        assert_eq!(rows, [("sg-1".to_owned(), 2), ("sg-2".to_owned(), 0)]);
        assert_eq!(next.as_deref(), Some("more"));
        let last = PAGE.replace("more", "");
        assert_eq!(page(&last, "noSuchSet", read).unwrap(), (Vec::new(), None));
        assert!(page("<html>", "securityGroupInfo", read).is_err());
    }

    #[test]
    fn filters_are_numbered_from_one() {
        let values = ["a".to_owned(), "b".to_owned()];
        let form = filter_form(&[("vpc-id", &values[..1]), ("group-id", &values)]);
        let names: Vec<_> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
        insta::assert_snapshot!(names.join(" "), @"Filter.1.Name=vpc-id Filter.1.Value.1=a Filter.2.Name=group-id Filter.2.Value.1=a Filter.2.Value.2=b");
    }
}
