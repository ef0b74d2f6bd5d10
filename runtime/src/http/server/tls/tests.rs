//! The files, what is said of those that cannot be used, and their renewal.

use super::*;
use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use rustls::pki_types::CertificateDer;
use std::fs;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const NOW_MS: i64 = 1_769_511_600_000;

struct Folder {
    dir: TempDir,
    files: TlsFiles,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = TlsFiles {
            cert: dir.path().join("cert.pem"),
            key: dir.path().join("key.pem"),
        };
        Self { dir, files }
    }

    /// Puts a new pair there as a renewal does, and answers the certificate.
    fn renew(&self) -> CertificateDer<'static> {
        let made = made();
        self.put("cert.pem", &made.cert.pem());
        self.put("key.pem", &made.signing_key.serialize_pem());
        made.cert.der().clone()
    }

    fn put(&self, name: &str, text: &str) {
        let temporary = self.dir.path().join("new");
        fs::write(&temporary, text).unwrap();
        fs::rename(temporary, self.dir.path().join(name)).unwrap();
    }

    fn refused(&self) -> String {
        Tls::load(self.files.clone(), NOW_MS).unwrap_err().to_string()
    }
}

fn made() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(["outlet.test".to_owned()]).unwrap()
}

/// The certificate that a client is shown.
async fn shown(tls: &Tls) -> CertificateDer<'static> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let accepted = tls.accept(ours);
    let mut roots = rustls::RootCertStore::empty();
    for part in CertificateDer::pem_slice_iter(&fs::read(&tls.files.cert).unwrap()) {
        roots.add(part.unwrap()).unwrap();
    }
    let mut client =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let connected = connector.connect("outlet.test".try_into().unwrap(), theirs);
    let (accepted, connected) = tokio::join!(accepted, connected);
    let (_, session) = accepted.unwrap().into_inner();
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    let connected = connected.unwrap();
    connected.get_ref().1.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

use rustls::pki_types::pem::PemObject;

#[tokio::test]
async fn a_pair_is_spoken_and_http_1_1_agreed_on() {
    let folder = Folder::new();
    let certificate = folder.renew();
    let tls = Tls::load(folder.files.clone(), NOW_MS).unwrap();
    assert_eq!(shown(&tls).await, certificate);
}

#[test]
fn what_is_wrong_with_the_files_is_told_with_the_file_and_the_variable() {
    let folder = Folder::new();
    let told = |parts: &[&str]| {
        let said = folder.refused();
        for part in parts {
            assert!(said.contains(part), "{part} is not in: {said}");
        }
    };
    told(&["TLS_CERT", "cert.pem", "cannot be read"]);
    folder.put("cert.pem", "hello");
    told(&["TLS_CERT", "cert.pem", "no certificate in PEM"]);
    let other = made();
    folder.put("cert.pem", &other.signing_key.serialize_pem());
    told(&["TLS_CERT", "cert.pem", "no certificate in PEM"]);
    folder.put(
        "cert.pem",
        "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
    );
    told(&["TLS_CERT", "cert.pem"]);
    folder.renew();
    folder.put("key.pem", "");
    told(&["TLS_KEY", "key.pem", "private key in PEM"]);
    folder.put("key.pem", &other.signing_key.serialize_pem());
    told(&["TLS_KEY", "key.pem", "does not go with"]);
    fs::remove_file(&folder.files.key).unwrap();
    told(&["TLS_KEY", "key.pem", "cannot be read"]);
}

#[test]
fn an_expired_certificate_is_told_and_used() {
    let folder = Folder::new();
    let mut params = CertificateParams::new(["outlet.test".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = KeyPair::generate().unwrap();
    folder.put("cert.pem", &params.self_signed(&key).unwrap().pem());
    folder.put("key.pem", &key.serialize_pem());
    let said = crate::http::testing::log_of(|| drop(Tls::load(folder.files.clone(), NOW_MS).unwrap()));
    assert!(
        said.contains("has expired") && said.contains("cert.pem"),
        "{said}"
    );
    folder.renew();
    let said = crate::http::testing::log_of(|| drop(Tls::load(folder.files.clone(), NOW_MS).unwrap()));
    assert!(!said.contains("expired"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_renewed_pair_is_taken_and_one_that_is_none_is_not() {
    let folder = Folder::new();
    folder.renew();
    let tls = Tls::load(folder.files.clone(), NOW_MS).unwrap();
    let stop = CancellationToken::new();
    let minding = tokio::spawn(tls.clone().mind(Arc::new(|| NOW_MS), stop.clone()));
    let first = tls.current.read().clone();
    let renewed = folder.renew();
    let changed = |before: Arc<ServerConfig>| {
        let tls = tls.clone();
        async move {
            // Time goes by itself while all wait for it.
            for _ in 0..100 {
                if !Arc::ptr_eq(&before, &tls.current.read()) {
                    return true;
                }
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                // The files are looked at on a thread of its own, for which paused time does not wait.
                tokio::task::spawn_blocking(|| ()).await.unwrap();
            }
            false
        }
    };
    assert!(changed(first).await);
    assert_eq!(shown(&tls).await, renewed);
    let second = tls.current.read().clone();
    folder.put("key.pem", &made().signing_key.serialize_pem());
    assert!(
        !changed(second.clone()).await,
        "a key of another certificate was taken"
    );
    folder.renew();
    assert!(changed(second).await, "the pair after a bad one was not taken");
    stop.cancel();
    minding.await.unwrap();
}
