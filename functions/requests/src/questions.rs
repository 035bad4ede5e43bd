//! What people ask: why a host is blocked, which requests there are, what became of one.

use std::collections::HashSet;

use egress::bus::Bus;
use egress::config::same_spelling;
use egress::domain::counted_under;
use egress::events::{Answer, ListOf, Question, RequestSummary};
use egress::explain::{Known, explain};
use egress::firewall::{Content, Firewall, PolicyGroup, PolicyRules, RuleGroups};
use egress::ledger::Ledger;
use egress::lifecycle::{self, Author};
use egress::policy::Verdict;
use egress::request::{Request, RequestId, StateName};
use jiff::SignedDuration;

use crate::work::Work;
use crate::{Requests, RequestsError};

/// The most requests of a list: an event of the bus has room for a quarter of a MiB.
const LONGEST_LIST: usize = 50;
/// The most domains of a request in a list.
const MOST_DOMAINS: usize = 5;

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    pub(crate) async fn answer_question(
        &self,
        question: &Question,
        author: &Author,
        work: &mut Work,
    ) -> Result<(), RequestsError> {
        let answer = match question {
            Question::Why { host } => self.why(host, &author.by).await?,
            Question::List { which } => self.list(*which, &author.by).await?,
            Question::Status { request_id } => self.status(request_id, &author.by).await?,
        };
        self.tell(author, answer, work).await?;
        Ok(())
    }

    /// Who may see their own requests only hears of no other one, and not from where others were blocked.
    async fn why(&self, host: &str, by: &str) -> Result<Answer, RequestsError> {
        let (now, config) = ((self.now)(), &self.rulebook.config);
        let since = now - SignedDuration::from_hours(24 * i64::from(config.risk.days));
        let name = counted_under(host);
        let (policy, groups, requests, blocked) = tokio::join!(
            self.firewall.policy(),
            self.firewall.read(),
            self.ledger.open_requests(),
            self.ledger.blocked(&name, since),
        );
        let policy = policy.unwrap_or_else(|error| {
            tracing::warn!(%error, "the firewall's policy can't be read, and the answer says so");
            let name = "the firewall's policy".to_owned();
            vec![PolicyGroup { name, arn: String::new(), rules: PolicyRules::Other(error.to_string()) }]
        });
        let RuleGroups { groups, unreadable } = groups;
        let grants: Vec<String> =
            groups.into_iter().map(|group| group.arn).chain(unreadable.into_keys()).collect();
        let (mut requests, blocked) = (requests?, blocked?);
        requests.retain(|request| self.may_see(Some(request), by));
        let known =
            Known { policy: &policy, grants: &grants, requests: &requests, config, blocked: &blocked, now };
        let mut explanation = explain(host, &known);
        if let Some(last) = explanation.last_blocked.as_mut().filter(|_| !self.may_see(None, by)) {
            last.owners.clear();
            last.sources.clear();
        }
        Ok(Answer::Why(Box::new(explanation)))
    }

    async fn list(&self, which: ListOf, by: &str) -> Result<Answer, RequestsError> {
        if which != ListOf::Mine && !self.may_see(None, by) {
            return Ok(not_allowed(None, "no policy lets you see other people's requests"));
        }
        let all = self.ledger.open_requests().await?;
        let found: Vec<RequestSummary> = match which {
            ListOf::Mine => summaries(&all, |request| same_spelling(&request.requester) == same_spelling(by)),
            ListOf::Pending => summaries(&all, |request| request.state == StateName::Pending),
            ListOf::Live => summaries(&all, |request| request.state.is_live()),
            ListOf::Unused => match self.unused(&all).await? {
                Ok(unused) => unused,
                Err(reason) => return Ok(not_allowed(None, &reason)),
            },
        };
        let more = found.len().saturating_sub(LONGEST_LIST);
        Ok(Answer::List { requests: found.into_iter().take(LONGEST_LIST).collect(), more })
    }

    /// The active grants of which no use is known, the oldest first; or why that can't be told. Where uses
    /// are not logged, every grant would seem unused.
    async fn unused(&self, all: &[Request]) -> Result<Result<Vec<RequestSummary>, String>, RequestsError> {
        if !self.firewall.logs_alerts().await? {
            let reason = "the firewall has no log of type ALERT, so nobody knows which grants are used";
            return Ok(Err(reason.to_owned()));
        }
        let groups = self.firewall.read().await.all()?;
        if let Some(group) = groups.iter().find(|group| matches!(group.content, Content::DomainList(_))) {
            let arn = &group.arn;
            let reason = format!(
                "{arn} is a domain list, whose rules log nothing: nobody knows which grants are used"
            );
            return Ok(Err(reason));
        }
        let quiet =
            |request: &&Request| request.state == StateName::Active && request.first_used_at.is_none();
        let mut quiet: Vec<&Request> = all.iter().filter(quiet).collect();
        // Where many ask for a domain, its rules don't name all of them: of those nobody knows.
        let texts = groups.iter().filter_map(|group| match &group.content {
            Content::Rules(text) => Some(text.as_str()),
            Content::DomainList(_) => None,
        });
        let words =
            texts.flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric() && letter != '-'));
        let named: HashSet<&str> = words.filter(|word| word.starts_with("req-")).collect();
        quiet.retain(|request| named.contains(request.id.as_str()));
        let ids: Vec<RequestId> = quiet.iter().map(|request| request.id.clone()).collect();
        // The use may be known that the request hasn't heard of yet.
        let evidence = self.ledger.evidence(&ids).await?;
        quiet.retain(|request| !evidence.contains_key(&request.id));
        quiet.sort_by_key(|request| (request.approved_at, &request.id));
        Ok(Ok(quiet
            .into_iter()
            .map(|request| RequestSummary { unused_since: request.approved_at, ..summary(request) })
            .collect()))
    }

    async fn status(&self, id: &RequestId, by: &str) -> Result<Answer, RequestsError> {
        // Whether it exists is told to nobody who may not see it.
        let request = self.ledger.load(id).await?.filter(|request| self.may_see(Some(request), by));
        let Some(request) = request else {
            return Ok(not_allowed(Some(id), &format!("there is no request {id} that you may see")));
        };
        let history = self.ledger.history(id).await?;
        let evidence = self.ledger.evidence(std::slice::from_ref(id)).await?.remove(id);
        Ok(Answer::Status { request: Box::new(request), history, evidence })
    }

    /// Everybody may see their own.
    fn may_see(&self, request: Option<&Request>, by: &str) -> bool {
        let lifecycle::Rulebook { config, policy } = &self.rulebook;
        let own = request.is_some_and(|request| same_spelling(&request.requester) == same_spelling(by));
        own || policy.may_inspect(by, config) == Verdict::Permitted
    }
}

fn not_allowed(request_id: Option<&RequestId>, reason: &str) -> Answer {
    Answer::NotAllowed { request_id: request_id.cloned(), reason: reason.to_owned() }
}

fn summaries(all: &[Request], which: impl Fn(&Request) -> bool) -> Vec<RequestSummary> {
    all.iter().filter(|request| which(request)).map(summary).collect()
}

fn summary(request: &Request) -> RequestSummary {
    let mut domains: Vec<String> =
        request.domains.iter().take(MOST_DOMAINS).map(ToString::to_string).collect();
    if let Some(more) = request.domains.len().checked_sub(MOST_DOMAINS).filter(|more| *more > 0) {
        domains.push(format!("and {more} more"));
    }
    RequestSummary {
        id: request.id.clone(),
        state: request.state,
        requester: request.requester.clone(),
        domains,
        until: request.ends_at.unwrap_or(request.lapses_at),
        unused_since: None,
    }
}
