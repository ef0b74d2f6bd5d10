//! The text that every scraper reads: Prometheus's own form, version 0.0.4, made of OpenMetrics. They differ in the names of counters
//! and infos in their heads, in units, and in the end mark.

use std::fmt::Write as _;

/// The same in Prometheus's own form.
pub fn of(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + 1024);
    // A series' help comes before its type, which says what the series is called here.
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            if let Some((_, words)) = help.take_if(|(of, _)| *of == name) {
                line_of(&mut text, format_args!("# HELP {name}{suffix} {words}"));
            }
            line_of(&mut text, format_args!("# TYPE {name}{suffix} {kind}"));
        } else if !line.starts_with('#') {
            line_of(&mut text, format_args!("{line}"));
        }
    }
    text
}

fn line_of(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("invariant: a string takes what is written to it");
}
