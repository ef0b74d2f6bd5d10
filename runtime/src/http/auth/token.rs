//! Login tokens: JWT, HS256 pinned, for this installation only, twelve hours long.
//!
//! Expiry is judged by the time that is handed in, never by the system's clock.

use super::provider;
use crate::http::ApiError;
use crate::secret::Secret;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use selaras_core::stamp::Millis;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How long a token holds.
const LIFETIME_MS: i64 = 12 * 60 * 60 * 1000;
/// How far the clock may have been set back or forth since the token was made.
const LEEWAY_MS: i64 = 30 * 1000;
const ISSUER: &str = "selaras";

/// What a token says. All are required.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// The user's id.
    pub(crate) sub: String,
    iss: String,
    aud: String,
    /// Seconds since the Unix epoch, as the standard has it.
    iat: i64,
    exp: i64,
    /// Tells one token from another.
    pub(crate) jti: String,
    /// Which of the user's sessions hold: when all of them are ended, it grows.
    #[serde(rename = "gen")]
    pub(crate) generation: u32,
}

impl Claims {
    /// When it expires.
    pub(crate) fn expires(&self) -> Millis {
        Millis(self.exp.saturating_mul(1000))
    }
}

/// Makes and checks tokens.
pub(crate) struct Tokens {
    signing: EncodingKey,
    /// The current key, then the previous one.
    verifying: Vec<DecodingKey>,
    audience: String,
    validation: Validation,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// `secrets`: the one to sign with, and perhaps the previous one, whose tokens still hold. `audience` is this
    /// installation's id: a token of another one is no use here, even under the same secret.
    pub(crate) fn new(secrets: &[Secret<Vec<u8>>], audience: &str) -> Self {
        provider::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[audience]);
        // The crate would ask the system's clock; `verify` judges the time itself.
        validation.validate_exp = false;
        Self {
            signing: EncodingKey::from_secret(secrets[0].expose()),
            verifying: secrets
                .iter()
                .map(|secret| DecodingKey::from_secret(secret.expose()))
                .collect(),
            audience: audience.to_owned(),
            validation,
        }
    }

    /// A token for a user whose sessions are at this generation, and when it ends. `random` tells it from any other.
    ///
    /// # Errors
    /// 500; it cannot happen with a key of any length.
    pub(crate) fn issue(
        &self,
        user_id: &str,
        generation: u32,
        now: Millis,
        random: u64,
    ) -> Result<(String, Millis), ApiError> {
        let expires = now.plus_ms(LIFETIME_MS);
        let claims = Claims {
            sub: user_id.to_owned(),
            iss: ISSUER.to_owned(),
            aud: self.audience.clone(),
            iat: now.0.div_euclid(1000),
            exp: expires.0.div_euclid(1000),
            jti: format!("{random:016x}"),
            generation,
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(|error| ApiError::internal(format!("a token cannot be made: {error}")))?;
        Ok((token, claims.expires()))
    }

    /// Who a token speaks for.
    ///
    /// # Errors
    /// 401: forged, of another installation, expired, or made in a future that the clock was set back from.
    pub(crate) fn verify(&self, token: &str, now: Millis) -> Result<Claims, ApiError> {
        let decoded = self
            .verifying
            .iter()
            .map(|key| jsonwebtoken::decode(token, key, &self.validation));
        let decoded = decoded.reduce(|first, next| first.or(next));
        let claims: Claims = decoded
            .expect("invariant: there is a key")
            .map_err(|error| {
                ApiError::bad_token(
                    "invalid_token",
                    "the token is not one of this outlet: log in again",
                )
                .cause(error.to_string())
            })?
            .claims;
        if now.0 >= claims.exp.saturating_mul(1000).saturating_add(LEEWAY_MS) {
            return Err(ApiError::bad_token(
                "token_expired",
                "the token has expired: log in again",
            ));
        }
        if claims.iat.saturating_mul(1000) > now.0.saturating_add(LEEWAY_MS) {
            return Err(ApiError::bad_token(
                "invalid_token",
                "the token was made before the outlet's clock was set right: log in again",
            ));
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const NOW: Millis = Millis(1_769_509_800_000);
    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn tokens() -> Tokens {
        Tokens::new(&[Secret::of(SECRET.to_vec())], "install-1")
    }

    fn code(result: Result<Claims, ApiError>) -> &'static str {
        result.unwrap_err().code()
    }

    fn signed_by_hand(header: &str, claims: &str) -> String {
        use hmac::Mac;
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET)
            .unwrap()
            .chain_update(&message);
        format!(
            "{message}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    }

    #[test]
    fn a_token_speaks_for_its_user_until_it_expires() {
        let (token, expires) = tokens().issue("u-1", 3, NOW, 7).unwrap();
        assert_eq!(expires, NOW.plus_ms(LIFETIME_MS));
        assert_eq!(tokens().verify(&token, NOW).unwrap().sub, "u-1");
        assert_eq!(
            tokens()
                .verify(&token, expires.plus_ms(LEEWAY_MS - 1))
                .unwrap()
                .sub,
            "u-1"
        );
        assert_eq!(
            code(tokens().verify(&token, expires.plus_ms(LEEWAY_MS))),
            "token_expired"
        );
    }

    #[test]
    fn a_token_of_another_secret_or_installation_is_refused() {
        let (token, _) = tokens().issue("u-1", 3, NOW, 7).unwrap();
        assert_eq!(
            code(Tokens::new(&[Secret::of(b"another secret".to_vec())], "install-1").verify(&token, NOW)),
            "invalid_token"
        );
        assert_eq!(
            code(Tokens::new(&[Secret::of(SECRET.to_vec())], "install-2").verify(&token, NOW)),
            "invalid_token"
        );
    }

    #[test]
    fn a_token_of_the_previous_secret_holds_while_it_is_kept() {
        let (token, _) = tokens().issue("u-1", 3, NOW, 7).unwrap();
        let rotated = Tokens::new(
            &[
                Secret::of(b"the new secret".to_vec()),
                Secret::of(SECRET.to_vec()),
            ],
            "install-1",
        );
        assert_eq!(rotated.verify(&token, NOW).unwrap().generation, 3);
        let (token, _) = rotated.issue("u-1", 3, NOW, 7).unwrap();
        assert_eq!(code(tokens().verify(&token, NOW)), "invalid_token");
    }

    #[test]
    fn a_token_from_a_future_that_never_came_is_refused() {
        let (token, _) = tokens().issue("u-1", 3, NOW, 7).unwrap();
        assert_eq!(
            code(tokens().verify(&token, NOW.plus_ms(-60_000))),
            "invalid_token"
        );
        assert!(tokens().verify(&token, NOW.plus_ms(-20_000)).is_ok());
    }

    #[test]
    fn another_algorithm_or_none_is_refused() {
        let (token, _) = tokens().issue("u-1", 3, NOW, 7).unwrap();
        let claims =
            String::from_utf8(URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
        assert!(
            tokens()
                .verify(&signed_by_hand(r#"{"alg":"HS256","typ":"JWT"}"#, &claims), NOW)
                .is_ok()
        );
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"RS256"}"#,
            "{}",
            "",
        ] {
            assert_eq!(
                code(tokens().verify(&signed_by_hand(header, &claims), NOW)),
                "invalid_token",
                "{header}"
            );
        }
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert_eq!(code(tokens().verify(&unsigned, NOW)), "invalid_token");
    }

    #[test]
    fn a_token_that_lacks_a_claim_is_refused() {
        let all = r#"{"sub":"u","iss":"selaras","aud":"install-1","iat":1769509800,"exp":1769553000,"jti":"1","gen":0}"#;
        let header = r#"{"alg":"HS256"}"#;
        assert!(tokens().verify(&signed_by_hand(header, all), NOW).is_ok());
        for name in ["sub", "iss", "aud", "iat", "exp", "jti", "gen"] {
            let without = all.replace(&format!("\"{name}\""), "\"other\"");
            assert_eq!(
                code(tokens().verify(&signed_by_hand(header, &without), NOW)),
                "invalid_token",
                "{name}"
            );
        }
    }
}
