//! The outlets that may call: their keys (as hashes) and where their webhooks go.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};

use super::StoreError;
use crate::clock::Stamp;

/// SHA-256 of a key. Keys are long and random, so a plain hash is enough: there is nothing to guess.
pub type KeyHash = [u8; 32];

/// Hashes a key.
pub fn hash_key(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}

/// One outlet.
#[derive(Clone, PartialEq, Eq)]
pub struct Outlet {
    /// Its row.
    pub row: i64,
    /// Its id, as it says it.
    pub outlet_id: String,
    /// Its short name.
    pub code: String,
    /// The hash of its API key.
    pub key_hash: KeyHash,
    /// Where its runtime answers, e.g. `http://127.0.0.1:8080`; none: no webhooks.
    pub webhook_url: Option<String>,
    /// What its webhooks are signed with.
    pub webhook_secret: Option<String>,
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet")
            .field("outlet_id", &self.outlet_id)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

impl Outlet {
    /// Where and with which secret its webhooks go; `None` when either is not known.
    pub fn hook(&self) -> Option<(&str, &str)> {
        Some((self.webhook_url.as_deref()?, self.webhook_secret.as_deref()?))
    }
}

/// An outlet to register. `None` keeps what is stored.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its id.
    pub outlet_id: String,
    /// Its short name.
    pub code: String,
    /// The hash of its key; a new outlet needs one.
    pub key_hash: Option<KeyHash>,
    /// Where its webhooks go.
    pub webhook_url: Option<String>,
    /// What they are signed with.
    pub webhook_secret: Option<String>,
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Outlet> {
    Ok(Outlet {
        row: row.get(0)?,
        outlet_id: row.get(1)?,
        code: row.get(2)?,
        key_hash: row.get(3)?,
        webhook_url: row.get(4)?,
        webhook_secret: row.get(5)?,
    })
}

/// Adds an outlet or changes the one of that id. `false`: it is new and came without a key, or its key is another's.
///
/// # Errors
/// When the store fails.
pub fn register(tx: &Transaction<'_>, outlet: &Registration, now: &Stamp) -> Result<bool, StoreError> {
    let Registration {
        outlet_id,
        code,
        key_hash,
        webhook_url,
        webhook_secret,
    } = outlet;
    let known: Option<i64> = tx
        .query_row(
            "SELECT id FROM outlets WHERE outlet_id = ?1",
            [outlet_id],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(hash) = key_hash {
        let sql = "SELECT EXISTS (SELECT 1 FROM outlets WHERE key_hash = ?1 AND outlet_id <> ?2)";
        if tx.query_row(sql, params![hash, outlet_id], |row| row.get(0))? {
            return Ok(false);
        }
    } else if known.is_none() {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO outlets (outlet_id, code, key_hash, webhook_url, webhook_secret, created_at)
         VALUES (?1, ?2, coalesce(?3, (SELECT key_hash FROM outlets WHERE outlet_id = ?1)), ?4, ?5, ?6)
         ON CONFLICT (outlet_id) DO UPDATE SET code = excluded.code, key_hash = excluded.key_hash,
           webhook_url = coalesce(excluded.webhook_url, webhook_url),
           webhook_secret = coalesce(excluded.webhook_secret, webhook_secret)",
        params![outlet_id, code, key_hash, webhook_url, webhook_secret, now],
    )?;
    Ok(true)
}

/// Every outlet, in the order of registration.
///
/// # Errors
/// When the store fails.
pub fn all(tx: &Transaction<'_>) -> Result<Vec<Outlet>, StoreError> {
    let sql = "SELECT id, outlet_id, code, key_hash, webhook_url, webhook_secret FROM outlets ORDER BY id";
    let mut statement = tx.prepare_cached(sql)?;
    let rows = statement.query_map([], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::scratch;

    fn registration(id: &str, key: Option<&str>) -> Registration {
        Registration {
            outlet_id: id.to_owned(),
            code: format!("CODE-{id}"),
            key_hash: key.map(hash_key),
            webhook_url: None,
            webhook_secret: Some("s".to_owned()),
        }
    }

    #[tokio::test]
    async fn registering_again_keeps_what_is_not_given_and_keys_are_unique() {
        let (_dir, store) = scratch();
        let outlets = store
            .write(|tx| {
                let now = "2026-01-27T10:35:00.000Z".to_owned();
                assert!(register(tx, &registration("a", Some("key-a")), &now)?);
                assert!(register(
                    tx,
                    &Registration {
                        webhook_secret: None,
                        ..registration("a", None)
                    },
                    &now
                )?);
                assert!(!register(tx, &registration("b", Some("key-a")), &now)?);
                assert!(!register(tx, &registration("b", None), &now)?);
                all(tx)
            })
            .await
            .unwrap();
        assert_eq!(outlets.len(), 1);
        assert_eq!(outlets[0].key_hash, hash_key("key-a"));
        assert_eq!(outlets[0].webhook_secret.as_deref(), Some("s"));
        assert!(!format!("{outlets:?}").contains("secret"));
    }
}
