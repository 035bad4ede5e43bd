//! The function `requests` on edges in memory: its stories, with everything going right and with
//! everything that can go wrong.

#![cfg(test)]

mod bad_input;
mod faults;
mod harness;
mod lifecycle;
mod shared_list;
mod trouble;
