//! The function's tests, in one binary.

#[cfg(test)]
mod messages;
