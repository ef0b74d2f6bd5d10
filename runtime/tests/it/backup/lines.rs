//! Entities out as lines, and lines in as changes.

use super::commands::{Ran, command, selaras, spawn};
use crate::harness::json_text::{number_at, string_at};
use crate::harness::northwind;
use crate::harness::wait;
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::ScriptedCloud;
use std::fs;

/// Numbers that no float can hold, in a document of several lines.
const AWKWARD: &str =
    "{\n  \"price\": 9.80000019,\n  \"n\": 12345678901234567890, \"e\": 1E400, \"z\": -0.0\r\n}";
/// The same on one line.
const ON_ONE_LINE: &str =
    "{   \"price\": 9.80000019,   \"n\": 12345678901234567890, \"e\": 1E400, \"z\": -0.0  }";

async fn export(outlet: &Outlet, arguments: &[&str]) -> Vec<String> {
    let arguments = [&["export"], arguments].concat();
    let Ran { out, .. } = command(outlet.setup(), &arguments).await.expect(0);
    out.lines().map(str::to_owned).collect()
}

/// A line's entity and document, without what differs from outlet to outlet.
fn content(line: &str) -> (String, String, Option<String>) {
    let text = |name| string_at(line, name).unwrap();
    let data = crate::harness::json_text::at(line, "data");
    (text("entity_type"), text("entity_id"), data)
}

#[tokio::test]
async fn what_one_outlet_exports_another_imports_byte_for_byte_and_pushes() {
    let first = Setup::without_cloud().start().await;
    let lines = northwind::all();
    first.hand_over(&lines).await;
    first.put("odd", "o", AWKWARD).await.expect(201);
    let exported = export(&first, &[]).await;
    assert_eq!(exported.len(), lines.len() + 1);
    let only_odd = export(&first, &["--type", "odd"]).await;
    assert_eq!(only_odd.len(), 1);
    assert!(
        only_odd[0].ends_with(&format!(r#""data":{ON_ONE_LINE}}}"#)),
        "{}",
        only_odd[0]
    );
    // Of a stopped outlet the same, into a file.
    let setup = first.stop().await;
    let file = setup.dir().join("all.ndjson");
    let path = file.to_str().unwrap();
    selaras(&setup, &["export", path]).expect(0);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().map(str::to_owned).collect::<Vec<_>>(), exported);
    let refused = selaras(&setup, &["export", path]).expect(1);
    assert!(refused.err.contains("--force"), "{}", refused.err);

    let cloud = ScriptedCloud::start().await;
    let second = Outlet::of(&cloud).await;
    let told = command(second.setup(), &["import", path]).await.expect(0);
    assert_eq!(told.out, format!("{} changes taken in\n", exported.len()));
    assert!(
        told.err.is_empty(),
        "no bar where there is no terminal: {}",
        told.err
    );
    let again: Vec<_> = export(&second, &[])
        .await
        .iter()
        .map(|line| content(line))
        .collect();
    assert_eq!(
        again,
        exported.iter().map(|line| content(line)).collect::<Vec<_>>()
    );
    second.settle().await;
    assert_eq!(cloud.state().applied.len(), exported.len());
    second.stop().await;
}

#[tokio::test]
async fn an_import_into_a_stopped_outlet_that_never_ran_is_there_when_it_starts() {
    let setup = Setup::without_cloud();
    let file = setup.dir().join("lines");
    fs::write(
        &file,
        r#"{"entity_type":"product","entity_id":"p","data":{"price":1.50}}"#,
    )
    .unwrap();
    selaras(&setup, &["import", file.to_str().unwrap()]).expect(0);
    let again = selaras(&setup, &["import", file.to_str().unwrap()]).expect(0);
    assert!(
        again.out.starts_with("0 changes taken in, 1 had been"),
        "{}",
        again.out
    );
    let outlet = setup.start().await;
    assert_eq!(
        outlet.document("product", "p").await.unwrap(),
        r#"{"price":1.50}"#
    );
    assert_eq!(outlet.status().await.num("data.pending_count"), 1);
    let twice = command(outlet.setup(), &["import", "--again", file.to_str().unwrap()])
        .await
        .expect(0);
    assert!(twice.out.starts_with("1 changes taken in"), "{}", twice.out);
    assert_eq!(outlet.get("product", "p").await.num("data.version"), 2);
    outlet.stop().await;
}

#[tokio::test]
async fn a_bad_line_ends_an_import_by_its_number_and_the_corrected_file_goes_on_from_there() {
    let outlet = Setup::without_cloud().start().await;
    let line = |n: usize| format!(r#"{{"entity_type":"thing","entity_id":"t-{n}","data":{{"n":{n}}}}}"#);
    let mut lines: Vec<String> = (1..=1200).map(line).collect();
    lines[800] = r#"{"entity_type":"thing","entity_id":"t-801"}"#.to_owned();
    let file = outlet.setup().dir().join("lines");
    let path = file.to_str().unwrap().to_owned();
    fs::write(&file, lines.join("\n")).unwrap();
    let refused = command(outlet.setup(), &["import", &path]).await.expect(1);
    assert!(
        refused.err.contains("line 801: data is missing"),
        "{}",
        refused.err
    );
    assert!(refused.err.contains("after line 500"), "{}", refused.err);
    assert_eq!(refused.out, "500 changes taken in\n");
    assert_eq!(outlet.list("thing").await.len(), 500);

    lines[800] = line(801);
    fs::write(&file, lines.join("\n")).unwrap();
    let done = command(outlet.setup(), &["import", &path]).await.expect(0);
    assert!(
        done.out.starts_with("700 changes taken in, 500 had been"),
        "{}",
        done.out
    );
    let entities = outlet.list("thing").await;
    assert_eq!(entities.len(), 1200);
    assert!(
        entities
            .iter()
            .all(|entity| number_at(entity, "version") == Some(1))
    );
    outlet.stop().await;
}

#[tokio::test]
async fn an_import_whose_outlet_is_killed_in_the_middle_takes_each_line_in_once_when_it_is_repeated() {
    let outlet = Setup::without_cloud().start().await;
    let file = outlet.setup().dir().join("lines");
    let path = file.to_str().unwrap().to_owned();
    let line =
        |n: usize| format!("{{\"entity_type\":\"thing\",\"entity_id\":\"t-{n}\",\"data\":{{\"n\":{n}}}}}\n");
    fs::write(&file, (0..6000).map(line).collect::<String>()).unwrap();
    let importing = spawn(outlet.setup(), &["import", &path]);
    wait::until("some lines to be in", || async {
        (outlet.get("thing", "t-700").await.status == 200).then_some(())
    })
    .await;
    let setup = outlet.kill().await;
    let broken: Ran = importing.wait_with_output().unwrap().into();
    let broken = broken.expect(1);
    assert!(broken.err.contains("broke off"), "{}", broken.err);

    let outlet = setup.start().await;
    let taken = outlet.list("thing").await.len();
    assert!((700..6000).contains(&taken) && taken % 500 == 0, "{taken}");
    let done = command(outlet.setup(), &["import", &path]).await.expect(0);
    let told = format!("{} changes taken in, {taken} had been", 6000 - taken);
    assert!(done.out.starts_with(&told), "{}", done.out);
    let entities = outlet.list("thing").await;
    assert_eq!(entities.len(), 6000);
    assert!(
        entities
            .iter()
            .all(|entity| number_at(entity, "version") == Some(1))
    );
    outlet.stop().await;
}
