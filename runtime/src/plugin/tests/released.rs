//! What was built for a released interface still runs, and the interface only grows.

use std::collections::BTreeMap;

use super::*;

/// The interface as it is written today, and as it was released.
const TODAY: &str = include_str!("../../../../wit/plugin.wit");
const V0_1: &str = include_str!("../bindings/v0_1/plugin.wit");

const STRATEGY_0_1: &[u8] = include_bytes!("samples/v0_1/strategy.wasm");
const MAPPER_0_1: &[u8] = include_bytes!("samples/v0_1/mapper.wasm");

#[tokio::test]
async fn a_strategy_built_for_0_1_still_decides() {
    let host = host();
    let info = host.load(STRATEGY_0_1, Some("then"), Source::Embedded).unwrap();
    assert_eq!((info.kind, info.version.as_str()), (Kind::Strategy, "0.1.0"));
    let newer = |modified_ms| Document {
        modified_ms: Some(modified_ms),
        ..document("p1", "{}")
    };
    for (local_ms, cloud_ms, decision) in [
        (2_000, 1_000, Decision::KeepLocal),
        (1_000, 2_000, Decision::TakeCloud),
    ] {
        let case = Case {
            base: None,
            local: newer(local_ms),
            cloud: newer(cloud_ms),
        };
        let decided = host.resolve("then", cx(), case, nothing()).await;
        let verdict = decided.outcome.unwrap();
        assert_eq!(verdict.decision, decision);
        assert!(!verdict.reason.is_empty(), "it says why");
    }
}

#[tokio::test]
async fn a_mapper_built_for_0_1_still_translates_both_ways() {
    let host = host();
    host.load(MAPPER_0_1, Some("then"), Source::Embedded).unwrap();
    let ours = r#"{"id":"prod-1","name":"Fried Mee","price":1400,"category_id":"cat-5","stock":26,"is_active":true}"#;
    let there = translate(&host, Direction::ToCloud, ours).await;
    let back = translate(&host, Direction::ToLocal, &there).await;
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(value(&back), value(ours), "by way of {there}");
}

async fn translate(host: &Host, direction: Direction, body: &str) -> String {
    let documents = vec![document("prod-1", body)];
    let mut mapped = host.map("then", direction, cx(), documents, nothing()).await;
    match mapped.pop() {
        Some(Ok(Mapped::Put(body))) => body,
        other => panic!("{other:?}"),
    }
}

/// Each `interface` and `world` of a wit with its statements, comments and spaces aside.
fn blocks(wit: &str) -> BTreeMap<String, Vec<String>> {
    let code: Vec<&str> = wit
        .lines()
        .filter_map(|line| line.split("//").next())
        .flat_map(str::split_whitespace)
        .collect();
    let mut blocks = BTreeMap::new();
    let mut words = code.into_iter();
    while let Some(word) = words.next() {
        if !matches!(word, "interface" | "world") {
            continue;
        }
        let name = format!("{word} {}", words.next().unwrap());
        let (mut depth, mut statement, mut statements) = (0_i32, Vec::new(), Vec::new());
        for word in words.by_ref() {
            depth += i32::try_from(word.matches('{').count()).unwrap();
            depth -= i32::try_from(word.matches('}').count()).unwrap();
            statement.push(word);
            if depth == 1 && (word.ends_with(';') || word.ends_with('}')) {
                statements.push(statement.join(" "));
                statement.clear();
            }
            if depth == 0 {
                break;
            }
        }
        blocks.insert(name, statements);
    }
    blocks
}

/// How `today` breaks what was `released`; nothing: plugins built for it do not notice.
fn broken(today: &str, released: &str) -> Vec<String> {
    let (today, released) = (blocks(today), blocks(released));
    let mut broken = Vec::new();
    for (name, was) in &released {
        let Some(is) = today.get(name) else {
            broken.push(format!("{name} is gone"));
            continue;
        };
        // A world may offer more imports; what it asks of a plugin stays as it was.
        let kept = if name.starts_with("world") {
            let exports = |of: &[String]| {
                of.iter()
                    .filter(|s| s.contains("export"))
                    .cloned()
                    .collect::<Vec<_>>()
            };
            was.iter().all(|statement| is.contains(statement)) && exports(is) == exports(was)
        } else {
            is == was
        };
        if !kept {
            broken.push(format!("{name} is not what it was"));
        }
    }
    broken
}

#[test]
fn the_interface_of_today_only_adds_to_the_released_one() {
    assert_eq!(blocks(V0_1).len(), 8, "{:?}", blocks(V0_1).keys());
    assert_eq!(broken(TODAY, V0_1), Vec::<String>::new());
}

#[test]
fn a_change_that_breaks_built_plugins_is_seen_and_an_addition_is_not_one() {
    let changed = |from: &str, to: &str| {
        assert!(V0_1.contains(from), "{from}");
        broken(&V0_1.replacen(from, to, 1), V0_1)
    };
    assert_eq!(
        changed("version: u64,", "version: u32,"),
        ["interface types is not what it was"]
    );
    assert_eq!(
        changed("    defer,\n", "    defer,\n    later,\n"),
        ["interface strategy is not what it was"]
    );
    assert_eq!(
        changed("interface log", "interface logs"),
        ["interface log is gone"]
    );
    assert_eq!(
        changed("  export mapper;", "  export mapper;\n  export batch;"),
        ["world mapper-plugin is not what it was"]
    );
    assert!(changed("  import lookup;", "  import lookup;\n  import clock;").is_empty());
    assert!(
        changed(
            "world mapper-plugin",
            "interface batch { go: func(); }\nworld mapper-plugin"
        )
        .is_empty()
    );
    assert!(changed("/// Logging.", "/// Logging, in other words.").is_empty());
}
