//! The life of plugins: installed, activated, taken back, removed; over restarts and power cuts; by the folder, and by itself
//! when calls fail.

mod folder;
mod health;
mod shadow;
mod signed;

use crate::harness::json_text::string_at;
use crate::harness::mapper;
use crate::harness::strategy::{Does, strategy};
use crate::harness::wait;
use crate::outlet::{Outlet, Reply, Setup};
use crate::scripted_cloud::ScriptedCloud;

const NAME: &str = "house_rule";
const BASE: &str = r#"{"name":"Chai","price":1}"#;
const LOCAL: &str = r#"{"name":"Chai","price":3}"#;
const CLOUD: &str = r#"{"name":"Chai","price":2}"#;

/// An outlet that runs only when it is told to.
async fn quiet(setup: Setup) -> Outlet {
    let outlet = setup.start().await;
    outlet
        .configure("sync", r#"{"push_delay_ms":3600000}"#)
        .await
        .expect(200);
    outlet
}

/// Installs a version. Answers its digest.
async fn install(outlet: &Outlet, component: &[u8]) -> String {
    let reply = outlet
        .request("POST", "/api/v1/plugins")
        .component(component)
        .await
        .expect(201);
    assert_eq!(reply.str("data.state"), "installed");
    reply.str("data.digest")
}

async fn activate(outlet: &Outlet, name: &str, digest: &str) -> Reply {
    outlet
        .request("POST", &format!("/api/v1/plugins/{name}/activate"))
        .json(format!(r#"{{"digest":"{digest}"}}"#))
        .await
}

/// Installs a version of the strategy of these tests, and activates it.
async fn use_version(outlet: &Outlet, version: &str, does: Does) -> String {
    let digest = install(outlet, &strategy(NAME, version, does)).await;
    activate(outlet, NAME, &digest).await.expect(200);
    digest
}

/// Makes a conflict of a product and lets the strategy in use decide it. Answers its record.
async fn conflict(cloud: &ScriptedCloud, outlet: &Outlet, id: &str) -> Reply {
    outlet.put("product", id, BASE).await.expect(201);
    // Conflicts that are open go on waiting.
    wait::until("the product to be agreed on", || async {
        outlet.run().await;
        let status = outlet.get("product", id).await.str("data.sync_status");
        (status == "synced").then_some(())
    })
    .await;
    outlet.contest(cloud, ("product", id), CLOUD, LOCAL).await;
    outlet.run().await;
    outlet.conflict_of("product", id).await
}

async fn actions(outlet: &Outlet, name: &str) -> Vec<(String, String)> {
    let history = outlet.read(&format!("plugins/{name}/history")).await.expect(200);
    let of = |entry: &String, field| string_at(entry, field).unwrap();
    history
        .list()
        .iter()
        .map(|entry| (of(entry, "action"), of(entry, "by")))
        .collect()
}

#[tokio::test]
async fn a_version_is_installed_activated_taken_back_and_removed_and_the_history_tells_by_whom() {
    let cloud = ScriptedCloud::start().await;
    let outlet = quiet(Setup::of(&cloud)).await;
    let first = strategy(NAME, "1.0.0", Does::KeepsLocal);
    let one = install(&outlet, &first).await;
    let again = outlet.request("POST", "/api/v1/plugins").component(&first).await;
    assert_eq!(again.expect(200).str("data.digest"), one);
    let to_it = format!(r#"{{"strategy":"{NAME}"}}"#);
    outlet
        .configure("entities/product", &to_it)
        .await
        .expect(422)
        .names("strategy");
    activate(&outlet, NAME, &one).await.expect(200);
    outlet.bind("product", &to_it).await;
    let decided = conflict(&cloud, &outlet, "a").await;
    assert_eq!(decided.str("data.decision"), "keep_local");
    assert_eq!(decided.str("data.plugin_digest"), one);

    let two = use_version(&outlet, "2.0.0", Does::TakesCloud).await;
    let decided = conflict(&cloud, &outlet, "b").await;
    assert_eq!(decided.str("data.decision"), "take_cloud");
    assert_eq!(decided.str("data.plugin_digest"), two);

    let rollback = format!("/api/v1/plugins/{NAME}/rollback");
    let back = outlet
        .request("POST", &rollback)
        .json(r#"{"reason":"prices"}"#)
        .await;
    assert_eq!(back.expect(200).str("data.digest"), one);
    outlet
        .request("POST", &rollback)
        .await
        .expect_error(409, "no_previous");
    let decided = conflict(&cloud, &outlet, "c").await;
    assert_eq!(decided.str("data.decision"), "keep_local");

    let shown = outlet.read(&format!("plugins/{NAME}")).await.expect(200);
    assert_eq!(
        (shown.str("data.state"), shown.str("data.version")),
        ("active".into(), "1.0.0".into())
    );
    let versions: Vec<_> = crate::harness::json_text::elements(&shown.raw("data.versions").unwrap())
        .iter()
        .map(|version| {
            (
                string_at(version, "version").unwrap(),
                string_at(version, "state").unwrap(),
            )
        })
        .collect();
    assert_eq!(
        versions,
        [
            ("2.0.0".into(), "installed".into()),
            ("1.0.0".into(), "active".into())
        ]
    );

    let plugin = format!("/api/v1/plugins/{NAME}");
    let refused = outlet
        .request("DELETE", &plugin)
        .await
        .expect_error(409, "plugin_bound");
    assert_eq!(refused.raw("data.types").as_deref(), Some(r#"["product"]"#));
    let version = |digest: &str| format!("{plugin}/versions/{digest}");
    outlet
        .request("DELETE", &version(&one))
        .await
        .expect_error(409, "version_in_use");
    outlet.request("DELETE", &version(&two)).await.expect(200);
    outlet.request("DELETE", &version(&two)).await.expect(404);
    outlet.bind("product", r#"{"strategy":"manual"}"#).await;
    outlet.request("DELETE", &plugin).await.expect(200);
    outlet.read(&format!("plugins/{NAME}")).await.expect(404);
    let told = actions(&outlet, NAME).await;
    let words: Vec<&str> = told.iter().rev().map(|(action, _)| action.as_str()).collect();
    assert_eq!(
        words,
        [
            "install", "activate", "install", "activate", "rollback", "delete", "delete"
        ]
    );
    assert!(told.iter().all(|(_, by)| by == "admin"), "{told:?}");
}

#[tokio::test]
async fn what_was_activated_is_in_use_after_a_power_cut_also_without_its_compiled_code() {
    let cloud = ScriptedCloud::start().await;
    let outlet = quiet(Setup::of(&cloud)).await;
    let one = use_version(&outlet, "1.0.0", Does::TakesCloud).await;
    let two = use_version(&outlet, "2.0.0", Does::KeepsLocal).await;
    outlet
        .bind("product", &format!(r#"{{"strategy":"{NAME}"}}"#))
        .await;
    let setup = outlet.kill().await;
    std::fs::remove_dir_all(setup.data_dir().join("plugin-cache")).unwrap();
    let outlet = setup.start().await;
    let decided = conflict(&cloud, &outlet, "a").await;
    assert_eq!(decided.str("data.plugin_digest"), two);
    let shown = outlet.read(&format!("plugins/{NAME}")).await.expect(200);
    assert_eq!(shown.str("data.previous"), one);
    let outlet = outlet.kill().await.start().await;
    outlet
        .request("POST", &format!("/api/v1/plugins/{NAME}/rollback"))
        .await
        .expect(200);
    let outlet = outlet.kill().await.start().await;
    assert_eq!(
        conflict(&cloud, &outlet, "b").await.str("data.plugin_digest"),
        one
    );
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_a_reason_and_changes_nothing() {
    let outlet = Setup::without_cloud().start().await;
    let post = |query: &str| outlet.request("POST", &format!("/api/v1/plugins{query}"));
    let good = strategy(NAME, "1.0.0", Does::KeepsLocal);
    post("")
        .json("{}")
        .await
        .expect_error(415, "unsupported_media_type");
    let module = post("")
        .component(b"\0asm\x01\0\0\0")
        .await
        .expect_error(422, "plugin_refused");
    assert_eq!(module.str("data.code"), "core-module");
    let text = post("")
        .component(b"no component")
        .await
        .expect_error(422, "plugin_refused");
    assert_eq!(text.str("data.code"), "not-webassembly");
    let large = post("")
        .component(&vec![0; (8 << 20) + 1])
        .await
        .expect_error(422, "plugin_refused");
    assert_eq!(large.str("data.code"), "too-large");
    for taken in ["?name=manual", "?name=merged"] {
        post(taken).component(&good).await.expect_error(409, "name_taken");
    }
    let named = post("?name=No%20Name")
        .component(&good)
        .await
        .expect_error(422, "plugin_refused");
    assert_eq!(named.str("data.code"), "bad-info");
    post("?large=perhaps")
        .component(&good)
        .await
        .expect(422)
        .names("large");
    outlet
        .anonymous("POST", "/api/v1/plugins")
        .component(&good)
        .await
        .expect(401);
    assert!(
        outlet
            .read("plugins")
            .await
            .expect(200)
            .list()
            .iter()
            .all(|plugin| { string_at(plugin, "source").as_deref() == Some("embedded") })
    );

    activate(&outlet, NAME, "0")
        .await
        .expect_error(404, "plugin_not_found");
    let digest = install(&outlet, &good).await;
    activate(&outlet, NAME, "0")
        .await
        .expect_error(404, "version_not_found");
    activate(&outlet, "manual", &digest)
        .await
        .expect_error(409, "plugin_embedded");
    let rollback = outlet.request("POST", &format!("/api/v1/plugins/{NAME}/rollback"));
    rollback.await.expect_error(409, "no_previous");
    let other = post(&format!("?name={NAME}"))
        .component(&mapper::whole("any"))
        .await;
    other.expect_error(409, "other_kind");
    outlet
        .request("DELETE", "/api/v1/plugins/manual")
        .await
        .expect_error(409, "plugin_embedded");
}

#[tokio::test]
async fn settings_of_a_bound_type_keep_a_version_out_that_cannot_use_them_unless_it_is_forced() {
    let outlet = Setup::without_cloud().start().await;
    let one = use_version(&outlet, "1.0.0", Does::KeepsLocal).await;
    outlet
        .bind(
            "product",
            &format!(r#"{{"strategy":"{NAME}","settings":{{"a":1}}}}"#),
        )
        .await;
    let two = install(&outlet, &strategy(NAME, "2.0.0", Does::WantsNoSettings)).await;
    let refused = activate(&outlet, NAME, &two)
        .await
        .expect_error(422, "settings_refused");
    refused.names("product.settings");
    let shown = outlet.read(&format!("plugins/{NAME}")).await;
    assert_eq!(shown.str("data.digest"), one);
    outlet
        .request("POST", &format!("/api/v1/plugins/{NAME}/activate"))
        .json(format!(r#"{{"digest":"{two}","force":true}}"#))
        .await
        .expect(200);
    outlet.bind("product", r#"{"settings":{}}"#).await;
}

#[tokio::test]
async fn a_swap_while_it_syncs_loses_and_repeats_nothing() {
    const CHANGES: usize = 400;
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let mut digests = Vec::new();
    for version in ["1.0.0", "2.0.0"] {
        digests.push(install(&outlet, &mapper::passing("shop", version)).await);
    }
    activate(&outlet, "shop", &digests[0]).await.expect(200);
    outlet
        .configure("sync", r#"{"batch_size":20,"push_delay_ms":1}"#)
        .await
        .expect(200);
    outlet.bind("note", r#"{"mapper":"shop"}"#).await;
    let swaps = async {
        for turn in 1..=40 {
            activate(&outlet, "shop", &digests[turn % 2]).await.expect(200);
        }
    };
    let changes = async {
        for n in 0..CHANGES {
            outlet
                .put("note", &format!("n{n}"), &format!(r#"{{"n":{n}}}"#))
                .await
                .expect(201);
        }
    };
    tokio::join!(swaps, changes);
    outlet.settle().await;
    for n in 0..CHANGES {
        let id = format!("n{n}");
        let there = cloud.state().content("note", &id);
        assert_eq!(there.as_deref(), Some(&*format!(r#"{{"n":{n}}}"#)), "{id}");
        assert_eq!(cloud.state().times_applied("note", &id), 1, "{id}");
    }
    let status = outlet.status().await;
    assert_eq!(
        (status.num("data.parked_count"), status.num("data.failed_count")),
        (0, 0)
    );
}

/// The same component with so many bytes more, which mean nothing.
fn padded(mut component: Vec<u8>, bytes: u32) -> Vec<u8> {
    let size = bytes + 2;
    // A custom section, its length in five bytes.
    component.push(0);
    component.extend((0..4).map(|n| (size >> (7 * n)) as u8 | 0x80));
    component.push((size >> 28) as u8);
    component.extend([1, b'x']);
    component.extend((0..bytes).map(|n| (n % 251) as u8));
    component
}

#[tokio::test]
async fn a_large_component_comes_back_whole_after_a_power_cut_and_by_a_backup() {
    let setup = Setup::without_cloud();
    let outlet = setup.start().await;
    let component = padded(strategy(NAME, "1.0.0", Does::KeepsLocal), 3 << 20);
    let digest = install(&outlet, &component).await;
    activate(&outlet, NAME, &digest).await.expect(200);
    let setup = outlet.kill().await;
    std::fs::remove_dir_all(setup.data_dir().join("plugin-cache")).unwrap();
    let outlet = setup.start().await;
    outlet
        .bind("product", &format!(r#"{{"strategy":"{NAME}"}}"#))
        .await;

    let file = outlet.setup().dir().join("shop.backup");
    let file = file.to_str().unwrap();
    let mut backup = outlet.beside().command(&["backup", file]);
    assert_eq!(backup.wait().await, 0, "{}", backup.log());
    let elsewhere = outlet.setup().dir().join("elsewhere");
    let setup = outlet.stop().await.env("DATA_DIR", elsewhere.to_str().unwrap());
    let mut restore = setup.command(&["restore", file]);
    assert_eq!(restore.wait().await, 0, "{}", restore.log());
    let outlet = setup.start().await;
    let shown = outlet.read(&format!("plugins/{NAME}")).await.expect(200);
    assert_eq!(
        (shown.str("data.digest"), shown.str("data.state")),
        (digest, "active".into())
    );
    assert_eq!(shown.raw("data.bound_types").as_deref(), Some(r#"["product"]"#));
}
