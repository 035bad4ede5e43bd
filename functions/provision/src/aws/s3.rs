//! S3: an object, read whole.

use hyper::Method;
use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::signed::{Call, SEGMENT, Service};
use super::{CallError, Signed, refusal};

const S3_SERVICE: Service = Service { host: "s3", signing_name: "s3", is_s3: true };
/// The slashes of a key stay.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct S3(Signed);

impl S3 {
    pub(crate) fn new(signed: Signed) -> Self {
        Self(signed)
    }

    /// An object's content, of at most 4 MiB.
    pub(crate) async fn get(&self, bucket: &str, key: &str) -> Result<Vec<u8>, CallError> {
        let path = format!("/{}/{}", utf8_percent_encode(bucket, PATH), utf8_percent_encode(key, PATH));
        let call = Call { method: Method::GET, path: &path, headers: &[], body: Vec::new() };
        let answer = self.0.send(S3_SERVICE, call).await?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(refusal::xml(&answer)) }
    }
}
