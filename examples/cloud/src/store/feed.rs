//! The updates feed: every entity once, at the place of its newest change, in the order of commits. A reader who
//! follows it from the start has seen the newest state of everything when it reaches the end.

use rusqlite::{Transaction, params};

use super::StoreError;
use super::entities::{self, Entity};

/// A page ends after this many bytes of documents, whatever its limit.
const PAGE_BYTES: usize = 8 << 20;

/// A page of the feed.
#[derive(Debug)]
pub struct Page {
    /// In the order of commits.
    pub entities: Vec<Entity>,
    /// Where the next page starts.
    pub next: i64,
    /// There is more behind it.
    pub has_more: bool,
}

/// Reads from behind `since`. `None`: `since` lies ahead of everything, so it is not from this history.
///
/// # Errors
/// When the store fails.
pub fn read(tx: &Transaction<'_>, since: i64, limit: usize) -> Result<Option<Page>, StoreError> {
    if since > entities::head(tx)? {
        return Ok(None);
    }
    let sql = "SELECT id, entity_type, cloud_id, local_id, version, seq, deleted, updated_at, updated_by, change_id, doc
        FROM entities WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut statement = tx.prepare_cached(sql)?;
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut rows = statement.query(params![since, one_more])?;
    let mut page = Page {
        entities: Vec::with_capacity(limit.min(1024)),
        next: since,
        has_more: false,
    };
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if page.entities.len() >= limit || bytes >= PAGE_BYTES {
            page.has_more = true;
            break;
        }
        let entity = entities::from_row(row)?;
        bytes += entity.doc.as_ref().map_or(0, String::len);
        page.next = entity.seq;
        page.entities.push(entity);
    }
    Ok(Some(page))
}
