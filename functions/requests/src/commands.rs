//! What people, alerts and the firewall do to a request: read, decided, and written until nobody has written in
//! between.

use std::time::Duration;

use egress::bus::Bus;
use egress::events::{Answer, DomainRequested, ExtensionRequested};
use egress::firewall::Firewall;
use egress::ledger::{Ledger, LedgerError, Transition};
use egress::lifecycle::{self, Author, Command, Draft, NotAllowed};
use egress::request::{Request, RequestId};
use tokio::time::sleep;

use crate::work::Work;
use crate::{Firewalled, Requests, RequestsError};

/// The longest pause before it is decided again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a command is decided again because the request has changed in between.
const MOST_DECISIONS: u32 = 8;

impl<F: Firewall, L: Ledger, B: Bus> Requests<F, L, B> {
    /// A new request.
    pub(crate) async fn open(
        &self,
        asked: &DomainRequested,
        author: &Author,
        work: &mut Work,
    ) -> Result<Firewalled, RequestsError> {
        let draft = lifecycle::draft(asked, &self.rulebook, (self.now)());
        self.write_draft(draft, author, work).await
    }

    /// A request for more time.
    pub(crate) async fn extend(
        &self,
        asked: &ExtensionRequested,
        author: &Author,
        overtaking: bool,
        work: &mut Work,
    ) -> Result<Firewalled, RequestsError> {
        let Some(original) = self.ledger.load(&asked.request_id).await? else {
            return self.no_such_request(&asked.request_id, author, overtaking, work).await;
        };
        match lifecycle::draft_extension(asked, &original, &self.rulebook, (self.now)()) {
            Ok(draft) => self.write_draft(draft, author, work).await,
            Err(refusal) => self.not_allowed(&refusal, Some(&asked.request_id), author, work).await,
        }
    }

    async fn write_draft(
        &self,
        mut draft: Draft,
        author: &Author,
        work: &mut Work,
    ) -> Result<Firewalled, RequestsError> {
        // Who has to decide should know what it would change; where nobody has to, nobody waits for that.
        if draft.waits_for_people() {
            self.find_effect(&mut draft).await;
        }
        let now = (self.now)();
        let mut transition = draft.open(now)?;
        add_answer(&mut transition, author)?;
        for _ in 0..MOST_DECISIONS {
            match self.ledger.commit(&transition).await {
                Ok(()) => return Ok(work.done(transition)),
                Err(LedgerError::Duplicate) => return Ok(repeated(&transition.request.id)),
                // Another delivery of the same message is at it, and may still fail; or it was done long
                // ago. What is there tells.
                Err(LedgerError::Conflict) => {
                    if self.ledger.load(&transition.request.id).await?.is_some() {
                        return Ok(repeated(&transition.request.id));
                    }
                    self.pause().await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(LedgerError::Conflict.into())
    }

    /// What somebody does to a request. What isn't allowed is an answer, not an error: another delivery would
    /// not change it.
    pub(crate) async fn command(
        &self,
        id: &RequestId,
        command: &Command,
        author: &Author,
        overtaking: bool,
        work: &mut Work,
    ) -> Result<Firewalled, RequestsError> {
        self.command_by(id, |_| Some(command.clone()), author, overtaking, work).await
    }

    /// The same, where what is done depends on what the request is in; nothing where there is nothing to do.
    pub(crate) async fn command_by(
        &self,
        id: &RequestId,
        choose: impl Fn(&Request) -> Option<Command>,
        author: &Author,
        overtaking: bool,
        work: &mut Work,
    ) -> Result<Firewalled, RequestsError> {
        for _ in 0..MOST_DECISIONS {
            let Some(request) = self.ledger.load(id).await? else {
                return self.no_such_request(id, author, overtaking, work).await;
            };
            let Some(command) = choose(&request) else {
                tracing::info!(request_id = %id, state = %request.state, "there is nothing to do");
                return Ok(Firewalled::Untouched);
            };
            if let Command::Approve { .. } = command
                && let Err(refusal) = self.may_extend(&request).await?
            {
                return self.not_allowed(&refusal, Some(id), author, work).await;
            }
            let mut transition = match self.apply(&request, &command)? {
                Ok(transition) => transition,
                Err(refusal) => return self.not_allowed(&refusal, Some(id), author, work).await,
            };
            transition.message_key = Some(author.message_key.clone());
            add_answer(&mut transition, author)?;
            match self.ledger.commit(&transition).await {
                Ok(()) => return Ok(work.done(transition)),
                Err(LedgerError::Duplicate) => return Ok(repeated(id)),
                Err(LedgerError::Conflict) => self.pause().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(LedgerError::Conflict.into())
    }

    /// What the clock, the firewall or the alerts do to a request; whether it came to a transition, and
    /// nothing where there is no such request. It is no error that they come too late, or twice.
    pub(crate) async fn system_command(
        &self,
        id: &RequestId,
        command: &Command,
        work: &mut Work,
    ) -> Result<Option<bool>, RequestsError> {
        for _ in 0..MOST_DECISIONS {
            let Some(request) = self.ledger.load(id).await? else { return Ok(None) };
            let transition = match self.apply(&request, command)? {
                Ok(transition) => transition,
                Err(refusal) => {
                    tracing::debug!(%refusal, "nothing to do");
                    return Ok(Some(false));
                }
            };
            match self.ledger.commit(&transition).await {
                Ok(()) => {
                    work.done(transition);
                    return Ok(Some(true));
                }
                Err(LedgerError::Conflict) => self.pause().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(LedgerError::Conflict.into())
    }

    /// Lets the other writer come to its end.
    async fn pause(&self) {
        sleep(PAUSE.mul_f64((self.jitter)().clamp(0.0, 1.0))).await;
    }

    /// What a request for more time extends must not have been revoked meanwhile.
    async fn may_extend(&self, request: &Request) -> Result<Result<(), NotAllowed>, RequestsError> {
        let Some(original) = &request.extends else { return Ok(Ok(())) };
        if !self.is_revoked(original, &request.id).await? {
            return Ok(Ok(()));
        }
        Ok(Err(NotAllowed::OriginalRevoked { id: request.id.clone(), original: original.clone() }))
    }

    /// What the rules say; an error of its own is no refusal.
    fn apply(
        &self,
        request: &Request,
        command: &Command,
    ) -> Result<Result<Transition, NotAllowed>, RequestsError> {
        match lifecycle::apply(request, command, &self.rulebook, (self.now)()) {
            Err(NotAllowed::Event(cause)) => Err(NotAllowed::Event(cause).into()),
            outcome => Ok(outcome),
        }
    }

    /// A refusal is told, unless this very message has done its work before.
    pub(crate) async fn not_allowed(
        &self,
        refusal: &NotAllowed,
        request_id: Option<&RequestId>,
        author: &Author,
        work: &mut Work,
    ) -> Result<Firewalled, RequestsError> {
        let answer = Answer::NotAllowed { request_id: request_id.cloned(), reason: refusal.to_string() };
        if self.tell(author, answer, work).await? {
            tracing::warn!(%refusal, by = author.by, "not allowed");
            work.outcome.not_allowed.push(refusal.to_string());
            return Ok(Firewalled::Untouched);
        }
        Ok(request_id.map_or(Firewalled::Untouched, repeated))
    }

    async fn no_such_request(
        &self,
        id: &RequestId,
        author: &Author,
        overtaking: bool,
        work: &mut Work,
    ) -> Result<Firewalled, RequestsError> {
        if overtaking {
            return Err(RequestsError::NoSuchRequest(id.clone()));
        }
        let reason = format!("there is no request {id}");
        tracing::warn!(by = author.by, reason, "not allowed");
        work.outcome.not_allowed.push(reason.clone());
        self.tell(author, Answer::NotAllowed { request_id: Some(id.clone()), reason }, work).await?;
        Ok(Firewalled::Untouched)
    }

    /// Answers a message that changes nothing; false when it had done its work before.
    pub(crate) async fn tell(
        &self,
        author: &Author,
        answer: Answer,
        work: &mut Work,
    ) -> Result<bool, RequestsError> {
        let entry = lifecycle::answer(author, answer, (self.now)())?;
        match self.ledger.answer(&author.message_key, &entry).await {
            Ok(()) => {
                work.unpublished.push(entry);
                Ok(true)
            }
            Err(LedgerError::Duplicate) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The message had done its work before; whether that came to its end nobody knows, so the firewall is
/// looked at.
fn repeated(id: &RequestId) -> Firewalled {
    tracing::info!(request_id = %id, "the message has been acted on already");
    Firewalled::Concerned
}

/// Who wants to be answered is.
fn add_answer(transition: &mut Transition, author: &Author) -> Result<(), RequestsError> {
    if author.reply_to.is_some() {
        let (request, comment) = (transition.request.clone(), transition.history.comment.clone());
        let answer = Answer::Done { request: Box::new(request), comment };
        transition.outbox.push(lifecycle::answer(author, answer, transition.history.at)?);
    }
    Ok(())
}
