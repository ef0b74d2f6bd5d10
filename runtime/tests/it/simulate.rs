//! Recorded conflicts, run again: by their own strategies, which say the same, and by others, which changes nothing.

use crate::harness::json_text::{at, elements, number_at, string_at};
use crate::outlet::{Outlet, Reply};
use crate::scripted_cloud::ScriptedCloud;

const SETTINGS: &str = r#"{"counters":["stock"],"rest":{"default":"defer"}}"#;

/// What each strategy of the binaries is to decide: with which settings, and the two sides of a product that began as
/// `{"name":"Chai","stock":10}`.
const DECIDED: [(&str, &str, &str, &str); 6] = [
    (
        "cloud_wins",
        "{}",
        r#"{"name":"Teh","stock":10}"#,
        r#"{"name":"Tea","stock":10}"#,
    ),
    (
        "local_wins",
        "{}",
        r#"{"name":"Teh","stock":10}"#,
        r#"{"name":"Tea","stock":10}"#,
    ),
    (
        "newest_wins",
        "{}",
        r#"{"name":"Teh","stock":10}"#,
        r#"{"name":"Tea","stock":10}"#,
    ),
    (
        "manual",
        "{}",
        r#"{"name":"Teh","stock":10}"#,
        r#"{"name":"Tea","stock":9}"#,
    ),
    (
        "field_merge",
        r#"{"default":"newest"}"#,
        r#"{"name":"Teh","stock":8}"#,
        r#"{"name":"Tea","stock":10}"#,
    ),
    (
        "counter_merge",
        SETTINGS,
        r#"{"name":"Chai","stock":8}"#,
        r#"{"name":"Chai","stock":7}"#,
    ),
];

/// An outlet whose record holds a conflict of each strategy, of a person, of one that nobody was asked about, and of one
/// that came to an agreement while it was open.
async fn with_conflicts() -> (ScriptedCloud, Outlet) {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet
        .configure("sync", r#"{"push_delay_ms":3600000}"#)
        .await
        .expect(200);
    for (strategy, settings, ..) in DECIDED {
        let binding = format!(r#"{{"strategy":"{strategy}","settings":{settings}}}"#);
        outlet.bind(strategy, &binding).await;
    }
    outlet.bind("agreed", r#"{"strategy":"manual"}"#).await;
    outlet.bind("by_person", r#"{"strategy":"manual"}"#).await;
    let types = DECIDED.iter().map(|(strategy, ..)| *strategy);
    for entity_type in types.chain(["agreed", "by_person"]) {
        outlet
            .put(entity_type, "p", r#"{"name":"Chai","stock":10}"#)
            .await
            .expect(201);
    }
    outlet.settle().await;
    for (strategy, _, local, there) in DECIDED {
        outlet.contest(&cloud, (strategy, "p"), there, local).await;
    }
    for entity_type in ["agreed", "by_person"] {
        outlet
            .contest(
                &cloud,
                (entity_type, "p"),
                r#"{"name":"Tea","stock":10}"#,
                r#"{"name":"Teh","stock":10}"#,
            )
            .await;
    }
    outlet
        .run_until("the conflicts to open", |s| s.num("data.conflict_count") == 3)
        .await;
    // The sides of an open conflict move on: what was asked stays on record.
    cloud.state().edit("agreed", "p", r#"{"name":"Kopi","stock":1}"#);
    cloud.state().edit("manual", "p", r#"{"name":"Kopi","stock":2}"#);
    outlet.run().await;
    let refreshed = outlet.conflict_of("manual", "p").await;
    assert_eq!(
        at(&refreshed.text, "data.cloud.data.name").as_deref(),
        Some("\"Kopi\""),
        "{}",
        refreshed.text
    );
    outlet
        .put("agreed", "p", r#"{"name":"Kopi","stock":1}"#)
        .await
        .expect(200);
    cloud
        .state()
        .edit("agreed", "p", r#"{"name":"Kopi","stock":1.0}"#);
    let person = outlet.conflict_of("by_person", "p").await.str("data.id");
    outlet
        .resolve(&person, r#"{"strategy":"merged","data":{"name":"Susu"}}"#)
        .await
        .expect(200);
    outlet
        .run_until("only one to be open", |s| s.num("data.conflict_count") == 1)
        .await;
    assert_eq!(
        outlet.conflict_of("agreed", "p").await.str("data.decision"),
        "agreed"
    );
    (cloud, outlet)
}

async fn simulate(outlet: &Outlet, query: &str, body: &str) -> Reply {
    outlet
        .request("POST", &format!("/api/v1/sync/simulate{query}"))
        .json(body)
        .await
}

/// The cases of an answer.
fn cases(reply: &Reply) -> Vec<String> {
    elements(&reply.raw("data.cases").unwrap())
}

fn case<'c>(cases: &'c [String], entity_type: &str) -> &'c String {
    let found = cases
        .iter()
        .find(|case| string_at(case, "entity_type").as_deref() == Some(entity_type));
    found.unwrap_or_else(|| panic!("no case of {entity_type}: {cases:#?}"))
}

/// Every conflict was run again and came out as it had.
async fn all_repeat(outlet: &Outlet) -> Vec<String> {
    let replayed = simulate(outlet, "", "{}").await.expect(200);
    let all = cases(&replayed);
    assert_eq!(all.len(), DECIDED.len() + 2);
    for (strategy, ..) in DECIDED {
        let case = case(&all, strategy);
        assert_eq!(at(case, "same").as_deref(), Some("true"), "{case}");
        assert_eq!(at(case, "same_plugin").as_deref(), Some("true"), "{case}");
        assert_eq!(string_at(case, "strategy").as_deref(), Some(strategy));
        assert_eq!(
            string_at(case, "old_outcome.reason"),
            string_at(case, "new_outcome.reason"),
            "{case}"
        );
        assert!(number_at(case, "fuel").unwrap() > 0, "{case}");
    }
    let agreed = case(&all, "agreed");
    assert_eq!(at(agreed, "same").as_deref(), Some("true"), "{agreed}");
    let person = case(&all, "by_person");
    assert_eq!(at(person, "new_outcome").as_deref(), Some("null"), "{person}");
    assert_eq!(string_at(person, "error").as_deref(), Some("decided-by-a-person"));
    assert_eq!(replayed.num("data.totals.cases"), all.len() as i64);
    assert_eq!(replayed.num("data.totals.same"), DECIDED.len() as i64 + 1);
    assert_eq!(replayed.num("data.totals.changed"), 0);
    assert_eq!(replayed.num("data.totals.not_run"), 1);
    all
}

#[tokio::test]
async fn every_recorded_conflict_can_be_run_again_and_comes_out_the_same_also_after_a_restart() {
    let (_cloud, outlet) = with_conflicts().await;
    let before = all_repeat(&outlet).await;
    // Another name, another time, other settings: what is on record decides.
    for (strategy, ..) in DECIDED {
        outlet
            .bind(strategy, r#"{"strategy":"manual","settings":{}}"#)
            .await;
    }
    outlet
        .configure("outlet", r#"{"outlet_code":"JKT-002"}"#)
        .await
        .expect(200);
    assert_eq!(all_repeat(&outlet).await, before);
    let outlet = outlet.kill().await.start().await;
    assert_eq!(all_repeat(&outlet).await, before);
}

#[tokio::test]
async fn another_strategy_is_tried_on_what_happened_and_nothing_changes() {
    let (cloud, outlet) = with_conflicts().await;
    let conflicts = outlet.conflicts().await;
    let calls = outlet
        .read("plugins/counter_merge")
        .await
        .expect(200)
        .num("data.calls");
    let feed = outlet.feed(0).await.text;

    let body = format!(r#"{{"strategy":"counter_merge","settings":{SETTINGS}}}"#);
    let tried = simulate(&outlet, "", &body).await.expect(200);
    let all = cases(&tried);
    assert_eq!(all.len(), DECIDED.len() + 2);
    let counted = case(&all, "counter_merge");
    assert_eq!(at(counted, "same").as_deref(), Some("true"), "{counted}");
    let newest = case(&all, "newest_wins");
    assert_eq!(at(newest, "same").as_deref(), Some("false"));
    assert_eq!(
        string_at(newest, "new_outcome.decision").as_deref(),
        Some("defer")
    );
    // With the settings on record, which are another plugin's, it cannot decide; that is told, case by case.
    let own = simulate(&outlet, "", r#"{"strategy":"counter_merge"}"#)
        .await
        .expect(200);
    let failed = case(&cases(&own), "field_merge").clone();
    assert_eq!(
        string_at(&failed, "error").as_deref(),
        Some("plugin-error"),
        "{failed}"
    );
    assert_eq!(
        string_at(&failed, "new_outcome.decision").as_deref(),
        Some("defer")
    );
    assert!(own.num("data.totals.errors") > 1);

    assert_eq!(outlet.conflicts().await, conflicts);
    assert_eq!(outlet.feed(0).await.text, feed);
    assert_eq!(
        outlet
            .read("plugins/counter_merge")
            .await
            .expect(200)
            .num("data.calls"),
        calls,
        "a trial is no call"
    );
    assert_eq!(outlet.status().await.num("data.conflict_count"), 1);
    assert_eq!(
        cloud.state().content("counter_merge", "p").as_deref(),
        Some(r#"{"name":"Chai","stock":5}"#)
    );
}

#[tokio::test]
async fn simulations_are_filtered_and_come_in_pages() {
    let (_cloud, outlet) = with_conflicts().await;
    let one = simulate(
        &outlet,
        "",
        r#"{"strategy":"cloud_wins","entity_type":"local_wins"}"#,
    )
    .await
    .expect(200);
    assert_eq!(one.num("count"), 1);
    assert_eq!(
        string_at(&cases(&one)[0], "new_outcome.decision").as_deref(),
        Some("take_cloud")
    );
    for (since, count) in [("2000-01-01T00:00:00Z", 8), ("2999-01-01T07:00:00+07:00", 0)] {
        let body = format!(r#"{{"strategy":"manual","since":"{since}"}}"#);
        assert_eq!(simulate(&outlet, "", &body).await.expect(200).num("count"), count);
    }
    let mut ids = Vec::new();
    let mut query = "?limit=3".to_owned();
    loop {
        let page = simulate(&outlet, &query, r#"{"strategy":"manual"}"#)
            .await
            .expect(200);
        let cases = cases(&page);
        assert_eq!(page.num("data.totals.cases"), cases.len() as i64);
        assert!(cases.len() <= 3);
        ids.extend(cases.iter().map(|case| string_at(case, "conflict_id").unwrap()));
        match page.string("next_cursor") {
            Some(cursor) => query = format!("?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    let listed: Vec<_> = outlet
        .conflicts()
        .await
        .iter()
        .map(|c| string_at(c, "id").unwrap())
        .collect();
    assert_eq!(ids, listed, "each once, newest first");
}

#[tokio::test]
async fn what_cannot_be_simulated_is_refused_with_its_field() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    for (body, field) in [
        (r#"{"strategy":"no_such_plugin"}"#, "strategy"),
        (r#"{"strategy":"catalog_mapper"}"#, "strategy"),
        (r#"{"strategy":7}"#, "strategy"),
        (r#"{"strategy":"field_merge","settings":[]}"#, "settings"),
        (
            r#"{"strategy":"field_merge","settings":{"default":"x"}}"#,
            "settings.default",
        ),
        (r#"{"entity_type":"a b"}"#, "entity_type"),
        (r#"{"since":"yesterday"}"#, "since"),
        (r#"{"stratgey":"manual"}"#, "stratgey"),
    ] {
        simulate(&outlet, "", body).await.expect(422).names(field);
    }
    simulate(&outlet, "?limit=0", "{}")
        .await
        .expect(422)
        .names("limit");
    simulate(&outlet, "?cursor=x", "{}")
        .await
        .expect_error(400, "invalid_cursor");
    simulate(&outlet, "", "[]").await.expect(400);
    let empty = simulate(&outlet, "", "{}").await.expect(200);
    assert_eq!((empty.num("count"), empty.num("data.totals.cases")), (0, 0));
}
