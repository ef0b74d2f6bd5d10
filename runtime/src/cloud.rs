//! The cloud API client (the contract's "outlet → cloud" half): wire types and calls.
//!
//! It knows the wire and nothing behind it: no store, no plugins, no engine. It decides nothing; whether to try
//! again, wait or give up is the engine's, and [`LinkError`] says what the engine needs for it. Documents pass
//! through as text: nothing here parses a number of theirs.

mod address;
mod answer;
mod batch;
mod calls;
mod client;
mod error;
mod json;
mod page;
mod reach;
mod send;
#[cfg(test)]
mod testing;
mod traffic;
mod transport;
mod trust;
mod wire;

pub use address::{BaseUrl, UrlError, check_url};
pub use batch::{CloudSide, DocumentResult, ItemResult, PushItem, ResultStatus};
pub use calls::{ConflictAnswer, Resolution};
pub use client::{Client, CloudConfig, Connect, OnExchange, SetupError};
pub use error::LinkError;
pub use page::{Collection, Element, Page, Unreadable, read_again};
pub use reach::OutOfReach;
pub use send::{Answer, Timing};
pub use traffic::{Carried, Tally, Traffic};
pub use transport::{Exchange, Request, Response, Transport};
pub use trust::{AuthoritiesError, Pin, PinError, Trust};
pub use wire::{Posted, Poster, client_of_this_outlet, plain_client};
