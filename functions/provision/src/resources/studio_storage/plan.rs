//! What is to be done about what a domain leaves behind: the decisions, without a call.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::Next;
use crate::protocol::answer::Done;
use crate::protocol::properties::{Properties, PropertyError, quoted, wrong};
use crate::protocol::request::{Request, RequestType};

/// What a request wants.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// To be called when the domain is gone. There is nothing to do until then.
    Ready { id: String },
    /// Nothing of a deleted domain in the VPC.
    Cleared(Cleared),
    /// A Create has failed before it had a VPC.
    Nothing,
}

/// What is to be cleared.
#[derive(Debug)]
pub(crate) struct Cleared {
    pub(crate) vpc_id: String,
    /// Whether the file systems stay.
    pub(crate) keep: bool,
}

/// What was seen, and can't be seen any more.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// File systems of the VPC. Without mount targets and groups, nothing else leads to them.
    pub(crate) file_systems: BTreeSet<String>,
    /// Domains that are gone. Their ids are never given again.
    pub(crate) gone: BTreeSet<String>,
}

/// What there is: by domain, what it has in the VPC.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) homes: BTreeMap<String, Home>,
}

/// What a domain has, or has left behind.
#[derive(Debug, Default)]
pub(crate) struct Home {
    pub(crate) domain: Domain,
    pub(crate) file_systems: Vec<FileSystem>,
    /// The security groups through which notebooks reach the file system.
    pub(crate) groups: Vec<Group>,
    /// What still uses these groups, in words.
    pub(crate) interfaces: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Domain {
    /// Whatever nobody has called gone is alive.
    #[default]
    Lives,
    Going,
    Gone,
}

#[derive(Debug)]
pub(crate) struct FileSystem {
    pub(crate) id: String,
    /// The key by which it is encrypted.
    pub(crate) key: Option<String>,
    pub(crate) going: bool,
    pub(crate) mount_targets: Vec<MountTarget>,
}

#[derive(Debug)]
pub(crate) struct MountTarget {
    pub(crate) id: String,
    pub(crate) going: bool,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) has_rules: bool,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    RemoveMountTargets(Vec<String>),
    DeleteFileSystem(String),
    /// Of these security groups: they refer to each other, so neither could go.
    RevokeRules(Vec<String>),
    DeleteGroups(Vec<String>),
}

impl Wanted {
    pub(crate) fn read(request: &Request) -> Result<Self, PropertyError> {
        let (vpc_id, keep) =
            (request.properties.resource_id("VpcId", "vpc-", "a VPC"), keep(&request.properties));
        if request.kind == RequestType::Delete {
            return Ok(match vpc_id {
                // Nothing is deleted on a word that isn't understood.
                Ok(vpc_id) => Self::Cleared(Cleared { vpc_id, keep: keep.unwrap_or(true) }),
                Err(_) => Self::Nothing,
            });
        }
        keep?;
        // Another VPC is another resource: the Delete of the old one clears the old VPC.
        Ok(Self::Ready { id: format!("studio-storage-{}", vpc_id?) })
    }

    pub(crate) fn next(&self, world: &World) -> Next<Act> {
        match self {
            Self::Ready { id } => Next::Done(Done { physical_id: Some(id.clone()), ..Done::default() }),
            Self::Nothing => Next::Done(Done::default()),
            Self::Cleared(Cleared { keep, .. }) => world.next(*keep),
        }
    }
}

impl World {
    /// What is seen now and won't be for long.
    pub(crate) fn remember(&self, state: &mut State) {
        let files = self.homes.values().flat_map(|home| &home.file_systems);
        state.file_systems.extend(files.map(|files| files.id.clone()));
        let gone = self.homes.iter().filter(|(_, home)| home.domain == Domain::Gone);
        state.gone.extend(gone.map(|(domain, _)| domain.clone()));
    }

    /// One domain after the other.
    fn next(&self, keep: bool) -> Next<Act> {
        let mut homes = self.homes.iter();
        homes.find_map(|(domain, home)| home.next(domain, keep)).unwrap_or_else(|| {
            let notes = self.homes.iter().flat_map(|(domain, home)| home.notes(domain));
            Next::Done(Done { note: notes.collect::<Vec<_>>().join("; "), ..Done::default() })
        })
    }
}

impl Home {
    /// The groups go last: they are what leads to a file system that has no mount target any more, for
    /// a function that goes on where another was ended.
    fn next(&self, domain: &str, keep: bool) -> Option<Next<Act>> {
        match self.domain {
            Domain::Lives => return None,
            Domain::Going => return Some(Next::Wait(format!("the domain {domain} is being deleted"))),
            Domain::Gone => {}
        }
        if let Some(next) = self.file_systems.iter().find_map(|files| files.next(keep)) {
            return Some(next);
        }
        if let Some(interface) = self.interfaces.first() {
            return Some(Next::Wait(format!("the network interface {interface} is still there")));
        }
        let ids = |groups: &mut dyn Iterator<Item = &Group>| groups.map(|group| group.id.clone()).collect();
        let with_rules: Vec<_> = ids(&mut self.groups.iter().filter(|group| group.has_rules));
        if !with_rules.is_empty() {
            return Some(Next::Act(Act::RevokeRules(with_rules)));
        }
        let all: Vec<_> = ids(&mut self.groups.iter());
        (!all.is_empty()).then_some(Next::Act(Act::DeleteGroups(all)))
    }

    /// Whether it matters what uses the groups: not while a file system is to be dealt with.
    pub(crate) fn is_down_to_groups(&self, keep: bool) -> bool {
        self.domain == Domain::Gone
            && !self.groups.is_empty()
            && self.file_systems.iter().all(|files| files.next(keep).is_none())
    }

    /// What a person has to know when all is done.
    fn notes(&self, domain: &str) -> impl Iterator<Item = String> {
        let kept = self.domain == Domain::Gone;
        self.file_systems
            .iter()
            .map(move |files| if kept { files.kept(domain) } else { files.left_alone(domain) })
    }
}

impl FileSystem {
    fn next(&self, keep: bool) -> Option<Next<Act>> {
        let id = &self.id;
        let staying: Vec<_> = self.mount_targets.iter().filter(|target| !target.going).collect();
        if !staying.is_empty() {
            let ids = staying.into_iter().map(|target| target.id.clone());
            return Some(Next::Act(Act::RemoveMountTargets(ids.collect())));
        }
        if let Some(target) = self.mount_targets.first() {
            let what = format!("the mount target {} of {id} is being deleted", target.id);
            return Some(Next::Wait(what));
        }
        match (keep, self.going) {
            (_, true) => Some(Next::Wait(format!("the file system {id} is being deleted"))),
            (false, false) => Some(Next::Act(Act::DeleteFileSystem(id.clone()))),
            (true, false) => None,
        }
    }

    fn kept(&self, domain: &str) -> String {
        let id = &self.id;
        let key = self.key.as_ref().map_or_else(String::new, |key| {
            format!(", or cancel the deletion of its key {key} to go on reading it")
        });
        format!(
            "the home directories of the domain {domain} are kept in the file system {id}: give it a mount target to read it, delete it when it is not needed{key}"
        )
    }

    fn left_alone(&self, domain: &str) -> String {
        format!("the file system {} is left as it is, since its domain {domain} still lives", self.id)
    }
}

fn keep(properties: &Properties) -> Result<bool, PropertyError> {
    match properties.optional_text("HomeDirectories")?.as_deref() {
        None | Some("Retain") => Ok(true),
        Some("Delete") => Ok(false),
        Some(other) => {
            Err(wrong("HomeDirectories", format!("is {}: it must be Retain or Delete", quoted(other))))
        }
    }
}

/// The id in the ARN of a domain; none when the ARN is of something else.
pub(crate) fn domain_of(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let service = parts.nth(2)?;
    let id = parts.nth(2)?.strip_prefix("domain/")?;
    (service == "sagemaker" && !id.is_empty() && !id.contains('/')).then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(kind: &str, properties: &serde_json::Value) -> Result<Wanted, PropertyError> {
        Wanted::read(&Request::read(json!({"RequestType": kind, "ResourceProperties": properties})))
    }

    fn files(mount_targets: &[(&str, bool)]) -> FileSystem {
        let mount_targets =
            mount_targets.iter().map(|(id, going)| MountTarget { id: (*id).into(), going: *going });
        FileSystem { id: "fs-1".into(), key: None, going: false, mount_targets: mount_targets.collect() }
    }

    fn groups(has_rules: [bool; 2]) -> Vec<Group> {
        ["sg-in", "sg-out"]
            .into_iter()
            .zip(has_rules)
            .map(|(id, has_rules)| Group { id: id.into(), has_rules })
            .collect()
    }

    fn home() -> Home {
        let (file_systems, groups) =
            (vec![files(&[("fsmt-1", false), ("fsmt-2", false)])], groups([true; 2]));
        Home { domain: Domain::Gone, file_systems, groups, interfaces: vec!["eni-1".into()] }
    }

    fn next(keep: bool, home: Home) -> Next<Act> {
        let cleared = Wanted::Cleared(Cleared { vpc_id: "vpc-1".into(), keep });
        cleared.next(&World { homes: [("d-1".to_owned(), home)].into() })
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_thing_goes_after_the_other() {
        let (in_out, gone) = (ids(&["sg-in", "sg-out"]), || vec![]);
        let both = Act::RemoveMountTargets(ids(&["fsmt-1", "fsmt-2"]));
        assert_eq!(next(false, home()), Next::Act(both));
        let second = Home { file_systems: vec![files(&[("fsmt-1", true), ("fsmt-2", false)])], ..home() };
        assert_eq!(next(false, second), Next::Act(Act::RemoveMountTargets(ids(&["fsmt-2"]))));
        let going = Home { file_systems: vec![files(&[("fsmt-2", true)])], ..home() };
        let what = "the mount target fsmt-2 of fs-1 is being deleted".to_owned();
        assert_eq!(next(false, going), Next::Wait(what));
        let unmounted = Home { file_systems: vec![files(&[])], ..home() };
        assert_eq!(next(false, unmounted), Next::Act(Act::DeleteFileSystem("fs-1".into())));
        let interface = Home { file_systems: gone(), ..home() };
        assert_eq!(
            next(false, interface),
            Next::Wait("the network interface eni-1 is still there".to_owned())
        );
        let unused = Home { file_systems: gone(), interfaces: vec![], ..home() };
        assert_eq!(next(false, unused), Next::Act(Act::RevokeRules(in_out.clone())));
        let one = Home { groups: groups([false, true]), file_systems: gone(), interfaces: vec![], ..home() };
        assert_eq!(next(false, one), Next::Act(Act::RevokeRules(ids(&["sg-out"]))));
        let bare = Home { groups: groups([false; 2]), file_systems: gone(), interfaces: vec![], ..home() };
        assert_eq!(next(false, bare), Next::Act(Act::DeleteGroups(in_out)));
        let nothing = Home { domain: Domain::Gone, ..Home::default() };
        assert_eq!(next(false, nothing), Next::Done(Done::default()));
    }

    #[test]
    fn what_is_kept_is_named_with_its_key() {
        let file_systems = || vec![FileSystem { key: Some("arn:key".into()), ..files(&[]) }];
        let unmounted = Home { file_systems: file_systems(), interfaces: vec![], ..home() };
        assert!(matches!(next(true, unmounted), Next::Act(Act::RevokeRules(_))));
        let Next::Done(done) =
            next(true, Home { domain: Domain::Gone, file_systems: file_systems(), ..Home::default() })
        else {
            panic!()
        };
        insta::assert_snapshot!(done.note, @"the home directories of the domain d-1 are kept in the file system fs-1: give it a mount target to read it, delete it when it is not needed, or cancel the deletion of its key arn:key to go on reading it");
    }

    #[test]
    fn nothing_of_a_domain_that_lives_is_touched() {
        for keep in [true, false] {
            let Next::Done(done) = next(keep, Home { domain: Domain::Lives, ..home() }) else { panic!() };
            assert_eq!(done.note, "the file system fs-1 is left as it is, since its domain d-1 still lives");
            let going = Home { domain: Domain::Going, ..home() };
            assert_eq!(next(keep, going), Next::Wait("the domain d-1 is being deleted".to_owned()));
        }
        assert_eq!(Domain::default(), Domain::Lives);
    }

    #[test]
    fn properties_are_refused_before_anything_depends_on_them() {
        let error = |properties: &serde_json::Value| wanted("Create", properties).unwrap_err().to_string();
        assert_eq!(error(&json!({})), "the property VpcId is missing, or empty");
        for id in ["vpc-", "vpc-*", "vpc-1?", "subnet-1"] {
            assert!(error(&json!({"VpcId": id})).contains("must be the id of a VPC"));
        }
        let choice = json!({"VpcId": "vpc-1", "HomeDirectories": "Keep"});
        assert_eq!(error(&choice), "the property HomeDirectories is \"Keep\": it must be Retain or Delete");
        // A Delete has to succeed, and takes nothing that it isn't told to take.
        assert!(matches!(wanted("Delete", &json!({"VpcId": "vpc-*"})), Ok(Wanted::Nothing)));
        for properties in
            [choice, json!({"VpcId": "vpc-1"}), json!({"VpcId": "vpc-1", "HomeDirectories": ["Delete"]})]
        {
            assert!(matches!(wanted("Delete", &properties), Ok(Wanted::Cleared(Cleared { keep: true, .. }))));
        }
        let delete = wanted("Delete", &json!({"VpcId": "vpc-1", "HomeDirectories": "Delete"}));
        assert!(matches!(delete, Ok(Wanted::Cleared(Cleared { keep: false, .. }))));
    }

    #[test]
    fn only_the_arn_of_a_domain_names_one() {
        assert_eq!(domain_of("arn:aws-cn:sagemaker:cn-north-1:1:domain/d-1"), Some("d-1"));
        for other in [
            "",
            "d-1",
            "arn:aws:sagemaker:r:1:node/d-1/a/b",
            "arn:aws:sagemaker:r:1:domain/",
            "arn:aws:ec2:r:1:domain/d-1",
        ] {
            assert_eq!(domain_of(other), None, "{other}");
        }
    }
}
