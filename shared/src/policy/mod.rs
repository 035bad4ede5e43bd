//! Who may do what: the operator's `policy.cedar`, in [Cedar](https://docs.cedarpolicy.com).
//!
//! What policies can speak of stands in `egress.cedarschema` beside this file, and they are validated against
//! it when they are read. After that, a decision is a pure function of a person, an action, a [`Request`] and
//! the [`Config`]. What no policy permits is not permitted; where a policy can't be evaluated, nothing is.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, Entity, PolicyId, PolicySet, Response,
};

use crate::config::{Config, same_spelling};
use crate::request::Request;
use crate::validation::{File, Mistake, Mistakes, Unreadable};

mod depth;
mod facts;
mod read;

use facts::{Facts, Unclear, Words};

/// The most people whose yes a policy can ask for.
pub const MOST_APPROVALS: usize = 10;

/// What somebody wants to do to a request. The names are those of the schema's actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Ask for domains.
    Request,
    /// Have a request approved without anybody's yes.
    AutoApprove,
    /// Have it approved at once, because nobody can be waited for.
    BreakGlass,
    /// Have it approved by so many people's yes.
    Grant,
    /// Say yes to it.
    Approve,
    /// Say no to it.
    Deny,
    /// Take it back.
    Withdraw,
    /// Ask for more time: for the request whose grant is there.
    Extend,
    /// End its grant.
    Revoke,
}

impl Action {
    /// Every action on a request.
    pub const ALL: [Self; 9] = [
        Self::Request,
        Self::AutoApprove,
        Self::BreakGlass,
        Self::Grant,
        Self::Approve,
        Self::Deny,
        Self::Withdraw,
        Self::Extend,
        Self::Revoke,
    ];

    /// Its name in a policy: `Egress::Action::"…"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "Request",
            Self::AutoApprove => "AutoApprove",
            Self::BreakGlass => "BreakGlass",
            Self::Grant => "Grant",
            Self::Approve => "Approve",
            Self::Deny => "Deny",
            Self::Withdraw => "Withdraw",
            Self::Extend => "Extend",
            Self::Revoke => "Revoke",
        }
    }
}

/// What the policies say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may be.
    Permitted,
    /// Policies forbid it, or can't be evaluated: why, in sentences for the person, joined by `; `.
    Forbidden(String),
    /// No policy permits it.
    NotPermitted,
}

/// Why policies can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file can't be read.
    #[error(transparent)]
    Read(#[from] Unreadable),
    /// It is not Cedar, or doesn't fit the schema, or lacks what people are shown, or speaks of groups that
    /// nobody has made. The text names the mistakes, where it can with their lines.
    #[error(transparent)]
    Wrong(#[from] Mistakes),
}

/// The operator's policies, validated. A clone shares them.
#[derive(Debug, Clone)]
pub struct Policy {
    rules: Arc<Rules>,
}

/// What is made of the text once.
#[derive(Debug)]
struct Rules {
    /// The policies, each under the id of its annotation.
    policies: PolicySet,
    /// The id and the reason of each forbid, in the text's order.
    reasons: Vec<(PolicyId, String)>,
    /// The groups that policies speak of, with the lines where they do first, as far as those are known.
    groups: BTreeMap<String, Option<usize>>,
    /// The schema's actions, with the groups of actions that they are in.
    actions: Entities,
    /// The schema's names.
    words: Words,
    /// How deep the deepest policy can be.
    depth: usize,
}

impl Policy {
    /// Reads the text of a `policy.cedar`, at most 100,000 bytes, and validates it.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        Ok(Self::of(text.as_bytes())?)
    }

    /// Reads the file that lies beside the function (`$LAMBDA_TASK_ROOT/policy.cedar`), or at `EGRESS_POLICY`
    /// when that is set.
    pub fn from_env() -> Result<Self, PolicyError> {
        Ok(Self::of(&File::PolicyCedar.of_the_function()?)?)
    }

    /// Reads and validates the bytes of a `policy.cedar`.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, Mistakes> {
        Ok(Self { rules: Arc::new(read::rules(bytes)?) })
    }

    /// Refuses a configuration that lacks a group of which the policies speak: in a forbid, a misspelt group
    /// would be a rule that isn't there. A group that has nobody in it is not lacking.
    pub fn check(&self, config: &Config) -> Result<(), PolicyError> {
        Ok(Mistakes::none_in(self.lacking(config))?)
    }

    /// The groups that a configuration lacks.
    pub(crate) fn lacking(&self, config: &Config) -> Vec<Mistake> {
        let lacking = self.rules.groups.iter().filter(|(group, _)| !config.groups.contains_key(*group));
        let reason =
            |group| format!("it speaks of the group {group:?}, which {} doesn't have", File::EgressToml);
        lacking.map(|(group, line)| read::mistake(*line, &reason(group))).collect()
    }

    /// What the policies say when `person` wants to do `action` to `request`, to which `approvals` distinct
    /// people have said yes. Of [`Action::AutoApprove`], [`Action::BreakGlass`] and [`Action::Grant`],
    /// `person` is the requester.
    pub fn decide(
        &self,
        person: &str,
        action: Action,
        request: &Request,
        approvals: usize,
        config: &Config,
    ) -> Verdict {
        self.with_stack(|| {
            let facts = self.rules.words.facts(request, config);
            closed(facts.and_then(|facts| self.judge(person, action, &facts, approvals, config)))
        })
    }

    /// Whether `person` may see everybody's requests.
    pub fn may_inspect(&self, person: &str, config: &Config) -> Verdict {
        self.of_the_ledger(person, "Inspect", config)
    }

    /// Whether `person` may let alerts rest.
    pub fn may_silence(&self, person: &str, config: &Config) -> Verdict {
        self.of_the_ledger(person, "Silence", config)
    }

    fn of_the_ledger(&self, person: &str, action: &str, config: &Config) -> Verdict {
        let words = &self.rules.words;
        let person = words.person(person, config);
        let answer = || self.answer(&person, action, &words.ledger(), None, Context::empty());
        self.with_stack(|| closed(answer()))
    }

    /// How many distinct people have to say yes to a request: 0 where nobody has to; none where no number of
    /// up to [`MOST_APPROVALS`] is enough.
    pub fn approvals_needed(&self, request: &Request, config: &Config) -> Option<usize> {
        self.with_stack(|| {
            let facts = self.rules.words.facts(request, config).ok()?;
            let may = |action, approvals| {
                closed(self.judge(&request.requester, action, &facts, approvals, config))
                    == Verdict::Permitted
            };
            if may(Action::AutoApprove, 0) {
                return Some(0);
            }
            (1..=MOST_APPROVALS).find(|approvals| may(Action::Grant, *approvals))
        })
    }

    /// Everybody of the configuration's groups who may say yes to a request, each once, in the spelling in
    /// which people are compared; never its requester, whatever the policies say.
    pub fn approvers_of(&self, request: &Request, config: &Config) -> Vec<String> {
        let requester = same_spelling(&request.requester);
        let so_far = request.approvals.len();
        self.with_stack(|| {
            let Ok(facts) = self.rules.words.facts(request, config) else { return Vec::new() };
            let may = |person: &String| {
                closed(self.judge(person, Action::Approve, &facts, so_far, config)) == Verdict::Permitted
            };
            config.people().into_iter().filter(|person| *person != requester).filter(may).collect()
        })
    }

    fn with_stack<T>(&self, run: impl FnOnce() -> T) -> T {
        depth::with_stack(self.rules.depth, run)
    }

    fn judge(
        &self,
        person: &str,
        action: Action,
        facts: &Facts,
        approvals: usize,
        config: &Config,
    ) -> Result<Verdict, Unclear> {
        let person = self.rules.words.person(person, config);
        let own = person.uid() == facts.requester.uid();
        let requester = (!own).then_some(&facts.requester);
        self.answer(&person, action.name(), &facts.request, requester, facts::progress(approvals, own)?)
    }

    fn answer(
        &self,
        person: &Entity,
        action: &str,
        resource: &Entity,
        requester: Option<&Entity>,
        context: Context,
    ) -> Result<Verdict, Unclear> {
        let action = self.rules.words.action(action);
        let known = [Some(person), Some(resource), requester, self.rules.actions.get(&action)];
        let known = Entities::from_entities(known.into_iter().flatten().cloned(), None)?;
        let question = cedar_policy::Request::new(person.uid(), action, resource.uid(), context, None)?;
        Ok(self.verdict(&Authorizer::new().is_authorized(&question, &self.rules.policies, &known)))
    }

    /// A policy that can't be evaluated might have forbidden it, so it is taken to.
    fn verdict(&self, response: &Response) -> Verdict {
        let deciding: Vec<&PolicyId> = response.diagnostics().reason().collect();
        let forbids = self.rules.reasons.iter().filter(|(id, _)| deciding.contains(&id));
        let mut reasons: Vec<String> = forbids.map(|(_, reason)| reason.clone()).collect();
        let failed = |AuthorizationError::PolicyEvaluationError(error): &AuthorizationError| {
            format!("the policy {} can't be evaluated: {}", error.policy_id(), error.inner())
        };
        let mut failures: Vec<String> = response.diagnostics().errors().map(failed).collect();
        failures.sort();
        reasons.append(&mut failures);
        match response.decision() {
            _ if !reasons.is_empty() => Verdict::Forbidden(reasons.join("; ")),
            Decision::Allow => Verdict::Permitted,
            Decision::Deny => Verdict::NotPermitted,
        }
    }
}

/// What can't be asked is not permitted.
fn closed(verdict: Result<Verdict, Unclear>) -> Verdict {
    verdict.unwrap_or_else(|error| Verdict::Forbidden(format!("the policy can't be asked: {error}")))
}
