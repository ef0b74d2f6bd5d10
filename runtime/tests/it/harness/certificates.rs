//! Certificates of an authority of the test's own, and a door of TLS before a server that speaks none.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub pem: String,
}

/// A server's certificate and key.
pub struct Pair {
    pub cert_pem: String,
    pub key_pem: String,
    /// Base64 of the SHA-256 of the key's SubjectPublicKeyInfo.
    pub pin: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "the test's own authority");
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A server's certificate for a name.
    pub fn pair(&self, name: &str) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        let digest = Sha256::digest(key.subject_public_key_info());
        Pair {
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
            pin: base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest),
        }
    }
}

impl Pair {
    /// Writes both as a renewal does, each whole; answers their paths.
    pub fn write(&self, dir: &Path) -> (PathBuf, PathBuf) {
        (
            write(dir, "cert.pem", &self.cert_pem),
            write(dir, "key.pem", &self.key_pem),
        )
    }
}

/// Puts a file in its place whole.
pub fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let (temporary, path) = (dir.join("renewed"), dir.join(name));
    std::fs::write(&temporary, text).expect("a file");
    std::fs::rename(temporary, &path).expect("a file in its place");
    path
}

/// TLS before another server. Dropping it closes it.
pub struct Door {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Door {
    /// Opens a door to `http://host:port`.
    pub async fn to(url: &str, pair: &Pair) -> Self {
        let inside = url.trim_start_matches("http://").to_owned();
        let chain = CertificateDer::from_pem_slice(pair.cert_pem.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(pair.key_pem.as_bytes()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocols")
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .expect("a pair");
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let task = tokio::spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((outside, _)) = listener.accept().await {
                let (acceptor, inside) = (acceptor.clone(), inside.clone());
                // Who does not trust the certificate does not come through, which is the point of some tests.
                passing.spawn(async move {
                    let mut outside = acceptor.accept(outside).await.ok()?;
                    let mut inside = TcpStream::connect(inside).await.ok()?;
                    copy_bidirectional(&mut outside, &mut inside).await.ok()
                });
            }
        });
        Self { address, task }
    }

    /// Where it is, by name.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}
