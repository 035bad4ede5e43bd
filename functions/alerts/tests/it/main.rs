//! The function's tests, in one binary.

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hub;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod quiet;
#[cfg(test)]
mod records;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod security_hub;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod table;
#[cfg(test)]
mod unreadable;
#[cfg(test)]
mod uses;
