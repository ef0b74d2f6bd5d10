//! What an outlet shows after a strike, read while nothing moves: records, queue, feed and counts, and that they agree.

use crate::crash::writer::Told;
use crate::harness::json_text::{at, number_at, string_at};
use crate::outlet::{Outlet, Reply};
use std::collections::{BTreeMap, HashMap};

/// An entity as the outlet shows it.
#[derive(Clone, Debug)]
pub struct Held {
    pub version: i64,
    pub cloud_version: i64,
    pub sync_status: String,
    /// None: deleted.
    pub data: Option<String>,
}

/// Everything looked at.
pub struct Snapshot {
    things: BTreeMap<String, Held>,
    told: BTreeMap<String, Held>,
    pub status: Reply,
}

impl Snapshot {
    /// Reads it all.
    pub async fn of(outlet: &Outlet) -> Self {
        Self {
            things: held(outlet, "thing").await,
            told: held(outlet, "told").await,
            status: outlet.status().await,
        }
    }

    /// An entity that apps write.
    pub fn thing(&self, id: &str) -> Option<&Held> {
        self.things.get(id)
    }

    /// An entity that the cloud writes.
    pub fn told(&self, id: &str) -> Option<&Held> {
        self.told.get(id)
    }

    /// Each record and its queue agree, and the kept counts are those of the rows.
    pub async fn agrees_with_its_queue(&self, outlet: &Outlet) {
        let (mut newest, mut waiting, mut failed) = (HashMap::new(), 0, 0);
        for item in queue(outlet).await {
            let text = |name: &str| string_at(&item, name).unwrap_or_default();
            if text("status") == "failed" {
                failed += 1;
            } else {
                waiting += 1;
            }
            if text("entity_type") == "thing" {
                newest.insert(text("entity_id"), at(&item, "payload").filter(|p| p != "null"));
            }
        }
        for (id, held) in &self.things {
            match held.sync_status.as_str() {
                "synced" => assert!(!newest.contains_key(id), "{id} is synced and still queued"),
                "pending" => {
                    let payload = newest
                        .get(id)
                        .unwrap_or_else(|| panic!("{id} is pending and not queued: {held:?}"));
                    assert_eq!(*payload, held.data, "{id}: its queue item holds something else");
                }
                other => panic!("{id} is {other}: nothing here makes it so"),
            }
        }
        let gone = newest.keys().find(|id| !self.things.contains_key(*id));
        assert_eq!(gone, None, "queued without a record");
        assert_eq!(self.status.num("data.pending_count"), waiting, "kept and counted");
        assert_eq!(self.status.num("data.failed_count"), failed, "kept and counted");
    }

    /// Nothing acknowledged was lost, and the outlet does not think so either.
    pub fn is_not_rewound(&self) {
        let rewound = self
            .status
            .raw("data.store.rewound")
            .filter(|value| value != "null");
        assert_eq!(rewound, None, "it says that something was lost");
    }
}

async fn held(outlet: &Outlet, entity_type: &str) -> BTreeMap<String, Held> {
    let all = outlet.list(entity_type).await;
    let read = |text: &String| {
        let held = Held {
            version: number_at(text, "version").expect("a version"),
            cloud_version: number_at(text, "cloud_version").expect("a cloud_version"),
            sync_status: string_at(text, "sync_status").expect("a sync_status"),
            data: at(text, "data").filter(|data| data != "null"),
        };
        (string_at(text, "entity_id").expect("an id"), held)
    };
    all.iter().map(read).collect()
}

/// The whole queue, in order.
async fn queue(outlet: &Outlet) -> Vec<String> {
    let (mut all, mut query) = (Vec::new(), "limit=500".to_owned());
    loop {
        let page = outlet.read(&format!("sync/queue?{query}")).await.expect(200);
        all.extend(page.list());
        match page.string("next_cursor") {
            Some(cursor) => query = format!("limit=500&cursor={cursor}"),
            None => return all,
        }
    }
}

/// The feed since the last look.
#[derive(Default)]
pub struct FeedReader {
    read_to: i64,
    epoch: Option<String>,
}

impl FeedReader {
    /// Each change that was answered is told once, with its version; and what is told last of an entity is what its
    /// record holds.
    pub async fn check(&mut self, outlet: &Outlet, snapshot: &Snapshot, answered: &[Told]) {
        let (mut by_change, mut last) = (HashMap::new(), HashMap::new());
        loop {
            let page = outlet.feed(self.read_to).await;
            let epoch = self.epoch.get_or_insert_with(|| page.str("epoch"));
            assert_eq!(*epoch, page.str("epoch"), "another feed than before");
            let entries = page.list();
            for entry in &entries {
                let seq = number_at(entry, "seq").expect("a seq");
                assert_eq!(seq, self.read_to + 1, "a gap in the feed");
                self.read_to = seq;
                if string_at(entry, "entity_type").as_deref() != Some("thing") {
                    continue;
                }
                let id = string_at(entry, "entity_id").expect("an id");
                let version = number_at(entry, "version").expect("a version");
                let change_id = string_at(entry, "change_id").unwrap_or_else(|| {
                    panic!(
                        "nobody but apps writes things: {entry}; {:?}",
                        snapshot.thing(&id)
                    )
                });
                let deleted = at(entry, "deleted").expect("deleted") == "true";
                last.insert(id.clone(), (version, deleted));
                let before = by_change.insert(change_id, (id, version, deleted));
                assert_eq!(before, None, "a change is told twice");
            }
            if entries.is_empty() {
                break;
            }
        }
        for told in answered {
            let entry = by_change
                .get(&told.change_id)
                .unwrap_or_else(|| panic!("{told:?} was answered and is not in the feed"));
            assert_eq!(
                (&entry.0, entry.1, entry.2),
                (&told.id, told.version, told.deleted)
            );
        }
        for (id, (version, deleted)) in last {
            let held = snapshot
                .thing(&id)
                .unwrap_or_else(|| panic!("{id} is in the feed only"));
            assert_eq!((held.version, held.data.is_none()), (version, deleted), "{id}");
        }
    }
}
