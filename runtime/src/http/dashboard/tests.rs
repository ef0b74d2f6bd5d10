//! The page may do little, asks only for what there is, and takes nothing from elsewhere.

use super::*;
use crate::http::routes::table;
use crate::http::testing::app;
use http::Request;
use http_body_util::BodyExt;
use std::collections::BTreeSet;

async fn served() -> (http::HeaderMap, String) {
    let asked = Request::builder().uri("/").body(Body::empty()).unwrap();
    let (parts, body) = app().await.handle(asked, None).await.into_parts();
    assert_eq!(parts.status, 200);
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

/// What stands between two marks, once.
fn between<'a>(text: &'a str, open: &str, close: &str) -> &'a str {
    let mut parts = text.split(open);
    let (_, after) = (parts.next(), parts.next().expect("it is there"));
    assert!(parts.next().is_none(), "{open} is there once");
    after.split(close).next().unwrap()
}

#[tokio::test]
async fn only_the_pages_own_script_and_style_may_run() {
    let (headers, html) = served().await;
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    let script = digest(between(&html, "<script>", "</script>"));
    let style = digest(between(&html, "<style>", "</style>"));
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(
        policy.contains(&format!("script-src 'sha256-{script}';")),
        "{policy}"
    );
    assert!(
        policy.contains(&format!("style-src 'sha256-{style}';")),
        "{policy}"
    );
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert!(!html.contains("{{"), "a part is missing");
}

#[tokio::test]
async fn nothing_comes_from_elsewhere_and_no_text_becomes_markup() {
    let (_, html) = served().await;
    for bad in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "javascript:",
        "import(",
        "localStorage",
        "document.cookie",
        "https://",
        " src=",
        "@import",
        "url(",
        "style=",
    ] {
        assert!(!html.contains(bad), "{bad}");
    }
    let plain = html.replace("xmlns='http://www.w3.org/2000/svg'", "");
    assert!(!plain.contains("http://"), "the drawing's name space only");
    let markup = html.split("<script>").next().unwrap();
    let handlers = markup
        .split_ascii_whitespace()
        .filter(|word| word.starts_with("on") && word.contains('='));
    assert_eq!(handlers.count(), 0);
}

#[tokio::test]
async fn every_route_that_it_asks_for_is_in_the_table() {
    let (_, html) = served().await;
    let routes: BTreeSet<String> = table()
        .iter()
        .map(|entry| format!("{} {}", entry.method, entry.path))
        .collect();
    let asked = between(&html, "const ROUTES = {", "};");
    let asked: Vec<&str> = asked.split('"').skip(1).step_by(2).collect();
    assert!(asked.len() > 10, "{asked:?}");
    for route in &asked {
        assert!(routes.contains(*route), "{route} is no route");
    }
    assert_eq!(
        html.matches("/api/").count(),
        asked.len(),
        "a route is named elsewhere"
    );
    assert_eq!(html.matches("fetch(").count(), 1, "one place asks");
}

#[test]
fn documents_pass_byte_for_byte_through_what_the_page_reads_and_prints() {
    let checks = include_str!("exact.test.js");
    let file = tempfile::Builder::new().suffix(".js").tempfile().unwrap();
    std::fs::write(file.path(), format!("{}\n{checks}", include_str!("exact.js"))).unwrap();
    let ran = std::process::Command::new("node").arg(file.path()).output();
    let Ok(output) = ran else {
        eprintln!("SKIPPED: there is no node here");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("all as it should be"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
