//! Whom the client takes for its cloud: the platform's authorities and the company's own, and, where a key is pinned, no
//! other key than that. No redirect, name or address comes into it; those are `address` and `reach`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Whom the client trusts, beside the platform's authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Further authorities.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The keys that the cloud may have: the one in use, and the backup for when it is changed. Empty: any that an
    /// authority vouches for.
    pub pins: Vec<Pin>,
}

/// Why a file of authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// Not PEM.
    #[error("it cannot be read as PEM: {0}")]
    NotPem(pem::Error),
    /// Something else in PEM.
    #[error("it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    Empty,
    /// A certificate that none can be checked by.
    #[error("a certificate in it is no authority's: {0}")]
    NoAuthority(Error),
}

impl Trust {
    /// The authorities of a PEM file.
    ///
    /// # Errors
    /// When it holds none.
    pub fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, AuthoritiesError> {
        let found = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(AuthoritiesError::NotPem)?;
        if found.is_empty() {
            return Err(AuthoritiesError::Empty);
        }
        let mut store = RootCertStore::empty();
        for certificate in &found {
            store
                .add(certificate.clone())
                .map_err(AuthoritiesError::NoAuthority)?;
        }
        Ok(found)
    }

    /// TLS for a client. Plain http needs no authorities, and must work where none are installed.
    ///
    /// # Errors
    /// When there is no authority at all.
    pub(super) fn tls(&self, secure: bool) -> Result<ClientConfig, Error> {
        // Named here rather than process-wide: a library's global default would depend on who came first.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        if !secure {
            return Ok(builder
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth());
        }
        let verifier = Verifier::new_with_extra_roots(self.authorities.iter().cloned(), provider)?;
        let verifier: Arc<dyn ServerCertVerifier> = if self.pins.is_empty() {
            Arc::new(verifier)
        } else {
            Arc::new(Pinned {
                pins: self.pins.clone(),
                inner: Arc::new(verifier),
            })
        };
        Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth())
    }
}

/// TLS to a server that shows this very certificate, whatever name it is for.
pub(super) fn only_this(certificate: CertificateDer<'static>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OnlyThis { certificate, inner }))
        .with_no_client_auth())
}

/// A public key's pin: SHA-256 of its SubjectPublicKeyInfo (RFC 7469, section 2.4).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

/// A text that is no pin.
#[derive(Debug, thiserror::Error)]
#[error(
    "\"{0}\" is no pin: base64 of the SHA-256 of the key's SubjectPublicKeyInfo, 44 characters, several with commas \
     between them"
)]
pub struct PinError(String);

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        // As curl and the HPKP header write it.
        let bare = text.trim_start_matches("sha256//").trim_start_matches("sha256/");
        let bytes = STANDARD
            .decode(bare)
            .map_err(|_not_base64| PinError(text.to_owned()))?;
        let digest = bytes.try_into().map_err(|_length| PinError(text.to_owned()))?;
        Ok(Self(digest))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

impl Pin {
    /// The pin of a certificate's key.
    fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let read = webpki::EndEntityCert::try_from(certificate)
            .map_err(|_unreadable| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        Ok(Self(Sha256::digest(read.subject_public_key_info()).into()))
    }
}

/// The cloud has another key than it may have.
#[derive(Debug, thiserror::Error)]
#[error(
    "the cloud's key is none of those in CLOUD_PIN: its pin is {0}; if the cloud has changed its key, add this pin, \
     else somebody is in between"
)]
struct Mismatch(Pin);

/// Checks the key after everything else.
#[derive(Debug)]
struct Pinned {
    pins: Vec<Pin>,
    inner: Arc<dyn ServerCertVerifier>,
}

/// Checks that the certificate is the one that is known.
#[derive(Debug)]
struct OnlyThis {
    certificate: CertificateDer<'static>,
    inner: Arc<dyn ServerCertVerifier>,
}

/// The signature shows that the server has the certificate's key; that is checked as ever.
macro_rules! signatures_as_ever {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.inner.verify_tls12_signature(message, cert, dss)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.inner.verify_tls13_signature(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.inner.supported_verify_schemes()
        }
    };
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.inner
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let pin = Pin::of(end_entity)?;
        if self.pins.contains(&pin) {
            Ok(verified)
        } else {
            // Not `InvalidCertificate`, which would tell its innards.
            Err(Error::Other(OtherError(Arc::new(Mismatch(pin)))))
        }
    }

    signatures_as_ever!();
}

impl ServerCertVerifier for OnlyThis {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.certificate {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ))
        }
    }

    signatures_as_ever!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::PublicKeyData as _;

    fn certificate() -> rcgen::CertifiedKey<rcgen::KeyPair> {
        rcgen::generate_simple_self_signed(["cloud.test".to_owned()]).unwrap()
    }

    #[test]
    fn a_pin_is_the_digest_of_the_keys_info_however_it_is_written() {
        let made = certificate();
        let expected = Sha256::digest(made.signing_key.subject_public_key_info());
        let pin = Pin::of(made.cert.der()).unwrap();
        assert_eq!(pin.0, *expected);
        for written in [
            format!("{pin}"),
            format!("sha256/{pin}"),
            format!("sha256//{pin}"),
        ] {
            assert_eq!(written.parse::<Pin>().unwrap(), pin);
        }
        for bad in [
            "",
            "sha256/",
            "AAAA",
            "not base64 at all, not base64 at all, not b",
        ] {
            assert!(
                bad.parse::<Pin>().unwrap_err().to_string().contains("no pin"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_file_of_authorities_must_hold_one() {
        let pem = certificate().cert.pem();
        assert_eq!(Trust::authorities(pem.as_bytes()).unwrap().len(), 1);
        let refused = |pem: &[u8]| Trust::authorities(pem).unwrap_err().to_string();
        assert!(refused(b"hello").contains("no certificate"));
        assert!(refused(b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").contains("PEM"));
        assert!(
            refused(b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n")
                .contains("no authority")
        );
    }
}
