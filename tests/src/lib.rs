//! What crosses the crates of Studio Egress: the local AWS, the firewall lab, the three edges in memory,
//! and the demonstration on top of them.

pub mod browser;
pub mod channels;
pub mod demo;
pub mod function;
pub mod granted;
mod group;
pub mod inbox;
pub mod lab;
pub mod local_aws;
pub mod memory;
pub mod propagation;
pub mod senders;
pub mod simulation;
pub mod slack;
pub mod stage;
pub mod webhook;
