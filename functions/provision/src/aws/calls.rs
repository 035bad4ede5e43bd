//! How many calls of AWS were made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_networkfirewall::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_networkfirewall::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_networkfirewall::error::BoxError;
use egress::aws::signed::Signed;

/// A counter that the clients share; each attempt of a call counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<AtomicU32>);

impl Calls {
    /// Those of signed requests, to which the other clients' are added.
    pub(crate) fn of(signed: &Signed) -> Self {
        Self(signed.calls())
    }

    /// One more.
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    pub(crate) fn made(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.count();
        Ok(())
    }
}
