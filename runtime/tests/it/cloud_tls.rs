//! Whom the outlet takes for its cloud: authorities, pinned keys, addresses.

use crate::harness::certificates::{Authority, Door, write};
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::ScriptedCloud;

fn of(cloud: &ScriptedCloud, door: &Door) -> Setup {
    Setup::of(cloud).env("CLOUD_API_URL", &door.url())
}

fn trusting(setup: Setup, authority: &Authority) -> Setup {
    let path = write(setup.dir(), "authority.pem", &authority.pem);
    setup.env("CLOUD_CA_CERT", path.to_str().unwrap())
}

/// What the status and the test of the settings say of a cloud that is not trusted.
async fn said_of_it(outlet: &Outlet) -> [String; 2] {
    let status = outlet
        .run_until("the error is in the status", |status| {
            status.string("data.last_error").is_some()
        })
        .await;
    assert!(!status.truth("data.online"));
    let test = outlet
        .request("POST", "/api/v1/config/outlet/test")
        .await
        .expect(200);
    assert!(!test.truth("data.reachable"));
    [status.str("data.last_error"), test.str("data.error")]
}

#[tokio::test]
async fn a_cloud_of_the_companys_own_authority_is_trusted_and_no_other() {
    let cloud = ScriptedCloud::start().await;
    let authority = Authority::new();
    let door = Door::to(cloud.url(), &authority.pair("localhost")).await;
    let outlet = trusting(of(&cloud, &door), &Authority::new()).start().await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    for said in said_of_it(&outlet).await {
        assert!(
            said.contains("cannot be reached") && said.contains("certificate"),
            "{said}"
        );
    }
    assert!(cloud.requests().is_empty());
    let setup = outlet.stop().await;

    let outlet = trusting(setup, &authority).start().await;
    outlet.settle().await;
    assert_eq!(cloud.state().applied.len(), 1);
}

#[tokio::test]
async fn a_cloud_with_another_key_than_the_pinned_ones_gets_nothing_and_costs_no_retry() {
    let cloud = ScriptedCloud::start().await;
    let authority = Authority::new();
    let pair = authority.pair("localhost");
    let door = Door::to(cloud.url(), &pair).await;
    let another = authority.pair("localhost").pin;
    let setup = trusting(of(&cloud, &door), &authority).env("CLOUD_PIN", &another);
    let outlet = setup.start().await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    for said in said_of_it(&outlet).await {
        assert!(said.contains("CLOUD_PIN") && said.contains(&pair.pin), "{said}");
    }
    assert!(cloud.requests().is_empty());
    let queue = outlet.queue().await;
    assert!(
        queue.len() == 1 && queue[0].contains(r#""retry_count":0"#),
        "{queue:?}"
    );
    let setup = outlet.stop().await;

    let backup = format!("{another}, sha256/{}", pair.pin);
    let outlet = setup.env("CLOUD_PIN", &backup).start().await;
    outlet.settle().await;
    assert_eq!(cloud.state().applied.len(), 1);
}

#[tokio::test]
async fn a_name_of_this_machine_may_be_plain_http_and_addresses_that_are_no_clouds_are_refused() {
    let cloud = ScriptedCloud::start().await;
    let by_name = cloud.url().replace("127.0.0.1", "localhost");
    let outlet = Setup::of(&cloud).env("CLOUD_API_URL", &by_name).start().await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    assert_eq!(cloud.state().applied.len(), 1);
    for url in [
        "https://169.254.169.254/",
        "https://2852039166/",
        "https://[::ffff:169.254.169.254]/",
        "https://0.0.0.0/",
        "http://10.0.0.1/",
        "http://167772161/",
    ] {
        let body = format!(r#"{{"cloud_api_url":"{url}"}}"#);
        for (method, path) in [
            ("PUT", "/api/v1/config/outlet"),
            ("POST", "/api/v1/config/outlet/test"),
        ] {
            let refused = outlet.request(method, path).json(&*body).await;
            refused.expect(422).names("cloud_api_url");
        }
    }
}
