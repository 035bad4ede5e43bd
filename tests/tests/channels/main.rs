//! The stand-ins of the chat and ticket systems: what they take, what they refuse, and how they fail.
#![cfg(test)]

mod faults;
mod sender;
mod slack;
mod teams;
mod tickets;
