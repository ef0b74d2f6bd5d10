//! Versions swapped, judged, and set beside one another.

use super::*;
use selaras_core::health::{Finding, Rule};
use tokio::sync::mpsc::Receiver;

const FAIR: u32 = 0;
const OTHER: u32 = 1;

fn prepared(host: &Host, fixture: &Fixture) -> Prepared {
    host.prepare(&fixture.build(), None, Grants::default(), &Trust::default())
        .unwrap()
}

fn verdict(decision: u32) -> Fixture {
    Fixture::verdict("judge", decision, "", "")
}

async fn ask(host: &Host, count: usize) -> Vec<Decided> {
    host.resolve_many("judge", cx(), vec![case(); count], nothing())
        .await
}

async fn difference(events: &mut Receiver<PluginEvent>) -> Difference {
    match events.recv().await {
        Some(PluginEvent::Differed(difference)) => *difference,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_version_takes_the_place_of_another_and_a_name_can_be_taken_out_of_use() {
    let host = host();
    let (one, two) = (prepared(&host, &verdict(FAIR)), prepared(&host, &verdict(OTHER)));
    let digests = [one.info().digest.clone(), two.info().digest.clone()];
    host.seat(one, Source::Installed);
    assert_eq!(ask(&host, 1).await[0].digest, digests[0]);
    host.seat(two, Source::Installed);
    assert_eq!(ask(&host, 1).await[0].digest, digests[1]);
    host.suspend("judge", "it fails");
    let failure = ask(&host, 1).await[0].outcome.clone().unwrap_err();
    assert_eq!(failure.code, FailureCode::Missing);
    assert!(failure.message.contains("it fails"), "{failure}");
    assert_eq!(host.kind_of("judge"), None, "nothing new is bound to it");
    host.unseat("judge");
    assert!(host.get("judge").is_none());
}

#[tokio::test]
async fn a_shadow_is_asked_the_same_and_only_what_differs_is_told() {
    let host = host();
    let mut events = host.events().unwrap();
    assert!(host.events().is_none(), "there is one who listens");
    host.seat(prepared(&host, &verdict(FAIR)), Source::Installed);
    let same = Fixture::verdict("judge", FAIR, "", "in other words");
    host.set_shadow("judge", Some(prepared(&host, &same)));
    ask(&host, 3).await;
    let compared = |host: &Host| host.get("judge").unwrap().shadow.unwrap().compared;
    while compared(&host) < 3 {
        tokio::task::yield_now().await;
    }
    host.set_shadow("judge", Some(prepared(&host, &verdict(OTHER))));
    assert!(
        ask(&host, 2)
            .await
            .iter()
            .all(|d| d.outcome.as_ref().unwrap().decision == Decision::KeepLocal)
    );
    for _ in 0..2 {
        let told = difference(&mut events).await;
        assert_eq!((told.call, told.entity_id.as_str()), ("resolve", "p1"));
        assert_eq!(
            (told.active_said.outcome, told.shadow_said.outcome),
            ("keep_local", "take_cloud")
        );
    }
    assert!(events.try_recv().is_err(), "words alone are no difference");
    host.shutdown();
}

#[tokio::test]
async fn a_shadow_makes_room_for_what_counts() {
    let host = host();
    host.seat(prepared(&host, &verdict(FAIR)), Source::Installed);
    let slow = Fixture::strategy("judge", "(call $forever) unreachable");
    host.set_shadow("judge", Some(prepared(&host, &slow)));
    ask(&host, 20).await;
    // Its one thread is the shadow's now, for a tenth of a second a question.
    ask(&host, 1).await;
    let shadow = host.get("judge").unwrap().shadow.unwrap();
    assert!(shadow.dropped >= 15, "{shadow:?}");
    assert_eq!(host.get("judge").unwrap().usage.errors, 0);
    host.shutdown();
}

#[tokio::test]
async fn what_breaks_is_noticed_by_the_rule_and_the_binarys_own_are_not_judged() {
    let host = host();
    host.judge_by(Rule {
        percent: 50,
        window: 4,
    });
    let mut events = host.events().unwrap();
    let breaks = Fixture::strategy("judge", "unreachable");
    host.load(&breaks.build(), Some("own"), Source::Embedded).unwrap();
    host.resolve_many("own", cx(), vec![case(); 8], nothing()).await;
    let version = prepared(&host, &breaks);
    let its = version.info().digest.clone();
    host.seat(version, Source::Installed);
    ask(&host, 1).await;
    assert!(events.try_recv().is_err(), "once is not too often");
    ask(&host, 1).await;
    match events.try_recv() {
        Ok(PluginEvent::Unhealthy {
            name,
            digest,
            noticed,
        }) => {
            assert_eq!((name.as_str(), digest), ("judge", its));
            assert_eq!(
                (noticed.finding, noticed.failed, noticed.calls),
                (Finding::Broken, 2, 2)
            );
        }
        other => panic!("{other:?}"),
    }
    ask(&host, 2).await;
    assert!(events.try_recv().is_err(), "it is told once");
}

#[test]
fn a_component_is_recalled_by_its_compiled_code_alone() {
    let dir = tempfile::tempdir().unwrap();
    let start = || {
        Host::start(HostConfig {
            cache_dir: Some(dir.path().join("cache")),
            ..config()
        })
        .unwrap()
    };
    let digest = prepared(&start(), &verdict(FAIR)).info().digest.clone();
    let host = start();
    let recalled = host.recall(&digest, "judge", Grants::default()).unwrap();
    assert_eq!(
        (recalled.info().name.as_str(), &recalled.info().digest),
        ("judge", &digest)
    );
    assert!(host.recall(&"0".repeat(64), "judge", Grants::default()).is_none());
    assert!(host.recall("no digest", "judge", Grants::default()).is_none());
}

#[test]
fn only_what_a_trusted_key_signed_is_prepared() {
    use crate::plugin::signature::{SecretKey, sign};
    let host = host();
    let (ours, theirs) = (SecretKey::of_seed([1; 32]), SecretKey::of_seed([2; 32]));
    let trust = Trust::only(vec![ours.public()]);
    let plain = verdict(FAIR).build();
    let by = |key| sign(&plain, key, 7).unwrap();
    let code = |bytes: &[u8]| match host.prepare(bytes, None, Grants::default(), &trust) {
        Ok(version) => Ok(version.signed),
        Err(refusal) => Err(refusal.code),
    };
    assert_eq!(code(&plain), Err(RefusalCode::NotSigned));
    assert_eq!(code(&by(&theirs)), Err(RefusalCode::Untrusted));
    assert_eq!(code(&by(&ours)).unwrap().unwrap().at_ms, 7);
    let mut forged = by(&ours);
    forged[100] ^= 1;
    assert!(code(&forged).is_err());
    // Without keys a signature may be there, but then it must hold.
    let anyone = Trust::default();
    assert!(host.prepare(&plain, None, Grants::default(), &anyone).is_ok());
    let refused = host
        .prepare(&forged, None, Grants::default(), &anyone)
        .map(|_| ());
    assert_eq!(refused.unwrap_err().code, RefusalCode::BadSignature);
}
