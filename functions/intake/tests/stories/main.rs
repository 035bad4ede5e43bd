//! Stories of what is sent to intake, from the HTTP request to the bus, with a bus and secrets in memory.

#[cfg(test)]
mod slack;
#[cfg(test)]
mod webhooks;
