//! What the gate lets in and what it says to the rest.

use std::path::PathBuf;

use super::super::fixtures::WIT;
use super::*;

fn refusal(fixture: &Fixture) -> Refusal {
    host().check(&fixture.build(), Grants::default()).unwrap_err()
}

fn take_cloud(name: &'static str) -> Fixture {
    Fixture::verdict(name, 1, "", "the cloud's side")
}

fn file(path: &str) -> Source {
    Source::File(PathBuf::from(path))
}

#[test]
fn a_component_that_keeps_the_rules_is_known_by_what_it_says() {
    let info = host()
        .check(&take_cloud("cloud_first").build(), Grants::default())
        .unwrap();
    assert_eq!(
        (
            info.name.as_str(),
            info.kind,
            info.version.as_str(),
            info.description.as_str()
        ),
        ("cloud_first", Kind::Strategy, "1.2.3", "A fixture")
    );
    assert_eq!(info.digest.len(), 64);
    let info = host()
        .check(
            &Fixture::mapper("as_is", "(call $put (local.get $p))")
                .rude()
                .build(),
            Grants::default(),
        )
        .unwrap();
    assert_eq!(info.kind, Kind::Mapper);
}

#[test]
fn fixtures_know_the_sample_by_its_time() {
    assert_eq!(
        super::super::fixtures::SAMPLE_NOW_MS,
        super::super::gate::SAMPLE_NOW_MS
    );
}

#[test]
fn checking_registers_nothing() {
    let host = host();
    host.check(&take_cloud("cloud_first").build(), Grants::default())
        .unwrap();
    assert!(
        host.list().is_empty() && host.get("cloud_first").is_none() && host.kind_of("cloud_first").is_none()
    );
}

#[test]
fn what_is_not_a_component_is_named_for_what_it_is() {
    let host = host();
    let code = |bytes: &[u8]| host.check(bytes, Grants::default()).unwrap_err().code;
    assert_eq!(code(b""), RefusalCode::NotWebassembly);
    assert_eq!(code(b"#!/bin/sh\n"), RefusalCode::NotWebassembly);
    assert_eq!(
        code(&wat::parse_str("(module)").unwrap()),
        RefusalCode::CoreModule
    );
    assert_eq!(code(b"\0asm\x0d\0\x01"), RefusalCode::Invalid);
    let component = take_cloud("whole").build();
    for length in [8, 9, component.len() / 2, component.len() - 1] {
        let refusal = host.check(&component[..length], Grants::default()).unwrap_err();
        let expected = if length == 8 {
            RefusalCode::WrongWorld
        } else {
            RefusalCode::Invalid
        };
        assert_eq!(refusal.code, expected, "{length} bytes of it: {refusal}");
    }
    let huge = [component.as_slice(), &vec![0; 8 << 20]].concat();
    assert_eq!(code(&huge), RefusalCode::TooLarge);
}

#[test]
fn an_import_that_plugins_do_not_get_is_refused_by_name() {
    let nosy = format!("{WIT}\nworld nosy {{ include strategy-plugin; import acme:net/socket@1.0.0; }}");
    let import = r#"(import "acme:net/socket@1.0.0" "open" (func $open (result i32)))"#;
    let said = refusal(&take_cloud("nosy").world(nosy, "nosy").imports(import));
    assert_eq!(said.code, RefusalCode::ImportNotAllowed);
    assert!(said.message.contains("acme:net/socket@1.0.0"), "{said}");
}

#[test]
fn a_function_that_the_interface_does_not_have_is_refused() {
    let wider = WIT.replace("write: func(", "shout: func(message: string);\n  write: func(");
    let import = r#"(import "selaras:plugin/log@0.1.0" "shout" (func $shout (param i32 i32)))"#;
    let said = refusal(&take_cloud("loud").world(wider, "strategy-plugin").imports(import));
    assert_eq!(said.code, RefusalCode::ImportNotAllowed);
    assert!(said.message.contains("shout"), "{said}");
}

#[test]
fn a_wrong_world_and_a_missing_export_are_told_apart() {
    let bare = format!("{WIT}\nworld bare {{ export strategy; }}");
    let said = refusal(&take_cloud("bare").world(bare, "bare"));
    assert_eq!(said.code, RefusalCode::MissingExport);
    assert!(said.message.contains("selaras:plugin/info@0.1.0"), "{said}");

    let silent = format!("{WIT}\nworld silent {{ export info; }}");
    let said = refusal(&take_cloud("silent").world(silent, "silent"));
    assert_eq!(said.code, RefusalCode::WrongWorld);
    assert!(
        said.message.contains("selaras:plugin/info@0.1.0"),
        "names what it has: {said}"
    );

    let other = WIT.replace("deleted: bool,", "deleted: u32,");
    let said = refusal(&take_cloud("other_types").world(other, "strategy-plugin"));
    assert_eq!(said.code, RefusalCode::MissingExport, "{said}");
}

#[test]
fn a_plugin_that_hangs_or_traps_at_its_start_is_refused() {
    let code = |fixture: Fixture| refusal(&fixture).code;
    assert_eq!(
        code(take_cloud("hangs").start("(call $forever)")),
        RefusalCode::StartTimeout
    );
    assert_eq!(
        code(take_cloud("traps").start("unreachable")),
        RefusalCode::StartTrapped
    );
    assert_eq!(
        code(take_cloud("hangs").describe("(call $forever)")),
        RefusalCode::StartTimeout
    );
    assert_eq!(
        code(take_cloud("traps").describe("unreachable")),
        RefusalCode::StartTrapped
    );
    assert_eq!(code(take_cloud("large").pages(1_000)), RefusalCode::OverLimits);
}

#[test]
fn a_plugin_that_fails_its_self_test_is_refused_but_an_error_of_its_own_is_fair() {
    for call in [
        "unreachable",
        "(call $forever) unreachable",
        "(call $verdict (i32.const 9) {0} {0})",
    ] {
        let said = refusal(&Fixture::strategy("rude", call).texts(&["x"]).rude());
        assert_eq!(said.code, RefusalCode::SelfTestFailed, "{said}");
    }
    let honest = Fixture::strategy("honest", "(call $error {0} {0} (i32.const 0))")
        .texts(&["no-sample"])
        .rude();
    host().check(&honest.build(), Grants::default()).unwrap();
}

#[test]
fn a_name_has_to_be_one_and_can_be_given() {
    assert_eq!(refusal(&take_cloud("No Name")).code, RefusalCode::BadInfo);
    let host = host();
    let info = host
        .load(&take_cloud("No Name").build(), Some("renamed"), file("a.wasm"))
        .unwrap();
    assert_eq!(info.name, "renamed");
    assert_eq!(host.kind_of("renamed"), Some(Kind::Strategy));
}

#[test]
fn an_embedded_name_cannot_be_taken_by_a_file() {
    let host = host_with(&[take_cloud("ours")]);
    let digest = |host: &Host| match host.get("ours").unwrap().state {
        PluginState::Active(info) => info.digest,
        PluginState::Suspended(_, why) => panic!("{why}"),
        PluginState::Refused(refusal) => panic!("{refusal}"),
    };
    let before = digest(&host);
    let theirs = Fixture::verdict("ours", 0, "", "the outlet's side").build();
    let said = host.load(&theirs, None, file("plugins/ours.wasm")).unwrap_err();
    assert_eq!(said.code, RefusalCode::NameTaken);
    assert_eq!(digest(&host), before);
}

#[test]
fn a_file_replaces_its_own_plugin_but_not_another_files() {
    let host = host();
    let (one, two) = (
        take_cloud("mine").build(),
        Fixture::verdict("mine", 0, "", "").build(),
    );
    host.load(&one, None, file("a.wasm")).unwrap();
    assert_eq!(
        host.load(&two, None, file("b.wasm")).unwrap_err().code,
        RefusalCode::NameTaken
    );
    let info = host.load(&two, None, file("a.wasm")).unwrap();
    assert!(matches!(host.get("mine").unwrap().state, PluginState::Active(now) if now == info));
}

#[test]
fn a_broken_file_is_listed_with_its_reason_until_it_is_mended() {
    let host = host();
    let candidates = [
        Candidate {
            bytes: take_cloud("first").build().into(),
            name: None,
            source: Source::Embedded,
            grants: Grants::default(),
        },
        Candidate {
            bytes: b"garbage".as_slice().into(),
            name: None,
            source: file("plugins/broken.wasm"),
            grants: Grants::default(),
        },
        Candidate {
            bytes: take_cloud("third").build().into(),
            name: None,
            source: file("plugins/third.wasm"),
            grants: Grants::default(),
        },
    ];
    let answers = host.load_all(&candidates);
    assert!(answers[0].is_ok() && answers[1].is_err() && answers[2].is_ok());
    let names: Vec<_> = host.list().into_iter().map(|status| status.name).collect();
    assert_eq!(names, ["first", "third", "broken"]);
    let broken = host.list().pop().unwrap();
    assert!(matches!(broken.state, PluginState::Refused(said) if said.code == RefusalCode::NotWebassembly));
    host.load(&take_cloud("mended").build(), None, file("plugins/broken.wasm"))
        .unwrap();
    assert!(
        host.list()
            .iter()
            .all(|status| matches!(status.state, PluginState::Active(_)))
    );
}
