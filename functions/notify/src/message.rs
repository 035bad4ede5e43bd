//! What people read: a subject and a text for each event. Pure functions of the event.

mod about;
pub(crate) mod act;
mod answer;
pub(crate) mod blocked;
mod digest;
mod firewall;
mod grant;
pub(crate) mod letter;
mod refused;
pub(crate) mod request;

use egress::request::ReplyTo;
use jiff::Timestamp;

use self::act::Speech;
use self::letter::Letter;
use crate::notice::Notice;
use crate::plain;

/// A message, as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its subject: at most 99 characters of printable ASCII.
    pub subject: String,
    /// Its text, plain.
    pub body: String,
    /// The same for every delivery of it, so that its readers can know it again.
    pub event_id: String,
    /// The event that it tells of.
    pub detail_type: &'static str,
    /// Where the person is told whom it concerns, if they have said where.
    pub reply_to: Option<ReplyTo>,
}

impl Message {
    /// What people read about an event.
    pub fn about(notice: &Notice) -> Self {
        let letter = letter(notice);
        let reply_to = notice
            .reply_to()
            .map(|ReplyTo { via, to }| ReplyTo { via: plain::name(via), to: plain::line(to) });
        Self {
            subject: plain::subject(&letter.subject),
            body: letter.text(Speech::Webhook),
            event_id: plain::line(&notice.event_id()),
            detail_type: notice.detail_type(),
            reply_to,
        }
    }

    /// What the filters of subscriptions can compare, each with a name. SNS takes no empty ones.
    pub fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let reply_to = self.reply_to.as_ref();
        let attributes = [
            ("event_id", Some(self.event_id.as_str())),
            ("detail_type", Some(self.detail_type)),
            ("via", reply_to.map(|reply_to| reply_to.via.as_str())),
            // Slack's response URLs are credentials.
            ("to", reply_to.filter(|reply_to| reply_to.via != "slack").map(|reply_to| reply_to.to.as_str())),
        ];
        attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.filter(|text| !text.is_empty())?)))
    }
}

/// What is said of an event, whichever way it is shown.
pub(crate) fn letter(notice: &Notice) -> Letter {
    match notice {
        Notice::RequestStateChanged(it) => request::changed(it),
        Notice::DecisionAwaited(it) => request::awaited(it),
        Notice::GlassBroken(it) => grant::glass_broken(it),
        Notice::GrantWaits(it) => grant::waits(it),
        Notice::GrantFirstUsed(it) => grant::first_used(it),
        Notice::CommandAnswered(it) => answer::answered(it),
        Notice::CommandNotTaken(it) => refused::not_taken(it),
        Notice::EventRefused(it) => refused::refused(it),
        Notice::AllowListChanged(it) => firewall::changed(it),
        Notice::DriftFound(it) => firewall::drift(it),
        Notice::TrafficBlocked(it) => blocked::blocked(it),
        Notice::BlockedDigest(it) => digest::digest(it),
    }
}

/// A time to the minute; UTC, since readers sit anywhere.
pub(crate) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A time to the second.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A length of time, as `1h 30m`.
fn length(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

/// The first few of many, and how many more.
fn some_of(all: &[String], most: usize) -> Vec<String> {
    let mut some: Vec<String> = all.iter().take(most).map(|text| plain::line(text)).collect();
    if let Some(more) = all.len().checked_sub(most).filter(|more| *more > 0) {
        some.push(format!("and {more} more"));
    }
    some
}

/// As `1 request`, `2 requests`.
fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
