//! Pulling: pages, checkpoints, tombstones, and what a stranger's checkpoint gets.

use std::collections::BTreeMap;

use http::Method;

use crate::harness::{BEGINNING, TestCloud, item};

#[tokio::test]
async fn pages_lead_through_everything_and_the_last_one_says_so() {
    let cloud = TestCloud::start().await;
    let items: Vec<_> = (0..25)
        .map(|n| {
            item(
                "create",
                &format!("p-{n}"),
                &format!(r#""n":{n}"#),
                &format!("c{n}"),
                0,
            )
        })
        .collect();
    cloud.push(0, &items).await;
    let (mut since, mut seen, mut pages) = (BEGINNING.to_owned(), BTreeMap::new(), 0);
    loop {
        let data = cloud.pull(1, &since, 10).await.data();
        for element in data["items"].as_array().unwrap() {
            seen.insert(element["local_id"].to_string(), element["data"]["n"].clone());
        }
        pages += 1;
        since = data["sync_checkpoint"].as_str().unwrap().to_owned();
        let last = data["has_more"] == false;
        assert_eq!(data["complete"] == true, last);
        if last {
            break;
        }
        // A change made meanwhile moves to the end and is not lost.
        cloud
            .hq(
                Method::PATCH,
                "/entities/product/p-0",
                &format!(r#"{{"n":{}}}"#, 100 + pages),
            )
            .await
            .data();
    }
    assert_eq!((pages, seen.len()), (3, 25));
    assert_eq!(seen["\"p-0\""], 102);
    let data = cloud.pull(1, &since, 10).await.data();
    assert_eq!(data["items"].as_array().unwrap().len(), 0);
    assert!(data.get("complete").is_none());
    assert_eq!(data["sync_checkpoint"], since.as_str());
}

#[tokio::test]
async fn an_outlet_sees_its_own_change_with_its_change_id_and_deletes_as_tombstones() {
    let cloud = TestCloud::start().await;
    cloud
        .push(
            0,
            &[
                item("create", "p-1", r#""n":1"#, "c1", 0),
                item("create", "p-2", "", "c2", 0),
            ],
        )
        .await;
    cloud.push(1, &[item("delete", "p-2", "", "d1", 1)]).await;
    let data = cloud.pull(0, BEGINNING, 10).await.data();
    assert_eq!(data["items"].as_array().unwrap().len(), 1);
    assert_eq!(data["items"][0]["change_id"], "c1");
    assert_eq!(data["items"][0]["updated_by"], "JKT-001");
    let gone = &data["deleted"][0];
    assert_eq!((&gone["local_id"], &gone["version"]), (&"p-2".into(), &2.into()));
    assert!(gone["deleted_at"].is_string() && gone["cloud_id"].is_string());
}

#[tokio::test]
async fn a_checkpoint_survives_a_restart_and_another_databases_is_gone() {
    let cloud = TestCloud::start().await;
    cloud.push(0, &[item("create", "p-1", "", "c1", 0)]).await;
    let since = cloud.pull(0, BEGINNING, 10).await.data()["sync_checkpoint"]
        .as_str()
        .unwrap()
        .to_owned();
    let cloud = cloud.restart().await;
    assert_eq!(
        cloud.pull(0, &since, 10).await.data()["items"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
    TestCloud::start()
        .await
        .pull(0, &since, 10)
        .await
        .refused(410, "checkpoint_gone");
    cloud
        .pull(0, "2026-01-27T11:15:00Z", 10)
        .await
        .refused(410, "checkpoint_gone");
    let ahead = format!("{since}9");
    cloud.pull(0, &ahead, 10).await.refused(410, "checkpoint_gone");
    cloud.pull(0, &since, 0).await.refused(422, "invalid_value");
}
