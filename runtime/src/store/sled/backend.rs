//! How a group becomes one batch of the tree, and durable: `apply_batch`, `flush`, then `sync_data` on a handle of our own.

use std::{collections::BTreeMap, fs::File, sync::Arc};

use ::sled::{Db, IVec};

use super::{
    super::{
        Expected, OpenError, StoreError,
        group::{Base, Plan},
        meta::{META_KEY, Meta},
        writer::Backend,
    },
    OnDurable,
    chunks::{self, INLINE_BYTES, Marker, Stored},
    engine::engine_error,
    files::{Blobs, Files},
    view::View,
};

/// What the writer thread commits with.
pub(super) struct SledBackend {
    db: Db,
    view: Arc<View>,
    /// Our own handle to the engine's data file.
    data: File,
    blobs: Blobs,
    /// The store's own row as it is in the tree.
    meta_row: Option<IVec>,
    on_durable: Option<OnDurable>,
}

impl SledBackend {
    /// Commits to this tree in these files.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn new(
        db: &Db,
        view: &Arc<View>,
        files: &Files,
        on_durable: Option<OnDurable>,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            view: view.clone(),
            data: files.open_data()?,
            blobs: files.blobs(),
            meta_row: db.get(META_KEY).map_err(engine_error)?,
            on_durable,
            db: db.clone(),
        })
    }
}

impl Base for SledBackend {
    // The writer reads the tree itself: between groups nothing in it is hidden.
    fn meets(&self, key: &[u8], want: &Expected) -> Result<bool, StoreError> {
        let Some(raw) = self.db.get(key).map_err(engine_error)? else {
            return Ok(want.is_met_by(None));
        };
        match chunks::read(&raw)? {
            Stored::Inline(value) => Ok(want.is_met_by(Some(value))),
            Stored::Chunked(_) if *want == Expected::Absent => Ok(false),
            Stored::Chunked(marker) => {
                let value = marker.join(|key| self.db.get(key).map_err(engine_error))?;
                Ok(want.is_met_by(Some(&value)))
            }
        }
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(raw) = self.db.get(key).map_err(engine_error)? else {
            return Ok(None);
        };
        Ok(Some(match chunks::read(&raw)? {
            Stored::Inline(value) => value.to_vec(),
            Stored::Chunked(marker) => marker.join(|key| self.db.get(key).map_err(engine_error))?,
        }))
    }
}

impl Backend for SledBackend {
    fn persist(&mut self, plan: &mut Plan) -> Result<(), StoreError> {
        let mut group = Group {
            db: &self.db,
            batch: ::sled::Batch::default(),
            before: BTreeMap::new(),
        };
        for (key, write) in std::mem::take(&mut plan.writes) {
            let before = if write.fresh {
                None
            } else {
                self.db.get(&key).map_err(engine_error)?
            };
            group.forget_chunks(before.as_ref())?;
            let was = bytes_of(&key, before.as_ref())?;
            let is = write
                .value
                .as_ref()
                .map_or(0, |value| (key.len() + value.len()) as u64);
            plan.meta.live_bytes = (plan.meta.live_bytes + is).saturating_sub(was);
            match (write.value, &before) {
                (None, None) => continue,
                (None, Some(_)) => group.batch.remove(key.as_slice()),
                (Some(value), _) => group.put(&key, value, &mut plan.meta),
            }
            group.before.insert(key, before);
        }
        let meta_row = IVec::from(plan.meta.encode());
        group.batch.insert(&META_KEY, &meta_row);
        let meta_before = self.meta_row.replace(meta_row);
        group.before.insert(META_KEY.to_vec(), meta_before);
        let Group { batch, before, .. } = group;
        self.view.hide(before);
        self.db.apply_batch(batch).map_err(engine_error)?;
        self.db.flush().map_err(engine_error)?;
        self.data.sync_data()?;
        self.blobs.sync_new(&self.data)?;
        self.view.reveal();
        if let Some(tell) = &self.on_durable {
            tell(plan.meta.commits);
        }
        Ok(())
    }
}

/// One group on its way into the tree.
struct Group<'a> {
    db: &'a Db,
    batch: ::sled::Batch,
    /// What every touched key held before, for readers, until the group is durable.
    before: BTreeMap<Vec<u8>, Option<IVec>>,
}

impl Group<'_> {
    /// Deletes the chunks of a value that is replaced or deleted.
    fn forget_chunks(&mut self, raw: Option<&IVec>) -> Result<(), StoreError> {
        let Some(raw) = raw else { return Ok(()) };
        if let Stored::Chunked(marker) = chunks::read(raw)? {
            for key in marker.keys() {
                let chunk = self.db.get(key).map_err(engine_error)?;
                self.batch.remove(&key);
                self.before.insert(key.to_vec(), chunk);
            }
        }
        Ok(())
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>, meta: &mut Meta) {
        if value.len() <= INLINE_BYTES {
            self.batch.insert(key, chunks::inline(value));
            return;
        }
        let marker = Marker::of(&value, meta.next_generation);
        meta.next_generation += 1;
        for (key, chunk) in marker.keys().zip(chunks::split(&value)) {
            // A new generation: nobody reads these before the marker that names it is shown.
            self.batch.insert(&key, chunk);
        }
        self.batch.insert(key, marker.encode());
    }
}

/// The bytes of a user's key and of the value that lies under it.
pub(super) fn bytes_of(key: &[u8], raw: Option<&IVec>) -> Result<u64, StoreError> {
    let Some(raw) = raw else { return Ok(0) };
    let value = match chunks::read(raw)? {
        Stored::Inline(value) => value.len() as u64,
        Stored::Chunked(marker) => marker.len(),
    };
    Ok(key.len() as u64 + value)
}
