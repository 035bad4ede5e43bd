//! Microsoft's sign-in, as far as a bot gets its token there
//! (<https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication>).

use std::collections::BTreeMap;

use serde_json::json;

use super::super::server::{Call, Reply};
use super::super::stand_in::{Notes, StandIn};

/// The tenant that the stand-in knows.
pub const TENANT_ID: &str = "11111111-2222-3333-4444-555555555555";
/// The bot that it knows.
pub const CLIENT_ID: &str = "66666666-7777-8888-9999-000000000000";
/// The bot's secret.
pub const CLIENT_SECRET: &str = "stand-in~secret";

/// What a bot asks a token for.
const SCOPE: &str = "https://api.botframework.com/.default";
/// How long a token says that it is good, in seconds. It is longer so here: until [`StandIn::forget_tokens`].
const EXPIRES_IN: u32 = 3599;

/// The tokens that were given.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// How many there were.
    pub given: usize,
    /// How many of them are good no longer.
    forgotten: usize,
}

impl Login {
    /// Whether a token was given and is good.
    pub(super) fn has_given(&self, token: &str) -> bool {
        (self.forgotten..self.given).any(|number| token == name(number))
    }
}

fn name(number: usize) -> String {
    format!("stand-in-token-{number}")
}

impl StandIn<Login> {
    /// The tokens that were given until now are good no longer.
    pub fn forget_tokens(&self) {
        self.change(|login| login.forgotten = login.given);
    }
}

/// Gives a token to whoever has the bot's secret.
pub(in super::super) fn answer(login: &mut Login, call: &Call, notes: &mut Notes) -> Reply {
    let [_, tenant, "oauth2", "v2.0", "token"] = *call.way().as_slice() else {
        notes.violation("no such endpoint");
        return Reply::empty(404);
    };
    let form: BTreeMap<_, _> = form_urlencoded::parse(&call.body).into_owned().collect();
    let is = |name: &str, value: &str| form.get(name).is_some_and(|given| given == value);
    let kind = call.header("content-type");
    if call.method != hyper::Method::POST || !kind.starts_with("application/x-www-form-urlencoded") {
        notes.violation("not a POST of a form");
        return refused("invalid_request", "AADSTS900144");
    }
    if form.len() != 4 || !is("grant_type", "client_credentials") || !is("scope", SCOPE) {
        notes.violation("not the four fields of a bot's request for a token");
        return refused("invalid_request", "AADSTS900144");
    }
    if tenant != TENANT_ID || !is("client_id", CLIENT_ID) {
        return refused("unauthorized_client", "AADSTS700016");
    }
    if !is("client_secret", CLIENT_SECRET) {
        return Reply { status: 401, ..refused("invalid_client", "AADSTS7000215") };
    }
    let token = name(login.given);
    login.given += 1;
    let body = json!({
        "token_type": "Bearer", "expires_in": EXPIRES_IN, "ext_expires_in": EXPIRES_IN, "access_token": token,
    });
    Reply::json(200, body)
}

/// Codes: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
fn refused(error: &str, code: &str) -> Reply {
    Reply::json(400, json!({"error": error, "error_description": format!("{code}: refused by the stand-in")}))
}
