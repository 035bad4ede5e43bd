//! The function's tests, in one binary.

#[cfg(test)]
mod harness;
#[cfg(test)]
mod records;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod table;
#[cfg(test)]
mod uses;
