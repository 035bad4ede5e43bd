//! SageMaker: the user profiles, spaces and apps of a domain.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, Going, Input, State, tick};

/// Who and what is in the domains; of each, which domain it is in comes first.
#[derive(Default)]
pub(crate) struct People {
    pub(crate) profiles: BTreeMap<(String, String), Profile>,
    pub(crate) spaces: BTreeMap<(String, String), Space>,
    pub(crate) apps: Vec<App>,
    /// Why a profile of this name comes to nothing.
    pub(crate) fail: BTreeMap<String, &'static str>,
    /// Why a profile of this name can't be deleted.
    pub(crate) cannot_go: BTreeMap<String, &'static str>,
    /// The most rows of a page, whatever is asked for; 0 for as many as are asked for.
    pub(crate) page: usize,
}

#[derive(Clone)]
pub(crate) struct Profile {
    pub(crate) settings: Value,
    pub(crate) tags: BTreeMap<String, String>,
    /// How many more looks it is `Pending` or `Updating` for.
    changing: u32,
    pub(crate) status: &'static str,
    going: Going,
}

#[derive(Clone)]
pub(crate) struct Space {
    pub(crate) owner: Option<String>,
    pub(crate) going: Going,
}

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) domain: String,
    /// `UserProfileName` or `SpaceName`, and its value.
    pub(crate) of: (&'static str, String),
    pub(crate) name: String,
    pub(crate) status: &'static str,
    pub(crate) going: Going,
}

impl People {
    pub(super) fn left(&self) -> Vec<String> {
        let profiles = self.profiles.keys().map(|(_, name)| format!("profile {name}"));
        let spaces = self.spaces.keys().map(|(_, name)| format!("space {name}"));
        let apps = self.apps.iter().filter(|app| !["Deleted", "Failed"].contains(&app.status));
        profiles.chain(spaces).chain(apps.map(|app| format!("app {}", app.name))).collect()
    }

    /// Somebody has made a profile by hand.
    pub(crate) fn add_profile(&mut self, domain: &str, name: &str) {
        let profile = Profile {
            settings: json!({}),
            tags: BTreeMap::new(),
            changing: 0,
            status: "InService",
            going: None,
        };
        self.profiles.insert((domain.to_owned(), name.to_owned()), profile);
    }

    /// Somebody has made a space, with an app in it.
    pub(crate) fn add_space(&mut self, domain: &str, name: &str, owner: Option<&str>) {
        let space = Space { owner: owner.map(ToOwned::to_owned), going: None };
        self.spaces.insert((domain.to_owned(), name.to_owned()), space);
        self.add_app(domain, ("SpaceName", name), &format!("in-{name}"), "InService");
    }

    pub(crate) fn add_app(
        &mut self,
        domain: &str,
        of: (&'static str, &str),
        name: &str,
        status: &'static str,
    ) {
        let of = (of.0, of.1.to_owned());
        self.apps.push(App { domain: domain.to_owned(), of, name: name.to_owned(), status, going: None });
    }

    fn look(&mut self) {
        tick(&mut self.spaces, |space| &mut space.going);
        for (key, profile) in &mut self.profiles {
            if profile.going == Some(1) && self.cannot_go.contains_key(&key.1) {
                (profile.status, profile.going) = ("Delete_Failed", None);
            }
        }
        tick(&mut self.profiles, |profile| &mut profile.going);
        for (key, profile) in &mut self.profiles {
            profile.changing = profile.changing.saturating_sub(1);
            if profile.changing == 0 && profile.going.is_none() {
                let fails = self.fail.contains_key(&key.1);
                profile.status = match profile.status {
                    "Pending" if fails => "Failed",
                    "Updating" if fails => "Update_Failed",
                    "Pending" | "Updating" => "InService",
                    other => other,
                };
            }
        }
        for app in &mut self.apps {
            app.going = app.going.map(|looks| looks.saturating_sub(1));
            if app.going == Some(0) {
                app.status = "Deleted";
            }
        }
    }

    fn is_in_use(&self, kind: &str, domain: &str, name: &str) -> bool {
        let of = |app: &&App| app.domain == domain && app.of.0 == kind && app.of.1 == name;
        self.apps.iter().filter(of).any(|app| !["Deleted", "Failed"].contains(&app.status))
    }

    fn page(&self, rows: &str, found: Vec<Value>, input: &Input) -> String {
        let asked = input["MaxResults"].as_u64().unwrap_or(10).try_into().unwrap();
        let size = if self.page == 0 { asked } else { self.page.min(asked) };
        let start: usize = input["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let more = start + size < found.len();
        let page: Vec<_> = found.into_iter().skip(start).take(size).collect();
        let mut answer = json!({rows: page});
        if more {
            answer["NextToken"] = json!((start + size).to_string());
        }
        answer.to_string()
    }
}

impl State {
    pub(super) fn of_people(&mut self, operation: &str, input: &Input) -> Answer {
        let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
        let key = |name: &str| (text("DomainId"), text(name));
        let missing = (400, "ResourceNotFound");
        match operation {
            "ListUserProfiles" | "ListSpaces" | "ListApps" => return Ok(self.list(operation, input)),
            "DescribeUserProfile" => {
                let profile = self.people.profiles.get(&key("UserProfileName")).ok_or(missing)?;
                let name = text("UserProfileName");
                let reasons = [&self.people.cannot_go, &self.people.fail];
                let mut reasons = reasons.into_iter().filter_map(|reasons| reasons.get(&name));
                let reason = reasons.next().filter(|_| profile.status.contains("ailed"));
                let arn = format!("arn:profile/{}/{name}", text("DomainId"));
                return Ok(json!({"UserProfileArn": arn, "Status": profile.status, "FailureReason": reason})
                    .to_string());
            }
            "CreateUserProfile" => self.create_profile(key("UserProfileName"), input)?,
            "UpdateUserProfile" => {
                let profile = self.people.profiles.get_mut(&key("UserProfileName")).ok_or(missing)?;
                profile.settings = input["UserSettings"].clone();
                (profile.status, profile.changing) = ("Updating", 2);
            }
            "AddTags" => self.tagged(input)?.tags.extend(tags(&input["Tags"])),
            "DeleteTags" => {
                let keys = input["TagKeys"].clone();
                self.tagged(input)?.tags.retain(|key, _| !keys.as_array().unwrap().contains(&json!(key)));
            }
            "DeleteUserProfile" => {
                let (domain, name) = key("UserProfileName");
                let owned = self.people.spaces.values().any(|space| space.owner.as_ref() == Some(&name));
                if owned || self.people.is_in_use("UserProfileName", &domain, &name) {
                    return Err((400, "ResourceInUse"));
                }
                let profile = self.people.profiles.get_mut(&(domain, name)).ok_or(missing)?;
                (profile.status, profile.going) = ("Deleting", Some(2));
            }
            "DeleteSpace" => {
                let (domain, name) = key("SpaceName");
                if self.people.is_in_use("SpaceName", &domain, &name) {
                    return Err((400, "ResourceInUse"));
                }
                self.people.spaces.get_mut(&(domain, name)).ok_or(missing)?.going = Some(2);
            }
            "DeleteApp" => {
                let is = |app: &&mut App| {
                    app.domain == text("DomainId")
                        && app.name == text("AppName")
                        && input[app.of.0] == app.of.1
                };
                let app = self.people.apps.iter_mut().find(is).ok_or(missing)?;
                if app.status != "InService" {
                    return Err((400, "ValidationException"));
                }
                (app.status, app.going) = ("Deleting", Some(2));
            }
            other => panic!("{other} is not expected"),
        }
        Ok("{}".to_owned())
    }

    fn create_profile(&mut self, key: (String, String), input: &Input) -> Result<(), (u16, &'static str)> {
        let settings = input["UserSettings"].clone();
        let groups = settings["SecurityGroups"].as_array().unwrap();
        let known = |group: &Value| self.groups.contains_key(group.as_str().unwrap());
        if groups.len() > 5 || !known(&groups[0]) {
            return Err((400, "ValidationException"));
        }
        if self.people.profiles.contains_key(&key) {
            return Err((400, "ResourceInUse"));
        }
        let tags = tags(&input["Tags"]);
        let profile = Profile { settings, tags, changing: 2, status: "Pending", going: None };
        self.people.profiles.insert(key, profile);
        Ok(())
    }

    fn tagged(&mut self, input: &Input) -> Result<&mut Profile, (u16, &'static str)> {
        let arn = input["ResourceArn"].as_str().unwrap();
        let (domain, name) = arn.strip_prefix("arn:profile/").unwrap().split_once('/').unwrap();
        let key = (domain.to_owned(), name.to_owned());
        self.people.profiles.get_mut(&key).ok_or((400, "ResourceNotFound"))
    }

    fn list(&mut self, operation: &str, input: &Input) -> String {
        let domain = input["DomainIdEquals"].as_str().unwrap();
        // A whole look is over with its first listing.
        if operation == "ListApps" && input["NextToken"].is_null() {
            self.people.look();
        }
        let people = &self.people;
        let here = |key: &(String, String)| key.0 == domain;
        let (rows, found) = match operation {
            "ListUserProfiles" => {
                let found = people.profiles.iter().filter(|(key, _)| here(key));
                let row = |(key, profile): (&(String, String), &Profile)| json!({"DomainId": domain, "UserProfileName": key.1, "Status": profile.status});
                ("UserProfiles", found.map(row).collect())
            }
            "ListSpaces" => {
                let found = people.spaces.iter().filter(|(key, _)| here(key));
                let row = |(key, space): (&(String, String), &Space)| {
                    let status = if space.going.is_some() { "Deleting" } else { "InService" };
                    json!({
                        "DomainId": domain, "SpaceName": key.1, "Status": status,
                        "OwnershipSettingsSummary": {"OwnerUserProfileName": space.owner},
                    })
                };
                ("Spaces", found.map(row).collect())
            }
            _ => {
                let found = people.apps.iter().filter(|app| app.domain == domain);
                let row = |app: &App| {
                    json!({
                        "DomainId": domain, "AppType": "JupyterLab", "AppName": app.name, "Status": app.status,
                        app.of.0: app.of.1,
                    })
                };
                ("Apps", found.map(row).collect())
            }
        };
        people.page(rows, found, input)
    }
}

fn tags(tags: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    tags.as_array().into_iter().flatten().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}
