//! A store of known content with every kind of row in it: entities short and long, items that wait and that failed,
//! conflicts open and decided, webhooks, keys, bindings, and the first admin. It is made by the API alone, so that any
//! version can make it (see `samples/README.md`).

use crate::harness::json_text::{content, string_at};
use crate::harness::wait;
use crate::outlet::{Hook, Outlet, Reply};
use crate::scripted_cloud::ScriptedCloud;
use std::collections::BTreeMap;

/// Entities that both sides agree on.
pub const ARTICLES: usize = 240;
/// Changes that the cloud does not have.
pub const NOTES: usize = 20;
/// Changes that it refused.
pub const REFUSED: usize = 2;
/// Conflicts: the first is decided, the others are open.
pub const CONTESTED: usize = 3;
/// Entities that the cloud told of by webhook.
pub const TOLD: usize = 5;

/// An article's id and document; every thirtieth is long.
pub fn article(n: usize) -> (String, String) {
    let padding = if n.is_multiple_of(30) { 20_000 } else { n };
    let document = format!(
        r#"{{"n":{n},"price":{n}.10,"exact":12345678901234567890,"text":"{}"}}"#,
        "äx".repeat(padding / 2)
    );
    (format!("a-{n}"), document)
}

/// A note's id and document.
pub fn note(n: usize) -> (String, String) {
    (format!("n-{n}"), format!(r#"{{"n":{n},"said":"not sent"}}"#))
}

/// A webhook of the content. It says no time, so that it is never too old, and its id makes it known again.
pub fn hook(n: usize) -> Hook {
    Hook::signed(
        "update",
        &format!(
            r#"{{"event":"update","event_id":"known-{n}","entity_type":"told","cloud_id":"hq-told-t-{n}","local_id":"t-{n}","data":{{"n":{n}}},"version":1}}"#
        ),
    )
}

/// A request under an idempotency key.
pub async fn keyed(outlet: &Outlet) -> Reply {
    let request = outlet.request("PUT", "/api/v1/entities/article/keyed");
    request
        .json(r#"{"n":1}"#)
        .header("Idempotency-Key", "known-key")
        .await
}

/// A change under an id of the app's own.
pub async fn named(outlet: &Outlet) -> Reply {
    let body = r#"{"changes":[{"entity_type":"article","entity_id":"named","operation":"update","data":{"n":1},"change_id":"known-change"}]}"#;
    outlet.request("POST", "/api/v1/changes").json(body).await
}

/// Fills an outlet; afterwards the line is down, and only what waits and what was refused is not at the cloud.
pub async fn fill(outlet: &Outlet, cloud: &ScriptedCloud) {
    outlet.bind("contested", r#"{"strategy":"manual"}"#).await;
    let sync = r#"{"max_retries":1,"push_delay_ms":3600000}"#;
    outlet.configure("sync", sync).await.expect(200);
    for n in 0..ARTICLES {
        let (id, document) = article(n);
        outlet.put("article", &id, &document).await.expect(201);
    }
    for n in 0..CONTESTED {
        outlet
            .put("contested", &format!("c-{n}"), r#"{"n":1}"#)
            .await
            .expect(201);
    }
    keyed(outlet).await.expect(201);
    named(outlet).await.expect(201);
    outlet.settle().await;
    for n in 0..TOLD {
        let data = format!(r#"{{"n":{n}}}"#);
        let (cloud_id, version) = cloud.state().set("told", &format!("t-{n}"), &data);
        assert_eq!((cloud_id, version), (format!("hq-told-t-{n}"), 1));
        outlet.hook(&hook(n)).await.expect(200);
    }
    make_conflicts(outlet, cloud).await;
    for n in 0..REFUSED {
        let id = format!("r-{n}");
        cloud
            .state()
            .refused
            .insert(id.clone(), "price is missing".into());
        outlet.put("article", &id, r#"{"n":0}"#).await.expect(201);
    }
    let refused = i64::try_from(REFUSED).expect("a small number");
    outlet
        .run_until("them to fail", |s| s.num("data.failed_count") == refused)
        .await;
    cloud.go_down();
    for n in 0..NOTES {
        let (id, document) = note(n);
        outlet.put("note", &id, &document).await.expect(201);
    }
}

async fn make_conflicts(outlet: &Outlet, cloud: &ScriptedCloud) {
    outlet.hold().await;
    for n in 0..CONTESTED {
        let id = format!("c-{n}");
        cloud.state().edit("contested", &id, r#"{"n":2}"#);
        outlet.put("contested", &id, r#"{"n":3}"#).await.expect(200);
    }
    outlet.go_on().await;
    let count = i64::try_from(CONTESTED).expect("a small number");
    outlet
        .run_until("the conflicts", |s| s.num("data.conflict_count") == count)
        .await;
    let first = outlet.conflict_of("contested", "c-0").await.str("data.id");
    outlet
        .resolve(&first, r#"{"strategy":"cloud_wins","notes":"asked the chef"}"#)
        .await
        .expect(200);
    outlet
        .run_until("the decision to be carried out", |s| {
            s.num("data.pending_count") == count - 1
        })
        .await;
}

/// What of the content is not in an outlet as it was acknowledged.
pub async fn missing(outlet: &Outlet) -> Vec<String> {
    let mut missing = Vec::new();
    let articles = documents(outlet, "article").await;
    for (id, document) in (0..ARTICLES).map(article) {
        if articles.get(&id) != Some(&content(&document)) {
            missing.push(format!("article/{id}"));
        }
    }
    let notes = documents(outlet, "note").await;
    for (id, document) in (0..NOTES).map(note) {
        if notes.get(&id) != Some(&content(&document)) {
            missing.push(format!("note/{id}"));
        }
    }
    let told = documents(outlet, "told").await;
    let told = (0..TOLD).filter(|n| told.get(&format!("t-{n}")) != Some(&format!(r#"{{"n":{n}}}"#)));
    missing.extend(told.map(|n| format!("told/t-{n}")));
    let status = outlet.status().await;
    let counts = [
        ("conflict_count", CONTESTED - 1),
        ("failed_count", REFUSED),
        ("pending_count", NOTES + CONTESTED - 1),
    ];
    for (name, expected) in counts {
        let shown = status.num(&format!("data.{name}"));
        if shown != i64::try_from(expected).expect("a small number") {
            missing.push(format!("{name} is {shown}, not {expected}"));
        }
    }
    missing
}

/// The living documents of a type as they are compared, by id.
pub async fn documents(outlet: &Outlet, entity_type: &str) -> BTreeMap<String, String> {
    let list = outlet.list(entity_type).await;
    list.iter()
        .filter_map(|entity| {
            let data = crate::harness::json_text::at(entity, "data").filter(|data| data != "null")?;
            Some((string_at(entity, "entity_id")?, content(&data)))
        })
        .collect()
}

/// Lets the line be back, decides and repeats what waits for a person, and waits until both sides hold the same of
/// every entity.
pub async fn comes_together(outlet: &Outlet, cloud: &ScriptedCloud) {
    cloud.behave();
    cloud.state().refused.clear();
    outlet.request("POST", "/api/v1/sync/retry").await.expect(200);
    wait::until("both sides to be settled", || async {
        let run = outlet.run().await;
        // A pull may open another one.
        decide_what_is_open(outlet).await;
        let status = outlet.status().await;
        let quiet = status.num("data.pending_count") == 0 && status.num("data.conflict_count") == 0;
        (quiet && run.string("data.status").as_deref() == Some("success")).then_some(())
    })
    .await;
    for entity_type in ["article", "note", "told", "contested"] {
        let there: BTreeMap<String, String> = cloud
            .state()
            .entities
            .values()
            .filter(|e| e.entity_type == entity_type && !e.deleted)
            .map(|e| {
                (
                    e.local_id.clone().expect("all are known by the outlet's ids"),
                    content(&e.data),
                )
            })
            .collect();
        let here = documents(outlet, entity_type).await;
        let differ: Vec<_> = there
            .keys()
            .chain(here.keys())
            .filter(|id| there.get(*id) != here.get(*id))
            .collect();
        assert!(
            differ.is_empty(),
            "{entity_type}: both sides differ in {differ:?}"
        );
    }
}

async fn decide_what_is_open(outlet: &Outlet) {
    for conflict in outlet.conflicts().await {
        if string_at(&conflict, "status").as_deref() == Some("open") {
            let id = string_at(&conflict, "id").expect("a conflict has an id");
            outlet
                .resolve(&id, r#"{"strategy":"cloud_wins"}"#)
                .await
                .expect(200);
        }
    }
}
