//! Stories of webhooks, from the HTTP request to the bus, with a bus and a secret in memory.

#[cfg(test)]
mod webhooks;
