//! S3: an object, read whole or bit by bit.

use hyper::Method;
use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::signed::{Call, CallError, Download, Protocol, SEGMENT, Service, Signed};

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
        self.0.send(SERVICE, Call { path: &path(bucket, key), ..GET }).await
    }

    /// An object's content, of any length. With an entity tag only if it still has that one.
    pub async fn open(&self, bucket: &str, key: &str, etag: Option<&str>) -> Result<Download, CallError> {
        let etag = etag.map(|etag| format!("\"{}\"", etag.trim_matches('"')));
        let only_if = etag.as_deref().map(|etag| ("if-match", etag));
        self.0.open(SERVICE, Call { path: &path(bucket, key), headers: only_if.as_slice(), ..GET }).await
    }
}

const GET: Call<'static> = Call { method: Method::GET, path: "/", headers: &[], body: Vec::new() };

fn path(bucket: &str, key: &str) -> String {
    format!("/{}/{}", utf8_percent_encode(bucket, PATH), utf8_percent_encode(key, PATH))
}
