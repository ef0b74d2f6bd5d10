//! The laws and the cases find what is wrong, and leave what is right alone.

use std::path::PathBuf;

use super::laws::{LawError, Outcome, Report, Wanted, laws};
use super::{Suite, Workbench, run};
use crate::plugin::bundle::BUNDLE;
use crate::plugin::fixtures;
use crate::plugin::{Compiling, Grants};

fn open(component: &[u8]) -> Workbench {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("plugin.wasm");
    std::fs::write(&file, component).unwrap();
    Workbench::open(&file, Grants::default(), Compiling::Here).unwrap()
}

fn embedded(name: &str) -> Workbench {
    let (_, bytes) = BUNDLE.iter().find(|(there, _)| *there == name).unwrap();
    open(bytes)
}

fn wanted(settings: &str) -> Wanted {
    Wanted {
        settings: settings.into(),
        cases: Vec::new(),
        symmetric: false,
        money: Vec::new(),
        rounds: 60,
        seed: 3,
    }
}

fn broken(reports: &[Report]) -> Vec<&'static str> {
    let broken = |report: &&Report| matches!(report.outcome, Outcome::Broken { .. });
    reports.iter().filter(broken).map(|report| report.law).collect()
}

fn example<'a>(reports: &'a [Report], law: &str) -> &'a [String] {
    let found = reports.iter().find(|report| report.law.contains(law)).unwrap();
    match &found.outcome {
        Outcome::Broken { example, .. } => example,
        other => panic!("{law}: {other:?}"),
    }
}

#[test]
fn the_merges_that_come_with_the_binary_keep_the_laws() {
    let merge = embedded("field_merge");
    let alike = Wanted {
        symmetric: true,
        ..wanted(r#"{"default":"defer"}"#)
    };
    let reports = laws(&merge, &alike).unwrap();
    assert_eq!(broken(&reports), [""; 0], "{reports:#?}");
    let kept = |report: &Report| matches!(report.outcome, Outcome::Kept(times) if times > 5);
    assert!(reports.iter().all(kept), "{reports:#?}");

    let counter = Wanted {
        money: vec!["stock".into(), "suppliers.price".into()],
        ..wanted(
            r#"{"counters":["stock"],"rest":{"default":"cloud","arrays":{"suppliers":"id","lines":"id"}}}"#,
        )
    };
    let reports = laws(&embedded("counter_merge"), &counter).unwrap();
    assert_eq!(broken(&reports), [""; 0], "{reports:#?}");
    assert!(kept(reports.last().unwrap()), "{reports:#?}");
}

#[test]
fn the_mapper_that_comes_with_the_binary_keeps_the_laws() {
    let settings = r#"{"rename":{"name":"title"},"private":["note"]}"#;
    let reports = laws(&embedded("catalog_mapper"), &wanted(settings)).unwrap();
    assert_eq!(broken(&reports), [""; 0], "{reports:#?}");
}

#[test]
fn a_strategy_that_prefers_a_side_is_not_symmetric() {
    let alike = Wanted {
        symmetric: true,
        ..wanted("{}")
    };
    let reports = laws(&embedded("cloud_wins"), &alike).unwrap();
    assert_eq!(
        broken(&reports),
        ["with the sides exchanged the same document stands"]
    );
}

#[test]
fn an_invented_id_a_double_member_and_lost_money_are_found() {
    let bench = open(&fixtures::merges_to(r#"{"id":"p-9","price":3.333,"a":1,"a":2}"#));
    let reports = laws(
        &bench,
        &Wanted {
            money: vec!["price".into()],
            ..wanted("{}")
        },
    )
    .unwrap();
    assert!(
        example(&reports, "invents no ids")
            .last()
            .unwrap()
            .contains("\"p-9\"")
    );
    assert!(
        example(&reports, "each member once")
            .last()
            .unwrap()
            .contains("member a ")
    );
    assert!(
        example(&reports, "named amounts")
            .last()
            .unwrap()
            .contains("3.333")
    );
}

#[test]
fn money_that_is_named_and_nowhere_is_not_called_kept() {
    let named = Wanted {
        money: vec!["no.such.field".into()],
        ..wanted("{}")
    };
    let reports = laws(&embedded("field_merge"), &named).unwrap();
    let last = reports.last().unwrap();
    assert!(
        last.demanded && matches!(last.outcome, Outcome::NotShown(_)),
        "{last:?}"
    );
}

#[test]
fn a_mapper_that_remembers_answers_differently_in_another_order() {
    let reports = laws(&open(&fixtures::remembers()), &wanted("{}")).unwrap();
    assert_eq!(
        broken(&reports),
        ["the same document gets the same answer, in any order and instance"]
    );
}

#[test]
fn a_mapper_that_loses_a_document_is_found() {
    let reports = laws(&open(&fixtures::maps_to("{}")), &wanted("{}")).unwrap();
    assert!(
        example(&reports, "comes back")
            .last()
            .unwrap()
            .contains("back: {}")
    );
}

#[test]
fn a_plugin_that_never_answers_breaks_the_first_law() {
    let few = Wanted {
        rounds: 2,
        ..wanted("{}")
    };
    let reports = laws(&open(&fixtures::hangs()), &few).unwrap();
    assert!(
        example(&reports, "gets an answer")
            .last()
            .unwrap()
            .contains("plugin-timeout")
    );
}

#[test]
fn what_shows_nothing_is_refused() {
    let error = |bench: &Workbench, wanted: &Wanted| laws(bench, wanted).unwrap_err();
    let mapper = embedded("catalog_mapper");
    let alike = Wanted {
        symmetric: true,
        ..wanted("{}")
    };
    assert!(matches!(
        error(&mapper, &alike),
        LawError::NotAStrategy {
            option: "--symmetric",
            ..
        }
    ));
    assert!(matches!(error(&mapper, &wanted("[]")), LawError::Settings(_)));
    let unusable = error(&embedded("field_merge"), &wanted(r#"{"nonsense":1}"#));
    assert!(unusable.to_string().contains("invalid-settings"), "{unusable}");
}

#[test]
fn a_case_tells_what_the_call_took_and_where_the_answer_differs() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cases.json");
    let cases = r#"{"cases":[
        {"name":"right","local":{"body":{"a":1}},"cloud":{"body":{"a":2}},"expect":{"merge":{"id":"p-1","n":1.0}}},
        {"name":"wrong","local":{"body":{"a":1}},"cloud":{"body":{"a":2}},"expect":{"merge":{"id":"p-1","n":2}},"reason":"mine"},
        {"name":"other","local":{"body":{"a":1}},"cloud":{"deleted":true},"expect":"defer"}]}"#;
    std::fs::write(&file, cases).unwrap();
    let bench = open(&fixtures::merges_to(r#"{"n":1,"id":"p-1"}"#));
    let ran = run(&bench, Suite::read(&[file], bench.info.kind).unwrap());
    assert_eq!(ran[0].differences, [""; 0]);
    assert_eq!(
        ran[1].differences,
        [
            "n: expected 2, got 1",
            "reason: expected `mine`, got `always the same`"
        ]
    );
    assert_eq!(ran[2].differences.len(), 1);
    assert!(
        ran.iter()
            .all(|ran| ran.fuel > 0 && ran.memory_bytes == 2 * 65_536)
    );
}

#[test]
fn a_file_of_cases_that_is_not_understood_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cases.json");
    let kind = crate::plugin::Kind::Strategy;
    let problem = |text: &str| -> String {
        std::fs::write(&file, text).unwrap();
        match Suite::read(&[PathBuf::from(&file)], kind) {
            Ok(_) => panic!("taken: {text}"),
            Err(error) => error.to_string(),
        }
    };
    for (text, words) in [
        (
            "{\n \"cases\": [\n  {\"locl\": 1}]}",
            "unknown field `locl`, expected one of",
        ),
        ("{\n \"cases\": [\n  {\"local\": {}}]}", "a document has a `body`"),
        (
            "{\n \"cases\": [\n  {\"local\": {\"body\": [1]}}]}",
            "a document's `body` is a JSON object",
        ),
        (
            "{\n \"cases\": [\n  {\"local\": {\"body\":{}}, \"cloud\": {\"body\":{}}}]}",
            "missing field `expect`",
        ),
        (
            "{\n \"cases\": [\n  {\"local\": {\"body\":{}}, \"cloud\": {\"body\":{}}, \"expect\": \"keep\"}]}",
            "unknown variant `keep`, expected one of",
        ),
        ("{\n \"cases\": [\n  nonsense]}", "expected"),
    ] {
        let told = problem(text);
        assert!(told.contains(words) && told.contains("at line 3"), "{told}");
        assert!(told.starts_with(&file.display().to_string()), "{told}");
    }
    assert!(problem(r#"{"cases":[]}"#).contains("`cases` is empty"));
}
