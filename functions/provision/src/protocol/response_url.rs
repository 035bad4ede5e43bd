//! Where an answer goes. The URL is a credential, so it is in no log; and whoever may invoke the
//! function chooses it, so it must lead to CloudFormation.

use std::fmt;

use egress::aws::dns_suffix;
use hyper::Uri;
use hyper::http::uri::Scheme;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A presigned URL, as it came.
#[derive(Clone)]
pub(crate) struct ResponseUrl(String);

impl fmt::Debug for ResponseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseUrl(…)")
    }
}

/// A place that may be answered beside CloudFormation's own: the local AWS. It is configuration,
/// `http://127.0.0.1:4566`, and never of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
}

/// A text that is no endpoint.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an endpoint of the form http://host:port")]
pub struct NotAnEndpoint(String);

impl std::str::FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri = text.parse::<Uri>().ok();
        uri.as_ref().and_then(Self::of).ok_or_else(|| NotAnEndpoint(text.to_owned()))
    }
}

impl Endpoint {
    fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme().filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme))?.clone();
        let standard = if scheme == Scheme::HTTPS { 443 } else { 80 };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().to_ascii_lowercase();
        // An authority that has a port but can't be read as one (`host:99999`) is no endpoint.
        let port = match authority.as_str().strip_prefix(authority.host())? {
            "" => standard,
            _ => authority.port_u16()?,
        };
        Some(Self { scheme, host, port })
    }
}

/// Why nothing is answered. None of these says what the URL was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("the event has no ResponseURL, so nobody can be answered: CloudFormation didn't send it")]
    Missing,
    #[error("the event's ResponseURL is not a URL, so nobody can be answered")]
    NotAUrl,
    #[error(
        "the event's ResponseURL leads neither to CloudFormation's bucket of this Region over https nor to the configured endpoint, so it is not answered"
    )]
    Elsewhere,
}

/// Who may be answered.
#[derive(Debug, Clone)]
pub(crate) struct Answerable {
    region: String,
    endpoint: Option<Endpoint>,
}

impl Answerable {
    /// CloudFormation in this Region, and the endpoint.
    pub(crate) fn new(region: String, endpoint: Option<Endpoint>) -> Self {
        Self { region, endpoint }
    }

    /// The URL, every byte of its query as it was signed, when it may be answered.
    pub(crate) fn check(&self, url: &ResponseUrl) -> Result<Uri, UrlError> {
        if url.0.is_empty() {
            return Err(UrlError::Missing);
        }
        let uri: Uri = url.0.parse().map_err(|_| UrlError::NotAUrl)?;
        let place = Endpoint::of(&uri).ok_or(UrlError::NotAUrl)?;
        let answerable = self.endpoint.as_ref() == Some(&place) || self.is_bucket(&place, uri.path());
        if answerable { Ok(uri) } else { Err(UrlError::Elsewhere) }
    }

    /// Whether this is the bucket of CloudFormation's answers, by one of the names under which S3 has
    /// served it: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-vpce-bucketnames.html>.
    fn is_bucket(&self, place: &Endpoint, path: &str) -> bool {
        let region = &self.region;
        let bucket = format!("cloudformation-custom-resource-response-{}", region.replace('-', ""));
        let suffix = dns_suffix(region);
        let services =
            [format!("s3.{region}.{suffix}"), format!("s3-{region}.{suffix}"), format!("s3.{suffix}")];
        let in_path = path.strip_prefix('/').and_then(|path| path.strip_prefix(bucket.as_str()));
        let in_path = in_path.is_some_and(|rest| rest.starts_with('/'));
        let serves = |service: &String| match place.host.strip_suffix(service.as_str()) {
            Some("") => in_path,
            Some(before) => before.strip_suffix('.') == Some(bucket.as_str()),
            None => false,
        };
        place.scheme == Scheme::HTTPS && place.port == 443 && services.iter().any(serves)
    }
}

impl ResponseUrl {
    pub(crate) fn new(url: String) -> Self {
        Self(url)
    }

    /// When CloudFormation signed it, and so asked, in milliseconds since 1970; none where it doesn't say.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
    pub(crate) fn signed_at(&self) -> Option<u64> {
        let query = self.0.split_once('?')?.1;
        let (_, date) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "X-Amz-Date")?;
        let date = DateTime::strptime("%Y%m%dT%H%M%SZ", date.as_ref()).ok()?;
        u64::try_from(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond()).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_in(region: &str, endpoint: Option<&str>, url: &str) -> Result<String, UrlError> {
        let endpoint = endpoint.map(|text| text.parse().unwrap());
        let answerable = Answerable::new(region.to_owned(), endpoint);
        answerable.check(&ResponseUrl::new(url.to_owned())).map(|uri| uri.to_string())
    }

    fn check(url: &str) -> Result<String, UrlError> {
        check_in("eu-west-1", None, url)
    }

    #[test]
    fn the_bucket_of_the_region_is_answered_by_each_of_its_names() {
        for url in [
            "https://cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com/a?b",
            "https://cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com/a?b",
            "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/a?b",
            "https://cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com:443/a?b",
            "https://s3.eu-west-1.amazonaws.com/cloudformation-custom-resource-response-euwest1/a?b",
            "https://s3.amazonaws.com/cloudformation-custom-resource-response-euwest1/a?b",
        ] {
            assert_eq!(check(url).as_deref(), Ok(url));
        }
        let china =
            "https://cloudformation-custom-resource-response-cnnorth1.s3.cn-north-1.amazonaws.com.cn/a?b";
        assert_eq!(check_in("cn-north-1", None, china).as_deref(), Ok(china));
    }

    #[test]
    fn the_signed_bytes_stay_as_they_are() {
        let url = "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/arn%3Aaws%3Acloudformation%3Aeu-west-1%3A123456789012%3Astack/demo/1%7CGrants%7C2?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Signature=0a%2b+~|%7c&x=";
        assert_eq!(check(url).as_deref(), Ok(url));
    }

    #[test]
    fn a_signature_says_when_it_was_made() {
        let at = |url: &str| ResponseUrl::new(url.to_owned()).signed_at();
        assert_eq!(at("https://a/b?X-Amz-Date=20261128T100000Z&X-Amz-Expires=7200"), Some(1_795_860_000_000));
        for other in
            ["", "https://a/b", "https://a/b?X-Amz-Date=soon", "https://a/b?X-Amz-Date=19000101T000000Z"]
        {
            assert_eq!(at(other), None, "{other}");
        }
    }

    #[test]
    fn nobody_else_is() {
        for url in [
            "http://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/a",
            "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/a",
            "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com.example.com/a",
            "https://cloudformation-custom-resource-response-euwest1.s3.us-east-1.amazonaws.com/a",
            "https://x-cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/a",
            "https://example.com/cloudformation-custom-resource-response-euwest1/a",
            "https://s3.amazonaws.com/other/cloudformation-custom-resource-response-euwest1/a",
            "https://s3.amazonaws.com/cloudformation-custom-resource-response-euwest1-other/a",
            "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com:8443/a",
            "https://127.0.0.1/a",
        ] {
            assert_eq!(check(url), Err(UrlError::Elsewhere), "{url}");
        }
        let disguised =
            "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com@example.com/a";
        assert_eq!(check(disguised), Err(UrlError::NotAUrl));
        assert_eq!(check("no url"), Err(UrlError::NotAUrl));
        assert_eq!(check("/a"), Err(UrlError::NotAUrl));
        assert_eq!(check(""), Err(UrlError::Missing));
    }

    #[test]
    fn the_configured_endpoint_is_and_no_other_port_of_it() {
        let local = Some("http://127.0.0.1:4566");
        let url = "http://127.0.0.1:4566/_answers/1?a=b";
        assert_eq!(check_in("eu-west-1", local, url).as_deref(), Ok(url));
        for url in ["http://127.0.0.1:4567/a", "https://127.0.0.1:4566/a", "http://localhost:4566/a"] {
            assert_eq!(check_in("eu-west-1", local, url), Err(UrlError::Elsewhere), "{url}");
        }
    }

    #[test]
    fn an_endpoint_has_a_scheme_and_a_host() {
        for text in
            ["127.0.0.1:4566", "ftp://127.0.0.1", "http://user@127.0.0.1", "http://127.0.0.1:99999", ""]
        {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_url_is_taken_that_isnt_the_buckets(url in "https?://[a-z0-9.@:-]{0,40}(/[a-z%?#-]{0,20})?") {
            prop_assert!(check(&url).is_err());
        }
    }
}
