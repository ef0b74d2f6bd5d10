//! What the environment says of secrets.

use super::Reader;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The shortest password that the first admin may be given; one under eight characters is warned of.
const SHORTEST_PASSWORD: usize = 4;

/// The shortest token that lets metrics be read: long enough not to be guessed.
const SHORTEST_METRICS_TOKEN: usize = 16;

impl Reader<'_> {
    pub(super) fn webhook_secrets(&mut self) -> Vec<Secret> {
        let current = self.secret("WEBHOOK_SECRET");
        let previous = self.secret("WEBHOOK_SECRET_PREVIOUS");
        if current.is_none() && previous.is_some() {
            self.problem(
                "WEBHOOK_SECRET_PREVIOUS",
                "only used beside WEBHOOK_SECRET, while secrets are rotated",
            );
        }
        for (variable, secret) in [
            ("WEBHOOK_SECRET", &current),
            ("WEBHOOK_SECRET_PREVIOUS", &previous),
        ] {
            if secret.as_ref().is_some_and(signs_for_anybody) {
                self.problem(
                    variable,
                    "not blank, and after whsec_ a key in base64; unset it and webhooks are closed",
                );
            }
        }
        [current, previous].into_iter().flatten().collect()
    }

    pub(super) fn jwt_secret(&mut self) -> Option<Secret> {
        let secret = self.secret("JWT_SECRET")?;
        Some(self.long_enough("JWT_SECRET", secret))
    }

    pub(super) fn jwt_secret_previous(&mut self) -> Option<Secret> {
        let secret = self.secret("JWT_SECRET_PREVIOUS")?;
        Some(self.long_enough("JWT_SECRET_PREVIOUS", secret))
    }

    fn long_enough(&mut self, variable: &str, secret: Secret) -> Secret {
        if secret.expose().len() < 32 {
            self.problem(
                variable,
                "at least 32 bytes; unset it and one is made and kept in the data directory",
            );
        }
        secret
    }

    pub(super) fn admin_password(&mut self) -> Option<Secret> {
        let password = self.secret("ADMIN_PASSWORD")?;
        if password.expose().chars().count() < SHORTEST_PASSWORD {
            let problem =
                format!("at least {SHORTEST_PASSWORD} characters; unset it and a random one is made");
            self.problem("ADMIN_PASSWORD", &problem);
        }
        Some(password)
    }

    pub(super) fn metrics_token(&mut self) -> Option<Secret> {
        let token = self.secret("METRICS_TOKEN")?;
        let is_printable = token.expose().bytes().all(|byte| byte.is_ascii_graphic());
        if token.expose().len() < SHORTEST_METRICS_TOKEN || !is_printable {
            let problem =
                format!("at least {SHORTEST_METRICS_TOKEN} printable ASCII characters without spaces");
            self.problem("METRICS_TOKEN", &problem);
        }
        Some(token)
    }
}

/// There is no key in it, so that everybody has it.
fn signs_for_anybody(secret: &Secret) -> bool {
    let text = secret.expose().trim();
    let key = text.strip_prefix("whsec_").map(|key| STANDARD.decode(key));
    text.is_empty() || key.is_some_and(|key| !key.is_ok_and(|key| !key.is_empty()))
}
