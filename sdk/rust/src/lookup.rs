//! Reads of the outlet's own records, as of the start of the call. The host keeps what it answered with the conflict, so
//! that a recorded decision can be run again. Off the wasm target the answers come from [`crate::testing`].

use crate::{Document, Key};

#[cfg(not(target_arch = "wasm32"))]
use crate::testing::answers;
#[cfg(target_arch = "wasm32")]
use from_host as answers;

/// The outlet's record of an entity; none when there is none.
pub fn get(key: &Key) -> Option<Document> {
    answers::get(key)
}

/// The outlet's id of what the cloud calls `cloud_id`.
pub fn local_id(entity_type: &str, cloud_id: &str) -> Option<String> {
    answers::local_id(entity_type, cloud_id)
}

/// The cloud's id of an entity of the outlet; none while the cloud has not stated one.
pub fn cloud_id(key: &Key) -> Option<String> {
    answers::cloud_id(key)
}

#[cfg(target_arch = "wasm32")]
mod from_host {
    use crate::bindings::imports::selaras::plugin::lookup;
    use crate::{Document, Key};

    pub fn get(key: &Key) -> Option<Document> {
        lookup::get(&key.clone().into()).map(Into::into)
    }

    pub fn local_id(entity_type: &str, cloud_id: &str) -> Option<String> {
        lookup::local_id(entity_type, cloud_id)
    }

    pub fn cloud_id(key: &Key) -> Option<String> {
        lookup::cloud_id(&key.clone().into())
    }
}
