//! The feed as server-sent events: what comes, and how a client goes on that was away.

use crate::harness::json_text::string_at;
use crate::harness::wait;
use crate::outlet::{Outlet, Setup};

async fn alone() -> Outlet {
    Setup::without_cloud().start().await
}

fn entity(data: &str) -> Option<String> {
    string_at(data, "entity_id")
}

#[tokio::test]
async fn a_stream_tells_what_was_and_then_what_comes_as_the_feed_has_it() {
    let outlet = alone().await;
    outlet.put("order", "o-1", r#"{"n":1}"#).await.expect(201);
    let mut stream = outlet.stream("", None).await.unwrap();
    let first = stream.next().await.unwrap();
    for id in ["o-2", "o-3"] {
        outlet.put("order", id, "{}").await.expect(201);
    }
    let (second, third) = (stream.next().await.unwrap(), stream.next().await.unwrap());
    let feed = outlet.feed(0).await;
    assert_eq!(feed.list(), [&*first.data, &*second.data, &*third.data]);
    assert_eq!(first.id, format!("{}:1", feed.str("epoch")));
    // One that begins at the end is told nothing of what was.
    let mut late = outlet.stream("?since=3", None).await.unwrap();
    outlet.delete("order", "o-1").await.expect(200);
    assert_eq!(entity(&late.next().await.unwrap().data).as_deref(), Some("o-1"));
}

#[tokio::test]
async fn a_client_that_was_away_goes_on_where_it_was_also_after_a_power_cut() {
    let outlet = alone().await;
    outlet.put("order", "o-1", "{}").await.expect(201);
    let mut stream = outlet.stream("", None).await.unwrap();
    let last = stream.next().await.unwrap().id;
    drop(stream);
    outlet.put("order", "o-2", "{}").await.expect(201);
    let mut again = outlet.stream("?since=0", Some(&last)).await.unwrap();
    assert_eq!(entity(&again.next().await.unwrap().data).as_deref(), Some("o-2"));

    let outlet = outlet.kill().await.start().await;
    outlet.put("order", "o-3", "{}").await.expect(201);
    let mut later = outlet.stream("", Some(&last)).await.unwrap();
    for id in ["o-2", "o-3"] {
        assert_eq!(entity(&later.next().await.unwrap().data).as_deref(), Some(id));
    }
}

#[tokio::test]
async fn one_that_heard_nothing_yet_knows_its_place_too() {
    let outlet = alone().await;
    outlet.put("order", "o-1", "{}").await.expect(201);
    let mut quiet = outlet.stream("?since=1", None).await.unwrap();
    quiet.greeting().await;
    let place = quiet.id().to_owned();
    drop(quiet);
    outlet.put("order", "o-2", "{}").await.expect(201);
    let mut again = outlet.stream("", Some(&place)).await.unwrap();
    assert_eq!(entity(&again.next().await.unwrap().data).as_deref(), Some("o-2"));
}

#[tokio::test]
async fn a_place_that_is_gone_or_of_another_feed_is_410() {
    let outlet = alone().await;
    outlet.put("order", "o-1", "{}").await.expect(201);
    let mut stream = outlet.stream("", None).await.unwrap();
    let known = stream.next().await.unwrap().id;
    let asked = |header: &'static str, value: String| {
        let request = outlet.request("GET", "/api/v1/changes/stream?since=0");
        request.header(header, &value)
    };
    for gone in ["another:1".to_owned(), format!("{known}7")] {
        let reply = asked("Last-Event-ID", gone)
            .await
            .expect_error(410, "feed_truncated");
        assert_eq!(reply.num("data.head"), 1);
    }
    asked("Last-Event-ID", "yesterday".to_owned())
        .await
        .expect_error(400, "invalid_header");
    outlet
        .read("changes/stream?since=99")
        .await
        .expect_error(410, "feed_truncated");
    outlet
        .read("changes/stream?since=x")
        .await
        .expect(422)
        .names("since");
    outlet
        .anonymous("GET", "/api/v1/changes/stream")
        .await
        .expect(401);

    let changes: Vec<String> = (0..200)
        .map(|n| format!(r#"{{"entity_type":"order","entity_id":"p-{n}","operation":"create","data":{{}}}}"#))
        .collect();
    let body = format!(r#"{{"changes":[{}]}}"#, changes.join(","));
    outlet
        .request("POST", "/api/v1/changes")
        .json(body)
        .await
        .expect(201);
    outlet
        .configure("sync", r#"{"feed_max_entries":100}"#)
        .await
        .expect(200);
    wait::until("the feed to be trimmed", || async {
        (outlet.read("changes?since=0").await.status == 410).then_some(())
    })
    .await;
    asked("Last-Event-ID", known)
        .await
        .expect_error(410, "feed_truncated");
}

#[tokio::test]
async fn sigterm_ends_a_stream_properly() {
    let outlet = alone().await;
    let mut stream = outlet.stream("", None).await.unwrap();
    outlet.put("order", "o-1", "{}").await.expect(201);
    stream.next().await.unwrap();
    outlet.stop().await;
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn more_streams_than_there_may_be_are_503_until_one_ends() {
    let outlet = alone().await;
    let mut open = Vec::new();
    let refused = loop {
        match outlet.stream("", None).await {
            Ok(stream) => open.push(stream),
            Err(status) => break status,
        }
    };
    assert_eq!((refused, open.len()), (503, 64));
    outlet
        .read("changes/stream")
        .await
        .expect_error(503, "too_many_streams");
    // The long poll is another door.
    outlet.feed(0).await;
    open.pop();
    wait::until("the place of one that went away", || async {
        outlet.stream("", None).await.ok()
    })
    .await;
}
