//! What tests of this module share: an app over an engine in memory.

use crate::engine::testing::engine;
use crate::http::{App, RequestLimits, Scrape, Settings};
use crate::secret::Secret;
use parking_lot::Mutex;
use std::io::{self, Write};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// An app with an admin, without plugins, outlet or webhook secret.
pub(crate) async fn app() -> App {
    app_within(RequestLimits::default()).await
}

/// The same within other limits.
pub(crate) async fn app_within(limits: RequestLimits) -> App {
    App::new(
        engine().await,
        Settings {
            jwt_secrets: vec![Secret::of(b"0123456789abcdef0123456789abcdef".to_vec())],
            install_id: "install-1".to_owned(),
            webhook_secrets: Vec::new(),
            limits,
            scrape: Scrape::new(Some("the token of the scraper"), true),
            refuse_legacy_webhooks: false,
            stop: CancellationToken::new(),
        },
    )
}

/// What is logged meanwhile, on this thread.
pub(crate) fn log_of(work: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);
    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    let text = kept.0.lock().clone();
    String::from_utf8(text).expect("a log in UTF-8")
}
