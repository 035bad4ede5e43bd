//! SageMaker: Studio's domains, and the user profiles, spaces and apps in them. Its API is JSON 1.1, and
//! gives ten rows a page unless more are asked for.

use std::collections::BTreeMap;

use egress::aws::signed::{CallError, Protocol, Service, Signed};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const SAGEMAKER: Service =
    Service { host: "api.sagemaker", signing_name: "sagemaker", protocol: Protocol::Json };
const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.1");
/// The most rows of a page that the API gives.
const PAGE: u32 = 100;

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct SageMaker(Signed);

/// A user profile, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Profile {
    #[serde(rename = "UserProfileName")]
    pub(crate) name: String,
    #[serde(rename = "Status")]
    pub(crate) status: Status,
}

/// A space, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Space {
    #[serde(rename = "SpaceName")]
    pub(crate) name: String,
    pub(crate) status: Status,
    #[serde(default)]
    ownership_settings_summary: Ownership,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ownership {
    owner_user_profile_name: Option<String>,
}

/// An app, of a user profile or in a space, as it is listed. Deleted ones stay listed for a day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct App {
    #[serde(default)]
    pub(crate) user_profile_name: Option<String>,
    #[serde(default)]
    pub(crate) space_name: Option<String>,
    #[serde(rename = "AppType")]
    pub(crate) kind: String,
    #[serde(rename = "AppName")]
    pub(crate) name: String,
    pub(crate) status: Status,
}

/// The status of any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Status {
    InService,
    Pending,
    Updating,
    Deleting,
    Deleted,
    Failed,
    #[serde(rename = "Update_Failed")]
    UpdateFailed,
    #[serde(rename = "Delete_Failed")]
    DeleteFailed,
    /// One that came after this was written.
    #[serde(other)]
    Other,
}

/// What a user profile is given.
#[derive(Debug)]
pub(crate) struct UserSettings<'a> {
    /// The ARN of the role of the notebooks.
    pub(crate) execution_role: &'a str,
    /// Ids, five at most.
    pub(crate) security_groups: Vec<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    status: Option<String>,
    failure_reason: Option<String>,
    user_profile_arn: Option<String>,
}

impl SageMaker {
    pub(crate) fn new(signed: Signed) -> Self {
        Self(signed)
    }

    /// The status of a domain; none when SageMaker says that there is no such domain.
    pub(crate) async fn domain_status(&self, id: &str) -> Result<Option<String>, CallError> {
        let described = self.call::<Described>("DescribeDomain", json!({"DomainId": id})).await;
        Ok(unless_there(described)?.and_then(|domain| domain.status))
    }

    /// The user profiles of a domain; none when there is no such domain.
    pub(crate) async fn profiles(&self, domain: &str) -> Result<Vec<Profile>, CallError> {
        self.list("ListUserProfiles", "UserProfiles", domain).await
    }

    /// The spaces of a domain; none when there is no such domain.
    pub(crate) async fn spaces(&self, domain: &str) -> Result<Vec<Space>, CallError> {
        self.list("ListSpaces", "Spaces", domain).await
    }

    /// The apps of a domain; none when there is no such domain.
    pub(crate) async fn apps(&self, domain: &str) -> Result<Vec<App>, CallError> {
        self.list("ListApps", "Apps", domain).await
    }

    /// Why a user profile has failed, in SageMaker's words.
    pub(crate) async fn failure_reason(&self, domain: &str, user: &str) -> Result<Option<String>, CallError> {
        let described = self.call::<Described>("DescribeUserProfile", profile(domain, user)).await;
        Ok(unless_there(described)?.and_then(|profile| profile.failure_reason))
    }

    /// The ARN of a user profile; none when it is gone.
    pub(crate) async fn profile_arn(&self, domain: &str, user: &str) -> Result<Option<String>, CallError> {
        let described = self.call::<Described>("DescribeUserProfile", profile(domain, user)).await;
        Ok(unless_there(described)?.and_then(|profile| profile.user_profile_arn))
    }

    /// Makes a user profile, which is not ready when this comes back.
    pub(crate) async fn create_profile(
        &self,
        domain: &str,
        user: &str,
        settings: &UserSettings<'_>,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), CallError> {
        let mut input = profile_with(domain, user, settings);
        if !tags.is_empty() {
            input = with(input, "Tags", tag_list(tags));
        }
        self.call::<Value>("CreateUserProfile", input).await.map(drop)
    }

    /// Gives a user profile other settings.
    pub(crate) async fn update_profile(
        &self,
        domain: &str,
        user: &str,
        settings: &UserSettings<'_>,
    ) -> Result<(), CallError> {
        self.call::<Value>("UpdateUserProfile", profile_with(domain, user, settings)).await.map(drop)
    }

    /// Gives a resource tags, beside those it has.
    pub(crate) async fn tag(&self, arn: &str, tags: &BTreeMap<String, String>) -> Result<(), CallError> {
        let input = json!({"ResourceArn": arn, "Tags": tag_list(tags)});
        self.call::<Value>("AddTags", input).await.map(drop)
    }

    /// Takes tags from a resource.
    pub(crate) async fn untag(&self, arn: &str, keys: &[String]) -> Result<(), CallError> {
        self.call::<Value>("DeleteTags", json!({"ResourceArn": arn, "TagKeys": keys})).await.map(drop)
    }

    /// Begins the deletion of a user profile; nothing when it is gone.
    pub(crate) async fn delete_profile(&self, domain: &str, user: &str) -> Result<(), CallError> {
        unless_there(self.call::<Value>("DeleteUserProfile", profile(domain, user)).await).map(drop)
    }

    /// Begins the deletion of a space; nothing when it is gone.
    pub(crate) async fn delete_space(&self, domain: &str, space: &str) -> Result<(), CallError> {
        let input = json!({"DomainId": domain, "SpaceName": space});
        unless_there(self.call::<Value>("DeleteSpace", input).await).map(drop)
    }

    /// Begins the deletion of an app; nothing when it is gone.
    pub(crate) async fn delete_app(&self, domain: &str, app: &App) -> Result<(), CallError> {
        let input = json!({"DomainId": domain, "AppType": app.kind, "AppName": app.name});
        let input = match (&app.space_name, &app.user_profile_name) {
            (Some(space), _) => with(input, "SpaceName", json!(space)),
            (None, user) => with(input, "UserProfileName", json!(user)),
        };
        unless_there(self.call::<Value>("DeleteApp", input).await).map(drop)
    }

    /// Every page of a listing of a domain.
    async fn list<T: DeserializeOwned>(
        &self,
        operation: &str,
        rows: &str,
        domain: &str,
    ) -> Result<Vec<T>, CallError> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let mut input = json!({"DomainIdEquals": domain, "MaxResults": PAGE});
            if let Some(token) = token {
                input = with(input, "NextToken", token);
            }
            let Some(mut page) = unless_there(self.call::<Value>(operation, input).await)? else {
                return Ok(Vec::new());
            };
            let page_rows = page.get_mut(rows).map(Value::take).unwrap_or_default();
            found.extend(serde_json::from_value::<Vec<T>>(page_rows).map_err(|error| unreadable(&error))?);
            token = page.get_mut("NextToken").map(Value::take).filter(Value::is_string);
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    async fn call<T: DeserializeOwned>(&self, operation: &str, input: Value) -> Result<T, CallError> {
        let target = format!("SageMaker.{operation}");
        let headers = [JSON, ("x-amz-target", target.as_str())];
        let body = self.0.post(SAGEMAKER, &headers, input.to_string()).await?;
        // Some operations answer with nothing at all.
        let body = if body.is_empty() { b"{}" } else { body.as_slice() };
        serde_json::from_slice(body).map_err(|error| unreadable(&error))
    }
}

impl Space {
    /// The user profile whose space it is, private or shared.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.ownership_settings_summary.owner_user_profile_name.as_deref()
    }

    #[cfg(test)]
    pub(crate) fn new(name: &str, owner: Option<&str>, status: Status) -> Self {
        let owner_user_profile_name = owner.map(ToOwned::to_owned);
        Self {
            name: name.to_owned(),
            status,
            ownership_settings_summary: Ownership { owner_user_profile_name },
        }
    }
}

fn profile(domain: &str, user: &str) -> Value {
    json!({"DomainId": domain, "UserProfileName": user})
}

fn profile_with(domain: &str, user: &str, settings: &UserSettings<'_>) -> Value {
    let settings =
        json!({"ExecutionRole": settings.execution_role, "SecurityGroups": settings.security_groups});
    with(profile(domain, user), "UserSettings", settings)
}

/// An input with one more member.
fn with(mut input: Value, name: &str, value: Value) -> Value {
    if let Value::Object(members) = &mut input {
        members.insert(name.to_owned(), value);
    }
    input
}

fn tag_list(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// What was answered; none where SageMaker says that there is no such thing.
fn unless_there<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.code() == Some("ResourceNotFound") => Ok(None),
        Err(error) => Err(error),
    }
}

fn unreadable(error: &serde_json::Error) -> CallError {
    CallError::Unreadable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_with_what_they_have() {
        let space: Space = serde_json::from_value(json!({
            "DomainId": "d-1", "SpaceName": "alice-lab", "Status": "InService", "CreationTime": 1.5,
            "OwnershipSettingsSummary": {"OwnerUserProfileName": "alice"},
            "SpaceSharingSettingsSummary": {"SharingType": "Private"},
        }))
        .unwrap();
        assert_eq!(space, Space::new("alice-lab", Some("alice"), Status::InService));
        let app: App = serde_json::from_value(json!({
            "DomainId": "d-1", "SpaceName": "alice-lab", "AppType": "JupyterLab", "AppName": "default",
            "Status": "Sleeping", "ResourceSpec": {"InstanceType": "ml.t3.medium"},
        }))
        .unwrap();
        assert_eq!((app.status, app.user_profile_name), (Status::Other, None));
        let profile: Profile =
            serde_json::from_value(json!({"UserProfileName": "alice", "Status": "Delete_Failed"})).unwrap();
        assert_eq!(profile.status, Status::DeleteFailed);
    }
}
