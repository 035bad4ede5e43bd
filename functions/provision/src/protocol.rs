//! The custom-resource protocol: what CloudFormation asks, and what it must be answered. It serves
//! every resource and knows none.

pub(crate) mod answer;
pub(crate) mod continuation;
pub(crate) mod properties;
pub(crate) mod request;
pub(crate) mod response_url;
pub(crate) mod send;
