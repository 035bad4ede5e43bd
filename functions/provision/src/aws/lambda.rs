//! Lambda: this function, invoked by itself.

use egress::aws::signed::{Call, CallError, Method, Protocol, SEGMENT, Service, Signed};
use percent_encoding::utf8_percent_encode;
use serde_json::Value;

const LAMBDA: Service = Service { host: "lambda", signing_name: "lambda", protocol: Protocol::Json };
const LATER: (&str, &str) = ("x-amz-invocation-type", "Event");

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Lambda(Signed);

impl Lambda {
    pub(crate) fn new(signed: Signed) -> Self {
        Self(signed)
    }

    /// Has a function invoked with an event, asynchronously. Lambda has taken it when this comes back.
    /// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
    pub(crate) async fn invoke_later(&self, function: &str, event: &Value) -> Result<(), CallError> {
        let path = format!("/2015-03-31/functions/{}/invocations", utf8_percent_encode(function, SEGMENT));
        let body = event.to_string().into_bytes();
        let call = Call { method: Method::POST, path: &path, headers: &[LATER], body };
        self.0.send(LAMBDA, call).await.map(drop)
    }
}
