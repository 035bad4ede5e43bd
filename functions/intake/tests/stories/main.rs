//! Stories of what is sent to intake, from the HTTP request to the bus, with a bus and secrets in memory.

#![cfg(test)]

mod dialog;
mod fuzz;
mod harness;
mod partner;
mod slack;
mod slack_api;
mod strangers;
mod teams;
mod tickets;
mod webhooks;
