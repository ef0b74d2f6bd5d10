//! TLS of the outlet: its files, their renewal, and the commands that talk to it.

use crate::harness::certificates::{Authority, write};
use crate::harness::wait;
use crate::outlet::Setup;
use crate::scripted_cloud::ScriptedCloud;
use std::fs;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A setup with a new pair in its directory.
fn with_tls(setup: Setup) -> Setup {
    let (cert, key) = Authority::new().pair("outlet.shop.test").write(setup.dir());
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    setup.env("TLS_CERT", &path(&cert)).env("TLS_KEY", &path(&key))
}

#[tokio::test]
async fn with_tls_an_outlet_serves_other_machines_and_its_own_commands() {
    let cloud = ScriptedCloud::start().await;
    let outlet = with_tls(Setup::of(&cloud))
        .env("LISTEN_ADDR", "0.0.0.0")
        .start()
        .await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    assert_eq!(cloud.state().applied.len(), 1);

    let mut status = outlet.beside().command(&["status", "--json"]);
    assert_eq!(status.wait().await, 0, "{}", status.log());
    assert!(status.log().contains("\"pending_count\": 0"), "{}", status.log());

    // Who does not speak TLS learns nothing.
    let mut plain = TcpStream::connect(outlet.address()).await.unwrap();
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut heard = Vec::new();
    plain.read_to_end(&mut heard).await.ok();
    assert!(
        !heard.starts_with(b"HTTP/"),
        "{}",
        String::from_utf8_lossy(&heard)
    );
    outlet.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart_and_one_without_its_key_is_not() {
    let outlet = with_tls(Setup::without_cloud()).start().await;
    let dir = outlet.setup().dir().to_owned();
    let others = Authority::new();
    write(&dir, "key.pem", &others.pair("outlet.shop.test").key_pem);
    wait::until_true("the bad pair is told", || {
        outlet.log().contains("does not go with") && outlet.log().contains("stay in use")
    })
    .await;
    // A client without a connection from before, which still trusts the old certificate alone.
    outlet.put("product", "p", "{}").await.expect(201);
    let old = fs::read(dir.join("cert.pem")).unwrap();
    let asked = |pem: Vec<u8>| {
        let url = format!("https://{}/healthz", outlet.address());
        async move {
            let client = selaras::cloud::client_of_this_outlet(&pem).unwrap();
            client
                .get(url)
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
        }
    };
    assert!(asked(old.clone()).await);

    let renewed = others.pair("outlet.shop.test");
    renewed.write(&dir);
    wait::until("the renewed certificate is in use", || {
        let asked = asked(renewed.cert_pem.clone().into_bytes());
        async move { asked.await.then_some(()) }
    })
    .await;
    assert!(!asked(old).await, "the old certificate is still in use");
}

#[tokio::test]
async fn an_outlet_whose_tls_cannot_be_used_does_not_start_without_it() {
    let setup = Setup::without_cloud().env("TLS_CERT", "cert.pem");
    let (code, said) = setup.refuses_to_start().await;
    assert!(code != 0 && said.contains("TLS_KEY"), "{said}");

    let setup = with_tls(Setup::without_cloud());
    fs::remove_file(setup.dir().join("cert.pem")).unwrap();
    let (code, said) = setup.clone().refuses_to_start().await;
    assert!(
        code != 0 && said.contains("TLS_CERT") && said.contains("cert.pem"),
        "{said}"
    );

    let pair = Authority::new().pair("outlet.shop.test");
    write(setup.dir(), "cert.pem", &pair.cert_pem);
    let (code, said) = setup.refuses_to_start().await;
    assert!(code != 0 && said.contains("does not go with"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
