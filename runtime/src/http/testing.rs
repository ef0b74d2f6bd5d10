//! What tests of this module share: an app over an engine in memory.

use crate::engine::testing::engine;
use crate::http::{App, Settings};
use crate::secret::Secret;
use tokio_util::sync::CancellationToken;

/// An app with an admin, without plugins, outlet or webhook secret.
pub(crate) async fn app() -> App {
    App::new(
        engine().await,
        Settings {
            jwt_secrets: vec![Secret::of(b"0123456789abcdef0123456789abcdef".to_vec())],
            install_id: "install-1".to_owned(),
            webhook_secrets: Vec::new(),
            refuse_legacy_webhooks: false,
            stop: CancellationToken::new(),
        },
    )
}
