//! S3: an object, read whole.

use hyper::Method;
use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::signed::{Call, CallError, Protocol, SEGMENT, Service, Signed};

const SERVICE: Service = Service { host: "s3", signing_name: "s3", protocol: Protocol::S3 };
/// The slashes of a key stay.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// The service.
#[derive(Debug, Clone)]
pub struct S3(Signed);

impl S3 {
    /// The service, called by signed requests.
    pub fn new(signed: Signed) -> Self {
        Self(signed)
    }

    /// An object's content, of at most 4 MiB.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Vec<u8>, CallError> {
        let path = format!("/{}/{}", utf8_percent_encode(bucket, PATH), utf8_percent_encode(key, PATH));
        self.0.send(SERVICE, Call { method: Method::GET, path: &path, headers: &[], body: Vec::new() }).await
    }
}
