//! The certificate and key files: reading them, and telling what is wrong with them in words that help.

use super::TlsFiles;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage};

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that is not there, or closed to this user.
    #[error("{variable}: {} cannot be read: {error}", path.display())]
    Unreadable {
        /// Which variable names it.
        variable: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file of something else.
    #[error("{variable}: {} holds no {wanted} in PEM (-----BEGIN …-----): {why}", path.display())]
    NotPem {
        /// Which variable names it.
        variable: &'static str,
        /// Which.
        path: PathBuf,
        /// What should be in it.
        wanted: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A key of another certificate, or of an unknown kind.
    #[error(
        "TLS_KEY: the key in {} does not go with the first certificate in {} (TLS_CERT): {error}",
        key.display(), cert.display()
    )]
    NoPair {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// What the TLS library says.
        error: rustls::Error,
    },
}

/// Reads both files. Warns of an expired certificate: the clock may be wrong, and clients judge for themselves.
pub(super) fn read(
    files: &TlsFiles,
    now_ms: i64,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let cert_pem = contents("TLS_CERT", &files.cert)?;
    let not_certificates = |why: String| TlsError::NotPem {
        variable: "TLS_CERT",
        path: files.cert.clone(),
        wanted: "certificate",
        why,
    };
    let chain = CertificateDer::pem_slice_iter(&cert_pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| not_certificates(error.to_string()))?;
    let Some(first) = chain.first() else {
        return Err(not_certificates("there is none".to_owned()));
    };
    let readable = EndEntityCert::try_from(first).map_err(|error| not_certificates(error.to_string()))?;
    warn_of_its_time(&readable, &files.cert, now_ms);
    let key_pem = contents("TLS_KEY", &files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|error| TlsError::NotPem {
        variable: "TLS_KEY",
        path: files.key.clone(),
        wanted: "unencrypted private key",
        why: match error {
            pem::Error::NoItemsFound => "there is none".to_owned(),
            other => other.to_string(),
        },
    })?;
    warn_of_its_readers(&files.key);
    Ok((chain, key))
}

fn contents(variable: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::Unreadable {
        variable,
        path: path.to_owned(),
        error,
    })
}

/// Asks for a chain to no authority at all: the time is what is looked at first.
fn warn_of_its_time(cert: &EndEntityCert<'_>, path: &Path, now_ms: i64) {
    let now = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(now_ms).unwrap_or(0)));
    let usage = KeyUsage::server_auth();
    match cert.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &[], &[], now, usage, None, None) {
        Err(webpki::Error::CertExpired { not_after, .. }) => tracing::warn!(
            path = %path.display(),
            expired_s_ago = now.as_secs().saturating_sub(not_after.as_secs()),
            "TLS_CERT: by this machine's clock the certificate has expired: clients will refuse it"
        ),
        Err(webpki::Error::CertNotValidYet { .. }) => tracing::warn!(
            path = %path.display(),
            "TLS_CERT: by this machine's clock the certificate is not valid yet"
        ),
        Ok(_) | Err(_) => {}
    }
}

fn warn_of_its_readers(path: &Path) {
    if fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0) {
        tracing::warn!(path = %path.display(), "TLS_KEY: every user of this machine can read the key: chmod o-r");
    }
}

/// What tells that files were changed, without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp([Option<(u64, u64, i64, i64)>; 2]);

impl Stamp {
    /// Of the files as they are. One that is not there has none.
    pub(super) fn of(files: &TlsFiles) -> Self {
        Self([&files.cert, &files.key].map(|path| {
            let seen = fs::metadata(path).ok()?;
            Some((seen.ino(), seen.size(), seen.mtime(), seen.mtime_nsec()))
        }))
    }
}
