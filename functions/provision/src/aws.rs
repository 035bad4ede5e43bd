//! The few calls to services whose own crates of the SDK are out of proportion to them: compiling
//! `aws-sdk-ec2` alone takes 8 GB of memory. Signed by the SDK's own `aws-sigv4`; tried again by those
//! who call, as everything here is.

pub(crate) mod calls;
pub(crate) mod ec2;
pub(crate) mod lambda;
mod refusal;
pub(crate) mod s3;
pub(crate) mod sagemaker;
mod signed;

pub(crate) use signed::{CallError, Signed};

/// What the names of AWS's hosts end in, in the partition of a Region.
pub(crate) fn dns_suffix(region: &str) -> &'static str {
    match region.split_once('-') {
        Some(("cn", _)) => "amazonaws.com.cn",
        Some(("eusc", _)) => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}
