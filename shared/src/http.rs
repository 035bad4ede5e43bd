//! The HTTP client, for what is called without a crate of the SDK.

use std::io;
use std::sync::OnceLock;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// A client that sends whole bodies.
pub type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The client, once it is needed: loading the root certificates would delay a function's start.
#[derive(Debug, Default)]
pub struct Http {
    client: OnceLock<HttpClient>,
}

impl Http {
    /// The client. An error means that the root certificates can't be read.
    pub fn client(&self) -> Result<&HttpClient, io::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let connector = HttpsConnectorBuilder::new().with_native_roots()?;
        let connector = connector.https_or_http().enable_http1().build();
        // A connection kept open would be dead when the function is thawed for its next event.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(self.client.get_or_init(|| client))
    }
}
