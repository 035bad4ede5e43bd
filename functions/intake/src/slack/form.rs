//! A body of Slack's, as what it comes to. It is a form, as HTML has them; the reading has no side effects.

use egress::config::Config;
use egress::events::{Decision, silence};
use egress::request::{ReplyTo, RequestId};
use egress::slack::{APPROVE, AlertGroup, Ask, COMMENT, DENY, REQUEST, SILENCE, WITHDRAW};
use jiff::Timestamp;

use super::payload::{Payload, Pressed};
use super::{CHANNEL, Heard, Open, Way, dialog};
use crate::command::Command;
use crate::speaker::{Objection, Speaker};
use crate::words::Voice;

/// The longest id of Slack's that is taken, in bytes.
const LONGEST_ID: usize = 200;
/// The slash command, where Slack doesn't say it.
const COMMAND: &str = "/egress";

/// What a body is read by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) config: &'a Config,
    /// Whether there is a token to open dialogs with.
    pub(super) has_dialogs: bool,
    pub(super) now: Timestamp,
}

/// Why a body can't be what Slack sends, by the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct SlackError(String);

impl Form<'_> {
    /// Reads a body.
    pub(super) fn read(&self, body: &[u8]) -> Result<Heard, SlackError> {
        let field = |name: &str| {
            let mut fields = form_urlencoded::parse(body);
            fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
        };
        if field("ssl_check").is_some() {
            return Ok(Heard::Nothing);
        }
        if let Some(payload) = field("payload") {
            return self.interaction(&payload);
        }
        let needed = |name: &str| field(name).ok_or_else(|| SlackError(format!("{name} is missing")));
        let trigger_id = id("trigger_id", needed("trigger_id")?)?;
        let speaker = self.speaker(needed("user_id")?, &trigger_id, needed("response_url")?)?;
        Ok(self.typed(&needed("command")?, &plain(&needed("text")?), speaker, trigger_id))
    }

    /// Who says something, answered where they said it.
    fn speaker(
        &self,
        user_id: String,
        trigger_id: &str,
        response_url: String,
    ) -> Result<Speaker, SlackError> {
        let answers = &self.config.slack.answers;
        if !answers.holds(&response_url) || response_url.len() > 2_000 {
            return Err(SlackError(format!("response_url is not below {answers}")));
        }
        self.whoever(user_id, trigger_id, response_url)
    }

    fn whoever(&self, user_id: String, key: &str, to: String) -> Result<Speaker, SlackError> {
        let id = id("user_id", user_id)?;
        let person = self.config.person(CHANNEL, &id).map(str::to_owned);
        let reply_to = ReplyTo { via: CHANNEL.to_owned(), to };
        Ok(Speaker { person, channel: CHANNEL.to_owned(), id, key: format!("slack:{key}"), reply_to })
    }

    /// What somebody has typed.
    fn typed(&self, command: &str, text: &str, speaker: Speaker, trigger_id: String) -> Heard {
        let voice = Voice::slack(command);
        let objects = |objection: &Objection| Heard::Answer(voice.objection(objection), None);
        if text.trim().eq_ignore_ascii_case("request") {
            let opens = |()| {
                let instead = Heard::Answer(voice.instead(&Ask::default()), None);
                self.opens(trigger_id, Ask::default(), instead)
            };
            return speaker.is_known().map_or_else(|objection| objects(&objection), opens);
        }
        let command = match Command::parse(text, None) {
            Ok(Some(command)) => command,
            Ok(None) => return objects(&Objection::Help),
            Err(error) => return objects(&Objection::Unclear(error.to_string())),
        };
        let speaker = if command.is_request() { for_days(speaker) } else { speaker };
        match speaker.says(command, self.config) {
            Ok(message) => {
                let taken = voice.taken(&message);
                Heard::Said(Box::new(message), Way::Typed(taken))
            }
            Err(objection) => {
                let text = voice.objection(&objection);
                let rest = match objection {
                    Objection::BadDomains { rest, .. } if self.has_dialogs => Some(*rest),
                    _ => None,
                };
                Heard::Answer(text, rest.filter(|rest| !rest.domains.is_empty()))
            }
        }
    }

    fn opens(&self, trigger_id: String, ask: Ask, instead: Heard) -> Heard {
        if self.has_dialogs { Heard::Open(Open { trigger_id, ask }, Box::new(instead)) } else { instead }
    }

    fn interaction(&self, payload: &str) -> Result<Heard, SlackError> {
        let payload: Payload =
            serde_json::from_str(payload).map_err(|error| SlackError(format!("payload: {error}")))?;
        match payload {
            Payload::BlockActions(pressed) => self.pressed(pressed),
            Payload::ViewSubmission(submitted) if submitted.view.callback_id == REQUEST => {
                let view_id = id("view.id", submitted.view.id)?;
                // The view's id stays the same when the dialog is sent again.
                let speaker = self.whoever(submitted.user.id, &view_id, String::new()).map(for_days)?;
                Ok(dialog::submitted(&submitted.view.state, &speaker, self.config))
            }
            Payload::ViewSubmission(_) | Payload::Other => Ok(Heard::Nothing),
        }
    }

    /// What somebody has pressed. The first button counts; Slack sends one at a time.
    fn pressed(&self, pressed: Pressed) -> Result<Heard, SlackError> {
        let Pressed { user, trigger_id, response_url, actions, state } = pressed;
        let Some(press) = actions.into_iter().next() else { return Ok(Heard::Nothing) };
        let request_id = || {
            RequestId::try_from(press.value.clone()).map_err(|error| SlackError(format!("value: {error}")))
        };
        let decide = |decision| {
            let comment = state.as_ref().and_then(|state| state.first(COMMENT)).map(str::to_owned);
            Ok(Command::Decide { id: request_id()?, decision, comment })
        };
        let command = match press.action_id.as_str() {
            APPROVE => Some(decide(Decision::Approve)?),
            DENY => Some(decide(Decision::Deny)?),
            WITHDRAW => Some(Command::Withdraw(request_id()?)),
            SILENCE => Some(silence_of(&press.value)?),
            REQUEST => None,
            _ => return Ok(Heard::Nothing),
        };
        let trigger_id = id("trigger_id", trigger_id)?;
        let speaker = self.speaker(user.id, &trigger_id, response_url.unwrap_or_default())?;
        // Nobody reads an answer to a press, so what is wrong with it goes the way of all notices.
        let voice = Voice::plain(&format!("{COMMAND} "));
        let tell = |text| Heard::Said(Box::new(speaker.not_taken(text, self.now)), Way::Pressed);
        let objects = |objection: Objection| tell(voice.objection(&objection));
        let Some(command) = command else {
            let ask = Ask::of(&press.value).map_err(|error| SlackError(format!("value: {error}")))?;
            let instead = tell(voice.instead(&ask));
            return Ok(speaker.is_known().map_or_else(objects, |()| self.opens(trigger_id, ask, instead)));
        };
        let said = speaker.says(command, self.config);
        Ok(said.map_or_else(objects, |message| Heard::Said(Box::new(message), Way::Pressed)))
    }
}

/// What the button under an alert says: that those of its group rest for a day.
fn silence_of(value: &str) -> Result<Command, SlackError> {
    let AlertGroup { domain, owner } =
        AlertGroup::of(value).map_err(|error| SlackError(format!("value: {error}")))?;
    Ok(Command::Silence { domain, owner, duration: Some(silence::USUAL) })
}

/// The same person, answered in a message to them alone, which lives as long as their request does: a response URL
/// can be used five times in half an hour.
fn for_days(speaker: Speaker) -> Speaker {
    let reply_to = ReplyTo { to: speaker.id.clone(), ..speaker.reply_to };
    Speaker { reply_to, ..speaker }
}

/// A text that is an id of Slack's.
fn id(name: &str, text: String) -> Result<String, SlackError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text)
    } else {
        Err(SlackError(format!("{name} is not an id")))
    }
}

/// What was typed, without the links that Slack makes of it, `<http://github.com|github.com>`, and with the three signs
/// that it escapes (<https://docs.slack.dev/messaging/formatting-message-text>).
fn plain(text: &str) -> String {
    let (mut typed, mut rest) = (String::new(), text);
    while let Some((before, (link, behind))) =
        rest.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?)))
    {
        typed.push_str(before);
        typed.push_str(link.rsplit_once('|').map_or(link, |(_, label)| label));
        rest = behind;
    }
    typed.push_str(rest);
    typed.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_what_was_typed() {
        for (sent, typed) in [
            ("<http://github.com|github.com> <https://huggingface.co>", "github.com https://huggingface.co"),
            ("I &lt;3 it &amp;amp; you", "I <3 it &amp; you"),
            ("<@U1|bob> <a <b", "bob <a <b"),
            ("<|>", ""),
        ] {
            assert_eq!(plain(sent), typed);
        }
    }
}
