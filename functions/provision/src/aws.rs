//! The calls to services whose own crates of the SDK are out of proportion to them, by
//! [`egress::aws::signed`]. They are tried again by those who call, as everything here is.

pub(crate) mod calls;
pub(crate) mod ec2;
pub(crate) mod lambda;
pub(crate) mod sagemaker;
