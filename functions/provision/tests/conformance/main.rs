//! The function's program as a black box: events in at Lambda's runtime API, answers out at a bucket that is
//! stricter than CloudFormation's, and the services of AWS in memory behind it.

#![cfg(test)]

mod answers;
mod aws;
mod bucket;
mod egress_config;
mod firewall_endpoints;
mod function;
mod grant_rule_group;
mod http;
mod long_work;
mod network_firewall;
mod stack;
mod studio;
mod studio_storage;
mod studio_users;
mod trouble;
