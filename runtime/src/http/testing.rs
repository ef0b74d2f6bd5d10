//! What tests of this module share: an app over an engine in memory.

use crate::engine::Engine;
use crate::http::{App, Settings};
use tokio_util::sync::CancellationToken;

/// An app without users, outlet or webhook secret.
pub(crate) fn app() -> App {
    App::new(
        Engine::default(),
        Settings {
            jwt_secret: b"0123456789abcdef0123456789abcdef".to_vec(),
            install_id: "install-1".to_owned(),
            webhook_secrets: Vec::new(),
            stop: CancellationToken::new(),
        },
    )
}
