//! The function's program as a black box: events in at Lambda's runtime API, answers out at a bucket that is
//! stricter than CloudFormation's, and the services of AWS in memory behind it.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod aws;
#[cfg(test)]
mod bucket;
#[cfg(test)]
mod egress_config;
#[cfg(test)]
mod firewall_endpoints;
#[cfg(test)]
mod function;
#[cfg(test)]
mod grant_rule_group;
#[cfg(test)]
mod http;
#[cfg(test)]
mod long_work;
#[cfg(test)]
mod network_firewall;
#[cfg(test)]
mod stack;
#[cfg(test)]
mod studio;
#[cfg(test)]
mod studio_storage;
#[cfg(test)]
mod studio_users;
#[cfg(test)]
mod trouble;
