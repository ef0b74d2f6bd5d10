//! Who else is busy with the outlet: the cloud with its webhooks, an admin who configures, a person who decides, and one
//! who looks at what is synced. Each remembers what it was answered or shown.

use crate::crash::check::Snapshot;
use crate::harness::dice::Dice;
use crate::harness::json_text::string_at;
use crate::outlet::{Hook, Outlet, Reply, Session, stamp};
use crate::scripted_cloud::ScriptedCloud;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entities the cloud changes.
const TOLD: usize = 10;

/// What an actor's step came to: an error holds the answer that was no success, if one came.
pub type Step = Result<(), Option<Reply>>;

pub fn taken(reply: Option<Reply>) -> Result<Reply, Option<Reply>> {
    match reply {
        Some(reply) if (200..300).contains(&reply.status) => Ok(reply),
        other => Err(other),
    }
}

/// The cloud's side: headquarters change something and say so by webhook.
pub struct Headquarters {
    cloud: Arc<ScriptedCloud>,
    dice: Dice,
    next: u64,
    /// The version of each entity whose webhook was answered.
    told: BTreeMap<String, i64>,
    last: Option<Hook>,
    open: Option<Hook>,
}

impl Headquarters {
    pub fn new(cloud: Arc<ScriptedCloud>, dice: Dice) -> Self {
        Self {
            cloud,
            dice,
            next: 0,
            told: BTreeMap::new(),
            last: None,
            open: None,
        }
    }

    /// One webhook.
    pub async fn step(&mut self, session: &Session) -> Step {
        self.next += 1;
        let id = format!("t-{}", self.dice.below(TOLD));
        let number = self.next;
        let (cloud_id, version) = self
            .cloud
            .state()
            .set("told", &id, &format!(r#"{{"n":{number}}}"#));
        let hook = Hook::signed(
            "update",
            &format!(
                r#"{{"event":"update","event_id":"e-{number}","timestamp":"{}","entity_type":"told","cloud_id":"{cloud_id}","local_id":"{id}","data":{{"n":{number}}},"version":{version},"updated_by":"hq"}}"#,
                stamp(0)
            ),
        );
        self.open = Some(hook.clone());
        taken(session.hook(&hook).await)?;
        self.open = None;
        self.last = Some(hook);
        self.told
            .insert(id, i64::try_from(version).expect("a small number"));
        Ok(())
    }

    pub fn check(&self, snapshot: &Snapshot) {
        for (id, version) in &self.told {
            let held = snapshot.told(id);
            let reached = held.map_or(0, |held| held.cloud_version);
            assert!(
                reached >= *version,
                "the webhook of {id}, {version}, is lost: {held:?}"
            );
        }
    }

    /// What was answered is a repeat, and what was not can be sent again.
    pub async fn repeat(&mut self, session: &Session) {
        if let Some(hook) = &self.last {
            let reply = session.hook(hook).await.expect("an answer").expect(200);
            assert!(reply.truth("duplicate"), "{}", reply.text);
        }
        if let Some(hook) = self.open.take() {
            session.hook(&hook).await.expect("an answer").expect(200);
        }
    }
}

/// Two settings that count up.
pub struct Admin {
    next: u64,
    /// What was answered, and what was sent last.
    footer: (u64, u64),
    limit: (u64, u64),
}

impl Admin {
    pub fn new() -> Self {
        Self {
            next: 10_000,
            footer: (0, 0),
            limit: (0, 0),
        }
    }

    /// One change of the configuration.
    pub async fn step(&mut self, session: &Session) -> Step {
        self.next += 1;
        let next = self.next;
        let (slot, path, body) = if next.is_multiple_of(2) {
            (
                &mut self.footer,
                "outlet",
                format!(r#"{{"receipt_footer":"{next}"}}"#),
            )
        } else {
            (
                &mut self.limit,
                "entities/limited",
                format!(r#"{{"max_document_bytes":{next}}}"#),
            )
        };
        slot.1 = next;
        taken(
            session
                .ask("PUT", &format!("/api/v1/config/{path}"), &body, &[])
                .await,
        )?;
        slot.0 = next;
        Ok(())
    }

    pub async fn check(&self, outlet: &Outlet) {
        if self.footer.0 > 0 {
            let shown = outlet
                .read("config/outlet")
                .await
                .expect(200)
                .str("data.receipt_footer");
            let shown: u64 = shown.parse().expect("the number it was set to");
            assert!(
                [self.footer.0, self.footer.1].contains(&shown),
                "{shown} of {:?}",
                self.footer
            );
        }
        if self.limit.0 > 0 {
            let shown = outlet.read("config/entities/limited").await.expect(200);
            let shown = u64::try_from(shown.num("data.max_document_bytes")).expect("a size");
            assert!(
                [self.limit.0, self.limit.1].contains(&shown),
                "{shown} of {:?}",
                self.limit
            );
        }
    }
}

/// Decides conflicts, one after the other.
#[derive(Default)]
pub struct Person {
    waiting: Vec<String>,
    decided: Vec<String>,
    open: Option<String>,
}

impl Person {
    /// Conflicts to be decided.
    pub fn give(&mut self, conflicts: Vec<String>) {
        self.waiting = conflicts;
        self.decided.clear();
    }

    /// Decides one, or nothing where none is left.
    pub async fn step(&mut self, session: &Session) -> Step {
        let Some(conflict) = self.waiting.pop() else {
            return Ok(());
        };
        self.open = Some(conflict.clone());
        taken(decide(session, &conflict, self.waiting.len()).await)?;
        self.open = None;
        self.decided.push(conflict);
        Ok(())
    }

    pub async fn check(&self, outlet: &Outlet) {
        for conflict in &self.decided {
            let shown = outlet
                .read(&format!("sync/conflicts/{conflict}"))
                .await
                .expect(200);
            assert_eq!(shown.str("data.status"), "resolved", "{}", shown.text);
            assert_eq!(shown.str("data.notes"), *conflict, "whole");
            assert_eq!(shown.str("data.resolved_by"), "admin", "whole");
        }
    }

    /// Decides what is left.
    pub async fn finish(&mut self, session: &Session) {
        for conflict in self.open.take().into_iter().chain(self.waiting.drain(..)) {
            let reply = decide(session, &conflict, 1).await.expect("an answer");
            // The one that got no answer may be decided.
            assert!(matches!(reply.status, 200 | 409), "{}", reply.text);
        }
    }
}

async fn decide(session: &Session, conflict: &str, number: usize) -> Option<Reply> {
    let strategy = ["cloud_wins", "local_wins"][number % 2];
    let body = format!(r#"{{"strategy":"{strategy}","notes":"{conflict}"}}"#);
    session
        .ask("POST", &format!("/api/v1/sync/resolve/{conflict}"), &body, &[])
        .await
}

/// Looks at what is synced: what it once saw does not go back.
pub struct Watcher {
    dice: Dice,
    writers: usize,
    /// The version at which an entity was seen synced.
    synced: BTreeMap<String, i64>,
    total_synced: i64,
    /// The feed's place in the cloud's checkpoint.
    checkpoint: u64,
}

impl Watcher {
    pub fn new(writers: usize, dice: Dice) -> Self {
        Self {
            dice,
            writers,
            synced: BTreeMap::new(),
            total_synced: 0,
            checkpoint: 0,
        }
    }

    /// One look.
    pub async fn step(&mut self, session: &Session) -> Step {
        if self.dice.below(4) == 0 {
            let status = taken(session.ask("GET", "/api/v1/sync/status", "", &[]).await)?;
            self.total_synced = status.num("data.total_synced");
            self.checkpoint = place(&status).max(self.checkpoint);
            return Ok(());
        }
        let id = format!("w{}-{}", self.dice.below(self.writers), self.dice.below(12));
        let reply = session
            .ask("GET", &format!("/api/v1/entities/thing/{id}"), "", &[])
            .await;
        let reply = reply.ok_or(None)?;
        if reply.status == 404 {
            return Ok(());
        }
        let reply = taken(Some(reply))?;
        if reply.str("data.sync_status") == "synced" {
            self.synced.insert(id, reply.num("data.version"));
        }
        Ok(())
    }

    pub fn check(&self, snapshot: &Snapshot) {
        for (id, version) in &self.synced {
            let held = snapshot
                .thing(id)
                .unwrap_or_else(|| panic!("{id} was synced and is gone"));
            let still = held.version > *version || held.sync_status == "synced";
            assert!(still, "{id} was synced at version {version} and is not: {held:?}");
        }
        let total = snapshot.status.num("data.total_synced");
        assert!(total >= self.total_synced, "{total} of {}", self.total_synced);
        let checkpoint = place(&snapshot.status);
        assert!(
            checkpoint >= self.checkpoint,
            "{checkpoint} of {}",
            self.checkpoint
        );
    }
}

fn place(status: &Reply) -> u64 {
    let checkpoint = status.string("data.checkpoint").unwrap_or_default();
    let digits = checkpoint.rsplit('=').next().unwrap_or_default();
    digits.parse().unwrap_or_default()
}

/// Makes conflicts for a person: agreed on both sides, then changed on both.
pub async fn make_conflicts(
    outlet: &Outlet,
    cloud: &ScriptedCloud,
    round: usize,
    count: usize,
) -> Vec<String> {
    let put = async |number: usize| {
        let change = |place: usize| {
            format!(
                r#"{{"entity_type":"contested","entity_id":"c-{round}-{place}","operation":"update","data":{{"n":{number}}}}}"#
            )
        };
        let changes: Vec<String> = (0..count).map(change).collect();
        let body = format!(r#"{{"changes":[{}]}}"#, changes.join(","));
        outlet
            .request("POST", "/api/v1/changes")
            .json(body)
            .await
            .expect(201);
    };
    put(1).await;
    outlet.settle().await;
    outlet.hold().await;
    for place in 0..count {
        cloud
            .state()
            .edit("contested", &format!("c-{round}-{place}"), r#"{"n":2}"#);
    }
    put(3).await;
    outlet.go_on().await;
    let wanted = i64::try_from(count).expect("a small number");
    outlet
        .run_until("the conflicts to open", |s| {
            s.num("data.conflict_count") == wanted
        })
        .await;
    let open = outlet
        .read("sync/conflicts?status=open&limit=500")
        .await
        .expect(200)
        .list();
    let open: Vec<String> = open
        .iter()
        .filter(|c| string_at(c, "status").as_deref() == Some("open"))
        .filter_map(|c| string_at(c, "id"))
        .collect();
    assert_eq!(open.len(), count);
    open
}
