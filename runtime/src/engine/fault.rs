//! Whose fault it is that a request to the cloud decided nothing: the line's, the document's or the call's (rule 6). What
//! follows is `push`'s.

use crate::cloud::{Client, LinkError};
use crate::engine::Engine;
use crate::engine::ship::{Endpoint, Shipment};
use tokio_util::sync::CancellationToken;

/// Whose fault it is that a request decided nothing.
pub(super) enum Fault {
    /// The line's or the cloud's: everything waits.
    Line,
    /// The cloud cannot bear this document, or nobody can tell: it waits, the others flow.
    Item,
    /// The cloud refuses the call that this one travels by, or does not have it.
    Call,
    /// The document met another state of the entity there.
    Clash,
}

impl Engine {
    /// Where the fault lies, as a ping shows; the line's when `halt` comes before it.
    pub(super) async fn fault(
        &self,
        cloud: &Client,
        shipment: &Shipment,
        error: &LinkError,
        halt: &CancellationToken,
    ) -> Fault {
        let unwell = matches!(error, LinkError::Server { status, .. } if *status != 501);
        let is_day = shipment.endpoint == Endpoint::Daily;
        let alone = shipment.parcels.len() == 1;
        let asks = match &shipment.endpoint {
            Endpoint::Batch => alone && matches!(error, LinkError::Server { .. }),
            Endpoint::Document(_) if matches!(error, LinkError::Refused { status: 409, .. }) => {
                return Fault::Clash;
            }
            // A route that is broken or not there holds its own type.
            Endpoint::Document(_) => alone && error.stops_only_this_call(),
            Endpoint::Daily => error.heard() && !matches!(error, LinkError::RateLimited { .. }),
        };
        if !asks {
            return Fault::Line;
        }
        match self.ask(halt, cloud.ping()).await {
            // The cloud is well, and lets this outlet in.
            Some(Ok(pong)) => {
                self.heard(pong.timing);
                if is_day && !unwell {
                    Fault::Call
                } else {
                    Fault::Item
                }
            }
            // It has neither call; others it may well have.
            Some(Err(LinkError::NotFound(_))) if is_day => Fault::Item,
            Some(Err(_)) | None => Fault::Line,
        }
    }
}
