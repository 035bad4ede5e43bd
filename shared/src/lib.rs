//! The rules of Studio Egress, and the three edges by which they reach AWS.
//!
//! The rules are plain data and pure functions: no clock, no network and no environment; the time
//! comes in as an argument, ids are derived from what came in.
//!
//! - [`domain`]: the names that people ask for, normalised and checked: what is granted is a
//!   [`domain::DomainPattern`].
//! - [`request`] and [`lifecycle`]: a request for domains, its states, and what each command does
//!   to it: the new state, its history, the live grant, the next deadline, the events.
//! - [`rules`]: live grants as the content of a firewall's rule group, Suricata text or domain
//!   list, and that content read back.
//! - [`risk`]: how risky a request is, and what it would change.
//! - [`policy`]: who may do what, in Cedar; and [`config`]: the rest of what an operator decides. [`validation`]: both
//!   together, each mistake with its line.
//! - [`explain`]: why a host is blocked, or passes.
//! - [`history`]: the seals that show a history that was changed.
//! - [`events`]: everything that crosses the bus, with its checks.
//! - [`adapter`]: ticket systems, each as a table of the configuration: what they say, and what they are told.
//! - [`owner`]: whose a connection is; and [`counts`]: what was blocked, counted.
//! - [`slack`]: what stands on the buttons that people press.
//! - [`text`]: what came from outside, as people can be shown it.
//! - [`web`]: calls of other systems, over HTTP; [`http`], the client of these and of AWS.
//!
//! The edges are traits with one AWS implementation each in [`aws`]:
//! - [`firewall`], to read a rule group with its update token, write it with that token, in sync?
//! - [`ledger`], the store, where a transition is one transaction.
//! - [`mod@bus`], where events are published.
//!
//! [`reconcile`] is where they meet: the one way in which the firewall changes.

pub mod adapter;
pub mod aws;
pub mod bus;
pub mod config;
pub mod counts;
pub mod domain;
pub mod events;
pub mod explain;
pub mod firewall;
pub mod history;
pub mod http;
pub mod ledger;
pub mod lifecycle;
pub mod owner;
pub mod policy;
pub mod reconcile;
pub mod request;
pub mod risk;
pub mod rules;
pub mod slack;
pub mod text;
pub mod validation;
pub mod web;
