//! What is wrong with an operator's files.

mod file;
mod mistakes;

pub use file::{File, Unreadable};
pub(crate) use mistakes::line_at;
pub use mistakes::{Mistake, Mistakes};
