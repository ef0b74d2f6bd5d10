//! What operators see: metrics, the dashboard's page, the log's names of requests and runs, traces, `selaras status --watch`.

mod collector;

use self::collector::Collector;
use crate::harness::json_text::string_at;
use crate::harness::wait;
use crate::outlet::{ADMIN_PASSWORD, Outlet, Setup};
use crate::scripted_cloud::{Call, ScriptedCloud};

async fn scrape(outlet: &Outlet) -> String {
    let reply = outlet.anonymous("GET", "/metrics").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(
        reply.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    reply.text
}

/// The value of a series, by the beginning of its line; 0 where there is none yet.
fn value(text: &str, series: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn a_scrape_of_this_machine_tells_what_was_done() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet
        .put("product", "p-1", r#"{"name":"Chai"}"#)
        .await
        .expect(201);
    outlet.settle().await;
    let text = wait::until("the run to be counted", || async {
        let text = scrape(&outlet).await;
        (value(
            &text,
            r#"selaras_items_total{direction="push",outcome="success"}"#,
        ) > 0.0)
            .then_some(text)
    })
    .await;
    for counted in [
        r#"selaras_runs_total{outcome="success"}"#,
        "selaras_run_duration_seconds_count",
        r#"selaras_http_requests_total{method="PUT",route="/api/v1/entities/{type}/{id}",status="201"}"#,
        r#"selaras_cloud_requests_total{call="push",outcome="success"}"#,
        "selaras_store_commit_duration_seconds_sum",
        "selaras_store_commit_batches_count",
        "selaras_synced_changes_total",
        "selaras_cloud_up",
        "selaras_store_up",
        "selaras_disk_free_bytes",
        "selaras_store_size_bytes",
        "selaras_sync_last_success_timestamp_seconds",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        assert!(value(&text, counted) > 0.0, "{counted} in\n{text}");
    }
    assert_eq!(value(&text, r#"selaras_queue_items{state="pending"}"#), 0.0);
    assert_eq!(value(&text, "selaras_queue_oldest_age_seconds"), 0.0);
    assert!(
        !text.contains("p-1") && !text.contains("product"),
        "what apps name is no label:\n{text}"
    );
}

#[tokio::test]
async fn the_queue_and_its_age_are_told_while_the_line_is_down() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.settle().await;
    cloud.go_down();
    outlet
        .put("product", "p-1", r#"{"name":"Chai"}"#)
        .await
        .expect(201);
    wait::until("the age of what waits", || async {
        let text = scrape(&outlet).await;
        let waits = value(&text, r#"selaras_queue_items{state="pending"}"#) == 1.0;
        let aged = value(&text, "selaras_queue_oldest_age_seconds") > 0.0;
        (waits && aged && value(&text, "selaras_cloud_up") == 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_proxy_passes_on_needs_a_token_and_a_token_closes_the_way_without() {
    let open = Setup::without_cloud().launch().await;
    let passed_on = open
        .anonymous("GET", "/metrics")
        .header("X-Forwarded-For", "203.0.113.9");
    passed_on.await.expect_error(401, "missing_token");
    let token = "a-token-of-the-scraper";
    let outlet = Setup::without_cloud().env("METRICS_TOKEN", token).launch().await;
    outlet
        .anonymous("GET", "/metrics")
        .await
        .expect_error(401, "missing_token");
    let bearer = |token: &str| {
        outlet
            .anonymous("GET", "/metrics")
            .header("Authorization", &format!("Bearer {token}"))
    };
    bearer("a-token-of-somebody")
        .await
        .expect_error(401, "invalid_token");
    assert_eq!(bearer(token).await.status, 200);
}

#[tokio::test]
async fn the_dashboard_comes_from_the_binary_under_a_strict_policy() {
    let outlet = Setup::without_cloud().launch().await;
    let page = outlet.anonymous("GET", "/").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'sha256-"),
        "{policy}"
    );
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert!(page.text.contains("<title>Selaras</title>") && !page.text.contains("innerHTML"));
}

#[tokio::test]
async fn a_line_of_the_clouds_log_leads_to_the_runs_lines_here_and_a_request_to_its_own() {
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud)
        .env("LOG_FORMAT", "json")
        .env("LOG_LEVEL", "selaras=debug");
    let outlet = setup.start().await;
    outlet
        .put("product", "p-1", r#"{"name":"Chai"}"#)
        .await
        .expect(201);
    outlet.settle().await;
    let pushed = cloud.calls(Call::Batch).pop().unwrap();
    let id = pushed.header("x-request-id").unwrap().to_owned();
    let (run, number) = id.rsplit_once('-').unwrap();
    assert!(run.starts_with("run-") && number.parse::<u32>().is_ok(), "{id}");
    let of_run = |what: &str| format!("{what} of {run}");
    wait::until_true(&of_run("the end"), || {
        let log = outlet.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(run)).collect();
        lines.iter().any(|line| line.contains("a run is done")) && lines.iter().any(|line| line.contains(&id))
    })
    .await;
    let told = outlet.read("sync/logs?sync_type=push").await.expect(200).list();
    assert!(
        told.iter()
            .any(|line| string_at(line, "details.run_id").as_deref() == Some(run)),
        "{told:?}"
    );
    let asked = outlet
        .request("PUT", "/api/v1/config/sync")
        .header("X-Request-ID", "till-7");
    asked.json(r#"{"batch_size":50}"#).await.expect(200);
    let log = outlet.log();
    let lines = log
        .lines()
        .filter(|line| line.contains(r#""request_id":"till-7""#));
    assert!(
        lines.clone().count() > 1,
        "the engine's line and the answer's:\n{log}"
    );
    assert!(lines.clone().any(|line| line.contains("engine")), "{log}");
}

#[tokio::test]
async fn spans_reach_a_collector_with_the_outlets_name() {
    let (cloud, collector) = (ScriptedCloud::start().await, Collector::start().await);
    let setup = Setup::of(&cloud)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-key=abc%20def")
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .env("LOG_LEVEL", "warn");
    let outlet = setup.start().await;
    outlet
        .put("product", "p-1", r#"{"name":"Chai"}"#)
        .await
        .expect(201);
    outlet.settle().await;
    wait::until_true("spans of each kind", || {
        let taken = collector.taken();
        let has = |word: &str| taken.iter().any(|one| one.holds(word));
        [
            "request",
            "run",
            "cloud_request",
            "service.name",
            "selaras",
            crate::outlet::OUTLET_ID,
        ]
        .into_iter()
        .all(has)
    })
    .await;
    let taken = collector.taken();
    for post in &taken {
        assert!(
            post.head.starts_with("POST /v1/traces HTTP/1.1\r\n"),
            "{}",
            post.head
        );
        assert!(
            post.head.contains("content-type: application/x-protobuf"),
            "{}",
            post.head
        );
        assert!(post.head.contains("x-key: abc def"), "{}", post.head);
        assert!(
            !post.holds(ADMIN_PASSWORD) && !post.holds(crate::outlet::API_KEY),
            "no secret is traced"
        );
    }
    outlet.stop().await;
}

#[tokio::test]
async fn a_collector_that_is_away_or_silent_holds_nothing_up() {
    let silent = Collector::silent().await;
    for endpoint in ["http://127.0.0.1:1", silent.url()] {
        let cloud = ScriptedCloud::start().await;
        let outlet = Setup::of(&cloud)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .env("OTEL_BSP_SCHEDULE_DELAY", "50")
            .start()
            .await;
        for n in 0..200 {
            outlet
                .put("product", &format!("p-{n}"), r#"{"name":"Chai"}"#)
                .await
                .expect(201);
        }
        outlet.settle().await;
        outlet.stop().await;
    }
}

#[tokio::test]
async fn watching_goes_on_until_ctrl_c_and_says_when_there_is_nobody_to_watch() {
    let outlet = Setup::without_cloud().launch().await;
    let mut watch = outlet.beside().command(&["status", "--watch"]);
    wait::until_true("two lines", || {
        watch.log().matches("online=- running=").count() >= 2
    })
    .await;
    watch.interrupt();
    assert_eq!(watch.wait().await, 0, "{}", watch.log());
    assert!(
        !watch.log().contains('\x1b'),
        "no terminal, no commands for one: {}",
        watch.log()
    );
    let setup = outlet.beside();
    outlet.stop().await;
    let mut nobody = setup.command(&["status", "--watch"]);
    assert_eq!(nobody.wait().await, 1);
    assert!(
        nobody.log().contains("no outlet answers at http://127.0.0.1:"),
        "{}",
        nobody.log()
    );
}
