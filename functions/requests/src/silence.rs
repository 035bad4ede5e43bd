//! Alerts rest for a time, where the policy lets who asks for that.

use egress::bus::Bus;
use egress::events::{AlertsSilenced, Answer};
use egress::firewall::Firewall;
use egress::ledger::{Ledger, LedgerError};
use egress::lifecycle::{self, Author, Rulebook};
use egress::policy::Verdict;

use crate::work::Work;
use crate::{Firewalled, Requests, RequestsError};

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// Writes the silence and its answer. The firewall has nothing to do with it.
    pub(crate) async fn silence(
        &self,
        asked: &AlertsSilenced,
        author: &Author,
        work: &mut Work,
    ) -> Result<Firewalled, RequestsError> {
        if let Some(reason) = self.may_not_silence(&author.by) {
            let answer = Answer::NotAllowed { request_id: None, reason: reason.clone() };
            if self.tell(author, answer, work).await? {
                tracing::warn!(reason, by = author.by, "not allowed");
                work.outcome.not_allowed.push(reason);
            }
            return Ok(Firewalled::Untouched);
        }
        let now = (self.now)();
        let silence = asked.silence(now)?;
        let entry = lifecycle::answer(author, Answer::Silenced { silence: silence.clone() }, now)?;
        match self.ledger.silence(&silence, &author.message_key, &entry).await {
            Ok(()) => {
                let (domain, owner) = (silence.domain, silence.owner);
                tracing::info!(domain, owner, until = %silence.until, by = author.by, "alerts rest");
                work.unpublished.push(entry);
            }
            Err(LedgerError::Duplicate) => tracing::info!("the message has been acted on already"),
            Err(error) => return Err(error.into()),
        }
        Ok(Firewalled::Untouched)
    }

    fn may_not_silence(&self, by: &str) -> Option<String> {
        let Rulebook { config, policy } = &self.rulebook;
        match policy.may_silence(by, config) {
            Verdict::Permitted => None,
            Verdict::Forbidden(reason) => Some(reason),
            Verdict::NotPermitted => Some("no policy lets you silence alerts".to_owned()),
        }
    }
}
