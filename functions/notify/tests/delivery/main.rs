//! Tests of the delivery, in one binary: who is told, and what becomes of it when the other side is down, slow, or
//! wrong.

#[cfg(test)]
mod batches;
#[cfg(test)]
mod dispatching;
#[cfg(test)]
mod events;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod slack;
#[cfg(test)]
mod stand_in;
#[cfg(test)]
mod teams;
#[cfg(test)]
mod tickets;
#[cfg(test)]
mod topics;
#[cfg(test)]
mod web;
