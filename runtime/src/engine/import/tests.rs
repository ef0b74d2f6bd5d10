//! Lines become changes once, or are named.

use super::*;
use crate::engine::testing::engine;

fn line(id: &str, data: &str) -> String {
    format!("{{\"entity_type\":\"product\",\"entity_id\":\"{id}\",\"data\":{data}}}\n")
}

fn document(engine: &Engine, id: &str) -> Option<String> {
    let key = EntityKey::parse("product", id).unwrap();
    let found = engine.entity(&key).unwrap()?;
    found.data.map(|doc| doc.as_str().to_owned())
}

async fn import(engine: &Engine, salt: &str, lines: &str) -> Result<Imported, ImportError> {
    engine.import(&mut Import::new(salt), lines.as_bytes()).await
}

#[tokio::test]
async fn lines_are_taken_in_byte_for_byte_and_queued() {
    let engine = engine().await;
    let data = r#"{ "price":9.80000019,"n":12345678901234567890 }"#;
    let done = import(&engine, "", &format!("{}\n{}", line("a", data), line("b", "{}"))).await;
    assert_eq!(
        done.unwrap(),
        Imported {
            lines: 3,
            taken: 2,
            repeated: 0
        }
    );
    assert_eq!(document(&engine, "a").unwrap(), data);
    assert_eq!(engine.status().unwrap().pending_count, 2);
}

#[tokio::test]
async fn a_file_that_is_imported_again_takes_effect_once_unless_that_is_wanted() {
    let engine = engine().await;
    let file = [
        line("a", r#"{"n":1}"#),
        line("a", r#"{"n":2}"#),
        line("a", r#"{"n":1}"#),
    ]
    .concat();
    // Interrupted after the first line.
    let mut first = Import::new("");
    engine
        .import(&mut first, line("a", r#"{"n":1}"#).as_bytes())
        .await
        .unwrap();
    let again = import(&engine, "", &file).await.unwrap();
    assert_eq!((again.taken, again.repeated), (2, 1));
    assert_eq!(document(&engine, "a").unwrap(), r#"{"n":1}"#);
    assert_eq!(import(&engine, "", &file).await.unwrap().repeated, 3);
    assert_eq!(import(&engine, "again", &file).await.unwrap().taken, 3);
}

#[tokio::test]
async fn a_file_without_a_last_line_end_is_the_same_file() {
    let engine = engine().await;
    import(&engine, "", &line("a", "{}")).await.unwrap();
    let again = import(&engine, "", line("a", "{}").trim_end()).await.unwrap();
    assert_eq!(again.repeated, 1);
}

#[tokio::test]
async fn a_bad_line_is_named_and_nothing_of_its_batch_is_taken() {
    let engine = engine().await;
    let bad = [
        ("{", "EOF"),
        ("[]", "not a JSON object"),
        (r#"["product","x",null,false,{}]"#, "not a JSON object"),
        ("\u{FEFF}{}", "not a JSON object"),
        (r#"{"entity_type":"product"}"#, "entity_id"),
        (
            r#"{"entity_type":"No Such","entity_id":"x","data":{}}"#,
            "entity_type",
        ),
        (
            r#"{"entity_type":"product","entity_id":"","data":{}}"#,
            "entity_id",
        ),
        (r#"{"entity_type":"product","entity_id":"x"}"#, "data is missing"),
        (
            r#"{"entity_type":"product","entity_id":"x","data":null}"#,
            "data is missing",
        ),
        (r#"{"entity_type":"product","entity_id":"x","data":[1]}"#, "data"),
        (
            r#"{"entity_type":"product","entity_id":"x","operation":"upsert","data":{}}"#,
            "upsert",
        ),
        (
            r#"{"entity_type":"product","entity_id":"x","data":{}} {}"#,
            "trailing",
        ),
    ];
    for (bad, says) in bad {
        let file = format!("{}\n{bad}\n{}", line("a", "{}"), line("b", "{}"));
        let error = import(&engine, "", &file).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("line 3: ") && text.contains(says),
            "{bad}: {text}"
        );
    }
    assert_eq!(document(&engine, "a"), None);
    assert_eq!(engine.status().unwrap().pending_count, 0);
}

#[tokio::test]
async fn a_document_that_is_too_large_is_named_by_its_line() {
    let engine = engine().await;
    let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(300 * 1024));
    let file = [line("a", "{}"), line("b", &large)].concat();
    let error = import(&engine, "", &file).await.unwrap_err();
    assert!(matches!(&error, ImportError::Line { line: 2, .. }), "{error}");
    assert_eq!(document(&engine, "a"), None);
}

#[tokio::test]
async fn deletes_come_by_their_operation_or_as_an_export_says_them() {
    let engine = engine().await;
    let made = [line("a", "{}"), line("b", "{}")].concat();
    import(&engine, "", &made).await.unwrap();
    let gone = concat!(
        r#"{"entity_type":"product","entity_id":"a","operation":"delete"}"#,
        "\n",
        r#"{"entity_type":"product","entity_id":"b","deleted":true,"data":null}"#,
        "\n",
        r#"{"entity_type":"product","entity_id":"nobody","operation":"delete"}"#,
    );
    assert_eq!(import(&engine, "", gone).await.unwrap().taken, 3);
    assert_eq!((document(&engine, "a"), document(&engine, "b")), (None, None));
}

#[tokio::test]
async fn more_lines_than_a_batch_may_have_are_refused() {
    let engine = engine().await;
    let file = "\n".repeat(MAX_BATCH_LINES + 1);
    let error = import(&engine, "", &file).await.unwrap_err();
    assert!(matches!(error, ImportError::TooMany { .. }), "{error}");
}
