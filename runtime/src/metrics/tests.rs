//! The text as Prometheus reads it.

use super::*;

fn line<'a>(text: &'a str, start: &str) -> &'a str {
    text.lines()
        .find(|line| line.starts_with(start))
        .unwrap_or_else(|| panic!("no {start} in\n{text}"))
}

#[test]
fn what_is_recorded_is_in_the_text_under_the_fields_names() {
    let metrics = Metrics::default();
    metrics.run("success", 1_500);
    metrics.items("push", "success", 3);
    metrics.items("push", "failed", 0);
    metrics.conflict("newest_wins", "cloud_wins");
    metrics.plugin_call("newest_wins", "resolve", 40, Some("plugin-trap"));
    metrics.commit(12, 700);
    metrics.http("GET", "/api/v1/entities/{type}", 200, 3_000);
    metrics.cloud("push", "timeout", 30_000);
    let text = metrics.render(
        Form::OpenMetrics,
        [(Level::QueuePending, 7.0), (Level::Synced, 42.0)],
    );
    for expected in [
        "selaras_runs_total{outcome=\"success\"} 1",
        "selaras_run_duration_seconds_sum 1.5",
        "selaras_items_total{direction=\"push\",outcome=\"success\"} 3",
        "selaras_conflicts_total{strategy=\"newest_wins\",verdict=\"cloud_wins\"} 1",
        "selaras_plugin_call_duration_seconds_bucket{le=\"0.00005\",plugin=\"newest_wins\",call=\"resolve\"} 1",
        "selaras_plugin_errors_total{plugin=\"newest_wins\",code=\"plugin-trap\"} 1",
        "selaras_store_commit_batches_bucket{le=\"16.0\"} 1",
        "selaras_http_requests_total{method=\"GET\",route=\"/api/v1/entities/{type}\",status=\"200\"} 1",
        "selaras_cloud_requests_total{call=\"push\",outcome=\"timeout\"} 1",
        "selaras_queue_items{state=\"pending\"} 7.0",
        "selaras_synced_changes_total 42",
        "selaras_build_info{version=",
        "# TYPE selaras_runs counter",
    ] {
        line(&text, expected);
    }
    assert!(
        !text.contains("direction=\"push\",outcome=\"failed\""),
        "nothing failed:\n{text}"
    );
    assert!(text.ends_with("# EOF\n"));
    let classic = metrics.render(Form::Classic, []);
    for expected in [
        "# TYPE selaras_runs_total counter",
        "# HELP selaras_runs_total Runs by how they ended",
        "selaras_runs_total{outcome=\"success\"} 1",
        "# TYPE selaras_build_info gauge",
        "# TYPE selaras_run_duration_seconds histogram",
        "selaras_queue_items{state=\"pending\"} 7.0",
    ] {
        line(&classic, expected);
    }
    assert!(!classic.contains("# EOF") && !classic.contains("# UNIT"));
    let samples = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples(&classic), samples(&text), "nothing is lost on the way");
}

#[test]
fn every_series_that_an_alert_or_a_panel_names_is_exported() {
    let metrics = Metrics::default();
    metrics.items("push", "success", 1);
    metrics.conflict("manual", "manual");
    metrics.plugin_call("rule", "resolve", 1, Some("plugin-trap"));
    metrics.plugin_fell_back("rule", "rollback");
    metrics.webhook("update", "applied");
    metrics.http("GET", "/", 200, 1);
    metrics.cloud("push", "success", 1);
    let text = metrics.render(Form::Classic, []);
    let exported: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    for (file, source) in [
        (
            "alerts.yml",
            include_str!("../../../examples/observability/alerts.yml"),
        ),
        (
            "dashboard.json",
            include_str!("../../../examples/observability/dashboard.json"),
        ),
    ] {
        let words = source.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named: BTreeSet<&str> = words
            .filter(|word| word.starts_with("selaras_") || word.starts_with("process_"))
            .collect();
        assert!(named.len() > 10, "{file}: {named:?}");
        let unknown: Vec<_> = named.difference(&exported).collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
}

#[test]
fn what_goes_on_is_counted_until_it_ends() {
    let metrics = Metrics::default();
    let (one, two) = (metrics.feed_waits(), metrics.feed_waits());
    assert_eq!(
        line(&metrics.render(Form::Classic, []), "selaras_feed_waiters"),
        "selaras_feed_waiters 2"
    );
    drop((one, two));
    assert_eq!(
        line(&metrics.render(Form::Classic, []), "selaras_feed_waiters"),
        "selaras_feed_waiters 0"
    );
}

#[test]
fn names_of_plugins_do_not_make_series_without_end() {
    let metrics = Metrics::default();
    for n in 0..10 * MAX_PLUGINS {
        metrics.conflict(&format!("rule_{n}"), "merged");
    }
    metrics.conflict("rule_0", "merged");
    let text = metrics.render(Form::Classic, []);
    let series = text
        .lines()
        .filter(|line| line.starts_with("selaras_conflicts_total"));
    assert_eq!(series.count(), MAX_PLUGINS + 1);
    line(
        &text,
        "selaras_conflicts_total{strategy=\"other\",verdict=\"merged\"} 576",
    );
    line(
        &text,
        "selaras_conflicts_total{strategy=\"rule_0\",verdict=\"merged\"} 2",
    );
}
