//! A signed request to a service of AWS, as the SDK's own clients would send it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};
use tokio::time::timeout;

pub use hyper::{Method, StatusCode};

use super::{dns_suffix, refusal, with_causes};
use crate::http::Http;

/// How long one call may take.
const ONE_CALL: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes: a page of a listing has a tenth of it.
const LARGEST_ANSWER: usize = 4 * 1_024 * 1_024;

/// What is encoded in a part of a path: all but what RFC 3986, 2.3, calls unreserved, as the SDK does it.
pub const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Sends signed requests.
#[derive(Debug, Clone)]
pub struct Signed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    region: String,
    /// Where all of AWS is, if that is set (`AWS_ENDPOINT_URL`).
    endpoint: Option<String>,
    credentials: Option<SharedCredentialsProvider>,
    http: Http,
    calls: Arc<AtomicU32>,
}

/// A service, as it is addressed and signed for.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// What its host begins with, before the Region.
    pub host: &'static str,
    /// What a signature names it by.
    pub signing_name: &'static str,
    /// How it speaks.
    pub protocol: Protocol,
}

/// How a service signs and refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Refusals are JSON.
    Json,
    /// Refusals are XML.
    Query,
    /// The path is signed as it is sent, and the body's digest as a header; refusals are XML.
    S3,
}

/// One request.
#[derive(Debug)]
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// With the slash that it begins with, percent-encoded.
    pub path: &'a str,
    /// Headers beside those of the signature.
    pub headers: &'a [(&'static str, &'a str)],
    /// The body; may be empty.
    pub body: Vec<u8>,
}

/// A body that is read bit by bit.
#[derive(Debug)]
pub struct Download(Incoming);

/// Why a call had no effect, or none that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No answer, or none of the service's own: another try may have one.
    #[error("did not get through: {0}")]
    NotThrough(String),
    /// The service's own words.
    #[error("was refused with {code}: {message}")]
    Refused {
        /// The status of the answer.
        status: StatusCode,
        /// The service's name for the error.
        code: String,
        /// What it says of it.
        message: String,
    },
    /// An answer that is not what this service answers.
    #[error("was answered with something that can't be read: {0}")]
    Unreadable(String),
}

impl CallError {
    /// The service's own name for the error.
    pub fn code(&self) -> Option<&str> {
        if let Self::Refused { code, .. } = self { Some(code) } else { None }
    }

    fn not_through(error: &dyn std::error::Error) -> Self {
        Self::NotThrough(with_causes(error))
    }
}

impl Signed {
    /// Requests as the SDK's own clients would send them with this configuration.
    pub fn new(config: &SdkConfig) -> Self {
        Self(Arc::new(Inner {
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            endpoint: config.endpoint_url().map(ToOwned::to_owned),
            credentials: config.credentials_provider(),
            http: Http::default(),
            calls: Arc::default(),
        }))
    }

    /// Where its calls are counted, by it and by all of its clones.
    pub fn calls(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.0.calls)
    }

    /// Posts to a service whose requests are all of one path. Answers the body, of at most 4 MiB.
    pub async fn post(
        &self,
        service: Service,
        headers: &[(&'static str, &str)],
        body: String,
    ) -> Result<Vec<u8>, CallError> {
        let body = body.into_bytes();
        self.send(service, Call { method: Method::POST, path: "/", headers, body }).await
    }

    /// Sends one request. Answers the body, of at most 4 MiB; all within ten seconds.
    pub async fn send(&self, service: Service, call: Call<'_>) -> Result<Vec<u8>, CallError> {
        let request = self.request(service, call).await?;
        let answered = async {
            let response = self.respond(request).await?;
            let status = response.status();
            let body = whole(response).await?;
            if status.is_success() { Ok(body) } else { Err(service.refusal(status, &body)) }
        };
        in_time(answered).await
    }

    /// Sends one request, and answers a body of any length, to be read bit by bit.
    pub async fn open(&self, service: Service, call: Call<'_>) -> Result<Download, CallError> {
        let request = self.request(service, call).await?;
        let answered = async {
            let response = self.respond(request).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(Download(response.into_body()));
            }
            Err(service.refusal(status, &whole(response).await?))
        };
        in_time(answered).await
    }

    async fn respond(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, CallError> {
        let client = self.0.http.client().map_err(|error| CallError::not_through(&error))?;
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        client.request(request).await.map_err(|error| CallError::not_through(&error))
    }

    async fn request(&self, service: Service, call: Call<'_>) -> Result<Request<Full<Bytes>>, CallError> {
        let no_credentials = || CallError::NotThrough("there are no credentials".to_owned());
        let provider = self.0.credentials.as_ref().ok_or_else(no_credentials)?;
        let credentials = provider.provide_credentials().await;
        let identity = credentials.map_err(|error| CallError::not_through(&error))?.into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.0.region)
            .name(service.signing_name)
            .time(SystemTime::now())
            .settings(service.signing())
            .build()
            .map_err(|error| CallError::not_through(&error))?
            .into();
        let Call { method, path, headers, body } = call;
        let url = self.url(service, path);
        let headers = headers.iter().copied();
        let signable =
            SignableRequest::new(method.as_str(), &url, headers.clone(), SignableBody::Bytes(&body));
        let signed = signable.and_then(|request| sign(request, &parameters));
        let (signature, _) = signed.map_err(|error| CallError::not_through(&error))?.into_parts();
        let request = Request::builder().method(method).uri(url);
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        let mut request =
            request.body(Full::new(body.into())).map_err(|error| CallError::not_through(&error))?;
        signature.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    fn url(&self, service: Service, path: &str) -> String {
        if let Some(endpoint) = &self.0.endpoint {
            return format!("{}{path}", endpoint.trim_end_matches('/'));
        }
        let (host, region) = (service.host, &self.0.region);
        format!("https://{host}.{region}.{}{path}", dns_suffix(region))
    }
}

impl Download {
    /// What comes next, within ten seconds, in as many bytes as came at once; none at the end. A body that ends before
    /// it is as long as it was said to be is an error.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        while let Some(frame) = in_time(async { Ok(self.0.frame().await) }).await? {
            let frame = frame.map_err(|error| CallError::not_through(&error))?;
            // What isn't data is a trailer.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data.into()));
            }
        }
        Ok(None)
    }
}

impl Service {
    fn signing(self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.protocol == Protocol::S3 {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        settings
    }

    fn refusal(self, status: StatusCode, body: &[u8]) -> CallError {
        match self.protocol {
            Protocol::Json => refusal::json(status, body),
            Protocol::Query | Protocol::S3 => refusal::xml(status, body),
        }
    }
}

async fn whole(response: Response<Incoming>) -> Result<Vec<u8>, CallError> {
    let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
    let body = body.map_err(|error| CallError::not_through(error.as_ref()))?;
    Ok(body.to_bytes().to_vec())
}

async fn in_time<T>(answered: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    let late = |_| CallError::NotThrough(format!("nothing came back in {} s", ONE_CALL.as_secs()));
    timeout(ONE_CALL, answered).await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;
    use aws_config::Region;
    use aws_credential_types::Credentials;

    use super::*;

    const EC2: Service = Service { host: "ec2", signing_name: "ec2", protocol: Protocol::Query };
    const S3: Service = Service { host: "s3", signing_name: "s3", protocol: Protocol::S3 };

    fn signed(region: &'static str, endpoint: Option<&str>) -> Signed {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("token".into()), None, "tests");
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        config.set_endpoint_url(endpoint.map(ToOwned::to_owned));
        Signed::new(&config.build())
    }

    #[test]
    fn a_service_is_in_its_region_and_partition_or_where_all_of_aws_is() {
        assert_eq!(signed("eu-west-1", None).url(EC2, "/"), "https://ec2.eu-west-1.amazonaws.com/");
        assert_eq!(signed("cn-north-1", None).url(EC2, "/"), "https://ec2.cn-north-1.amazonaws.com.cn/");
        for endpoint in ["http://127.0.0.1:4566", "http://127.0.0.1:4566/"] {
            assert_eq!(signed("eu-west-1", Some(endpoint)).url(EC2, "/"), "http://127.0.0.1:4566/");
        }
    }

    #[tokio::test]
    async fn a_request_is_signed_with_its_headers_and_the_sessions_token() {
        let headers = [("x-amz-target", "A.B")];
        let call = Call { method: Method::POST, path: "/", headers: &headers, body: b"{}".into() };
        let request = signed("eu-west-1", None).request(EC2, call).await.unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert!(header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
        assert!(header("authorization").contains("/eu-west-1/ec2/aws4_request"));
        assert!(
            header("authorization")
                .contains("SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target")
        );
        assert_eq!((header("x-amz-target"), header("x-amz-security-token")), ("A.B", "token"));
    }

    #[tokio::test]
    async fn a_request_to_s3_says_the_digest_of_its_body() {
        let call = Call { method: Method::GET, path: "/bucket/a%20key", headers: &[], body: Vec::new() };
        let request = signed("eu-west-1", None).request(S3, call).await.unwrap();
        assert_eq!(request.uri(), "https://s3.eu-west-1.amazonaws.com/bucket/a%20key");
        let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(request.headers()["x-amz-content-sha256"], digest);
    }
}
