//! Apps' tokens: made of 256 random bits, shown once, kept as a digest.

use crate::engine::Engine;
use crate::engine::api::{AppToken, Event, NewToken, Page, PageRequest, Scope, Unavailable};
use crate::secret::Secret;
use crate::store::rows::put;
use crate::store::{Batch, CommitError, Direction, keys};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selaras_core::stamp::Millis;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a token begins with, so that it is recognised where it must not be.
pub const PREFIX: &str = "selaras_";

#[derive(Serialize, Deserialize)]
struct TokenRow {
    name: String,
    access: crate::engine::api::Access,
    entity_types: Vec<String>,
    expires_at: Option<Millis>,
    created_at: Millis,
    created_by: String,
    /// SHA-256 of the secret part.
    digest: [u8; 32],
}

impl TokenRow {
    fn view(self, id: String) -> AppToken {
        // What was stored had been checked.
        let types = self.entity_types.iter();
        let entity_types = types.filter_map(|name| name.parse().ok()).collect();
        AppToken {
            id,
            name: self.name,
            scope: Scope {
                access: self.access,
                entity_types,
            },
            expires_at: self.expires_at,
            created_at: self.created_at,
            created_by: self.created_by,
        }
    }
}

fn key(id: &str) -> Vec<u8> {
    keys::named(keys::APP_TOKEN, id.as_bytes())
}

fn id_of(key: &[u8]) -> String {
    String::from_utf8_lossy(&key[1..]).into_owned()
}

impl Engine {
    /// Makes a token. The text is told this once.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn make_app_token(&self, new: NewToken, by: &str) -> Result<(AppToken, Secret), Unavailable> {
        let id = self.new_ulid();
        let mut secret = [0; 32];
        self.inner.time.clock().fill(&mut secret);
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let row = TokenRow {
            name: new.name,
            access: new.scope.access,
            entity_types: new.scope.entity_types.iter().map(ToString::to_string).collect(),
            expires_at: new.expires_at,
            created_at: self.now(),
            created_by: by.to_owned(),
            digest: Sha256::digest(&secret).into(),
        };
        let mut batch = Batch::new();
        put(&mut batch, key(&id), &row);
        let event = Event::new(by, "token.create", &id)
            .with("name", row.name.as_str())
            .with("access", row.access.as_str())
            .with("entity_types", row.entity_types.clone())
            .with("expires_at", row.expires_at.map(|at| at.to_rfc3339()));
        self.record(&mut batch, &event);
        self.inner.rows.store().commit(batch).await?;
        tracing::info!(by, token = id, name = row.name, "a token for an app was made");
        let text = Secret::new(format!("{PREFIX}{id}_{secret}"));
        Ok((row.view(id), text))
    }

    /// The tokens there are, by id.
    ///
    /// # Errors
    /// When the store cannot be read, or the cursor is none.
    pub fn app_tokens(&self, page: PageRequest) -> Result<Page<AppToken>, Unavailable> {
        let (mut from, to) = keys::all(keys::APP_TOKEN);
        if let Some(after) = page.after {
            from = keys::named(keys::APP_TOKEN, &after);
            from.push(0);
        }
        let limit = page.limit;
        let mut rows: Vec<(Vec<u8>, TokenRow)> =
            self.inner
                .rows
                .page((&from, &to), Direction::Forward, limit + 1)?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|(key, _)| key[1..].to_vec());
        let items = rows.into_iter().map(|(key, row)| row.view(id_of(&key))).collect();
        Ok(Page { items, next })
    }

    /// The token that a text is. None: none, one that was deleted, or one that has ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn app_token(&self, text: &str) -> Result<Option<AppToken>, Unavailable> {
        let parts = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = parts else {
            return Ok(None);
        };
        let Some(row) = self.inner.rows.get::<TokenRow>(&key(id))? else {
            return Ok(None);
        };
        let digest: [u8; 32] = Sha256::digest(secret).into();
        let is_it = bool::from(row.digest.ct_eq(&digest));
        let has_ended = row.expires_at.is_some_and(|end| end <= self.session_time());
        Ok((is_it && !has_ended).then(|| row.view(id.to_owned())))
    }

    /// Ends a token. False: there is none of this id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_app_token(&self, id: &str, by: &str) -> Result<bool, Unavailable> {
        let mut batch = Batch::new();
        batch.expect_prefix(key(id), Vec::new());
        batch.delete(key(id));
        self.record(&mut batch, &Event::new(by, "token.delete", id));
        match self.inner.rows.store().commit(batch).await {
            Ok(_) => {
                tracing::info!(by, token = id, "a token of an app was deleted");
                Ok(true)
            }
            Err(CommitError::Precondition { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
