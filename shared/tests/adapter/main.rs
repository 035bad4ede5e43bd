//! Ticket systems: what they send is read as what somebody says, and what they are sent is of the template's shape.

#![cfg(test)]

mod reading;
mod writing;

use egress::adapter::settings::Settings;
use egress::config::Config;

/// The table of a shipped adapter.
pub(crate) fn shipped(name: &str) -> Settings {
    let config = Config::parse(include_str!("../../../infra/config/egress.toml")).unwrap();
    config.adapters[name].clone()
}

/// A table as an operator writes it.
pub(crate) fn settings(text: &str) -> Settings {
    toml::from_str(text).unwrap()
}
