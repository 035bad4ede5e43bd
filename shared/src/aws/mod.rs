//! The edges' AWS implementations, one module for each service.
//!
//! Those whose own crates of the SDK are out of proportion to the few calls that are made of them (compiling
//! `aws-sdk-ec2` alone takes 8 GB of memory) are called by [`signed`] requests. Nothing there is tried again: who
//! calls knows what may be.

mod dynamodb;
pub mod ec2;
mod eventbridge;
mod network_firewall;
mod refusal;
mod s3;
pub mod signed;

pub use dynamodb::{DynamoLedger, evidence, windows};
pub use eventbridge::EventBridgeBus;
pub use network_firewall::NetworkFirewall;
pub use s3::S3;

use std::error::Error;

use aws_config::{BehaviorVersion, SdkConfig};

/// The configuration of every AWS client, from the environment (Region, credentials, and
/// `AWS_ENDPOINT_URL` for a local AWS): load it once, so that clients share their connections.
pub async fn sdk_config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12()).load().await
}

/// What the names of AWS's hosts end in, in the partition of a Region.
pub fn dns_suffix(region: &str) -> &'static str {
    match region.split_once('-') {
        Some(("cn", _)) => "amazonaws.com.cn",
        Some(("eusc", _)) => "amazonaws.eu",
        _ => "amazonaws.com",
    }
}

/// An error and what caused it, down to the operating system's own words: the `Display` of an error of the
/// SDK alone is `service error`. Of no error the `Debug`, and so not the SDK's `DisplayErrorContext`: that
/// shows the raw response, and in it what a service answers in confidence.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |error| (*error).source());
    for cause in causes.map(ToString::to_string) {
        // Many an error repeats its cause.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use aws_sdk_dynamodb::config::http::HttpResponse;
    use aws_sdk_dynamodb::error::{ErrorMetadata, SdkError};
    use aws_sdk_dynamodb::operation::put_item::PutItemError;
    use aws_sdk_dynamodb::types::error::ResourceNotFoundException;

    use super::*;

    fn response() -> HttpResponse {
        HttpResponse::new(400.try_into().unwrap(), "in confidence".into())
    }

    fn said(code: &str) -> ErrorMetadata {
        ErrorMetadata::builder().code(code).message("no such table").build()
    }

    #[test]
    fn a_service_is_quoted_with_its_code_and_message() {
        let meta = said("ResourceNotFoundException");
        let known = ResourceNotFoundException::builder().message("no such table").meta(meta).build();
        let known = SdkError::service_error(PutItemError::ResourceNotFoundException(known), response());
        let other = SdkError::service_error(PutItemError::generic(said("ThrottlingException")), response());
        insta::assert_snapshot!(with_causes(&known), @"service error: ResourceNotFoundException: no such table");
        insta::assert_snapshot!(with_causes(&other), @r#"service error: unhandled error (ThrottlingException): Error { code: "ThrottlingException", message: "no such table" }"#);
    }

    #[test]
    fn what_a_service_answered_is_not_shown() {
        let cause = io::Error::other("expected a value");
        let unreadable = SdkError::<PutItemError, _>::response_error(cause, response());
        insta::assert_snapshot!(with_causes(&unreadable), @"response error: expected a value");
    }

    #[test]
    fn a_cause_that_an_error_repeats_stands_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("no connection: {0}")]
        struct Repeats(#[source] io::Error);
        let error = Repeats(io::Error::other("refused"));
        assert_eq!(with_causes(&error), "no connection: refused");
    }
}
