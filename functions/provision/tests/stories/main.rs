//! Stories of the custom resources, from CloudFormation's event to the answer in its bucket, with a
//! strict bucket and the services of AWS in memory on the other ends.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod firewall_endpoints;
#[cfg(test)]
mod grant_rule_group;
#[cfg(test)]
mod http;
#[cfg(test)]
mod network_firewall;
#[cfg(test)]
mod stack;
#[cfg(test)]
mod studio;
#[cfg(test)]
mod studio_storage;
