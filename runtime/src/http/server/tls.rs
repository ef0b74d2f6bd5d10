//! TLS: the certificate and key files, the configuration made of them, and its successor when they change. It knows no HTTP.

mod files;
mod reload;

pub use files::TlsError;

use files::Stamp;
use parking_lot::RwLock;
use rustls::ServerConfig;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The two files, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those that lead to an authority.
    pub cert: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// TLS as it is spoken now. Cloning shares it.
#[derive(Clone)]
pub struct Tls {
    files: TlsFiles,
    stamp: Stamp,
    current: Arc<RwLock<Arc<ServerConfig>>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files. `now_ms`: the time by which a certificate is called expired.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn load(files: TlsFiles, now_ms: i64) -> Result<Self, TlsError> {
        // Before reading: what changes meanwhile is seen as a change.
        let stamp = Stamp::of(&files);
        let config = configuration(&files, now_ms)?;
        Ok(Self {
            files,
            stamp,
            current: Arc::new(RwLock::new(config)),
        })
    }

    /// Agrees on TLS with a peer.
    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        let config = self.current.read().clone();
        TlsAcceptor::from(config).accept(stream).await
    }

    /// Reads the files again; the old ones stay in use when these are no pair.
    fn renew(&self, now_ms: i64) -> Result<(), TlsError> {
        let config = configuration(&self.files, now_ms)?;
        *self.current.write() = config;
        Ok(())
    }
}

fn configuration(files: &TlsFiles, now_ms: i64) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key) = files::read(files, now_ms)?;
    let no_pair = |error| TlsError::NoPair {
        cert: files.cert.clone(),
        key: files.key.clone(),
        error,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(no_pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(no_pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
