//! The cloud may name one entity to us twice: a record pulled under an id of its own, and the app's own create whose
//! success names the same `cloud_id`. The app's id survives, the other becomes an alias of it (rule 9).

use crate::engine::api::Unavailable;
use crate::engine::tx::{Load, Tx, feed_row};
use crate::store::documents::forget_documents;
use crate::store::rows::Origin;
use crate::store::{Counter, keys};
use selaras_core::id::{CloudId, EntityKey};
use selaras_core::stamp::Millis;

/// Frees `cloud_id` for `key` where another record holds it. False: that record has changes of its own waiting, and
/// keeps it.
///
/// # Errors
/// When the store cannot be read.
pub fn adopt_twin(
    tx: &mut Tx<'_>,
    key: &EntityKey,
    cloud_id: &CloudId,
    now: Millis,
) -> Result<bool, Unavailable> {
    let entity_type = key.entity_type.as_str();
    let Some(id) = tx
        .by_cloud_id(&key.entity_type, cloud_id)?
        .filter(|id| *id != key.id)
    else {
        return Ok(true);
    };
    let twin_key = EntityKey {
        entity_type: key.entity_type.clone(),
        id,
    };
    let twin = tx.entity(&twin_key, Load::Edges)?;
    if !twin.items.is_empty() || twin.record.conflict.is_some() {
        tracing::warn!(%key, twin = %twin_key, %cloud_id, "two records claim one cloud_id, and both have changes waiting");
        return Ok(false);
    }
    let rev = twin.record.rev;
    let lived = twin.record.doc.is_some();
    let mut gone = feed_row(twin, Origin::Cloud, now);
    gone.deleted = true;
    let twin = twin.clone();
    tx.forget(&twin_key);
    forget_documents(&mut tx.batch, &twin);
    tx.batch
        .expect_prefix(keys::entity(keys::RECORD, &twin_key), rev.to_be_bytes().to_vec());
    tx.batch.delete(keys::entity(keys::RECORD, &twin_key));
    tx.batch.put(
        keys::entity(keys::ALIAS, &twin_key),
        key.id.as_str().as_bytes().to_vec(),
    );
    tx.batch.put(
        keys::two(keys::BY_CLOUD_ID, entity_type, cloud_id.as_str()),
        key.id.as_str().as_bytes().to_vec(),
    );
    if lived {
        tx.batch.count(Counter::Records, -1);
    }
    tx.feed(&gone);
    tx.release(cloud_id);
    tracing::info!(%key, twin = %twin_key, "two names of one entity became one");
    Ok(true)
}
