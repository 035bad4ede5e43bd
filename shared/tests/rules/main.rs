//! Grants as the content of rule groups, and that content read back.

#![cfg(test)]

mod drift;
mod harness;
mod list;
mod properties;
mod several;
mod text;
