//! The function `requests` on edges in memory: its stories, with everything going right and with
//! everything that can go wrong.

#![cfg(test)]

mod bad_input;
mod capacity;
mod evidence;
mod extension;
mod faults;
mod harness;
mod lifecycle;
mod questions;
mod shared_list;
mod silences;
mod tickets;
mod trouble;
