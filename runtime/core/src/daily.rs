//! A day's summary: what an app hands over once a day, and the cloud takes by a call of its own. Owns its type, its shape and
//! the body that the cloud gets. Numbers stay the text they came in.

use crate::json::{Doc, quote};
use crate::stamp::Millis;

/// The type that days are kept under, their date as id. It is the runtime's own: apps and clouds do not write it as entities.
pub const TYPE: &str = "analytics.daily";

/// What a value of the summary must be.
#[derive(Clone, Copy)]
enum Kind {
    Count,
    Number,
    Object,
    Array,
}

/// What a summary consists of, in the order of the contract.
const SUMMARY: [(&str, Kind); 6] = [
    ("total_orders", Kind::Count),
    ("total_revenue", Kind::Number),
    ("total_transactions", Kind::Count),
    ("payment_methods", Kind::Object),
    ("top_products", Kind::Array),
    ("hourly_breakdown", Kind::Array),
];

/// What is wrong, by field.
pub type Problems = Vec<(String, String)>;

/// A day whose shape was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// `YYYY-MM-DD`.
    pub date: String,
    /// `{date, summary}`, the summary as it was written.
    pub doc: Doc,
}

/// Reads `{date, summary}`; members named in `beside` may stand beside them.
///
/// # Errors
/// Everything that is wrong, by field.
pub fn read(body: &Doc, beside: &[&str]) -> Result<Day, Problems> {
    let mut problems = Problems::new();
    for (name, _) in body.members() {
        if !["date", "summary"].contains(&&*name) && !beside.contains(&&*name) {
            problems.push((
                cut(&name),
                "is not known here: known are date, summary".to_owned(),
            ));
        }
    }
    let date = body.get_string("date").filter(|date| is_date(date));
    if date.is_none() {
        problems.push((
            "date".to_owned(),
            "must be a day like 2026-01-27: YYYY-MM-DD".to_owned(),
        ));
    }
    let summary = body.get("summary").filter(|raw| raw.starts_with('{'));
    match summary.and_then(|raw| Doc::parse(raw).ok()) {
        Some(summary) => check_summary(&summary, &mut problems),
        None => problems.push(("summary".to_owned(), "must be a JSON object".to_owned())),
    }
    match (date, summary) {
        (Some(date), Some(summary)) if problems.is_empty() => {
            let text = format!("{{\"date\":{},\"summary\":{summary}}}", quote(&date));
            Ok(Day {
                date,
                doc: Doc::from_trusted(text),
            })
        }
        _ => Err(problems),
    }
}

/// Whether a text is a day of the calendar, as `YYYY-MM-DD`.
pub fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
        && Millis::parse_rfc3339(&format!("{text}T00:00:00Z")).is_some()
}

/// The body of the cloud's call, for a document that [`read`] made.
pub fn body(doc: &Doc, outlet_id: &str, outlet_code: &str) -> Doc {
    Doc::from_trusted(format!(
        "{{\"outlet_id\":{},\"outlet_code\":{},\"date\":{},\"summary\":{}}}",
        quote(outlet_id),
        quote(outlet_code),
        doc.get("date").unwrap_or("null"),
        doc.get("summary").unwrap_or("{}"),
    ))
}

fn check_summary(summary: &Doc, problems: &mut Problems) {
    for (name, kind) in SUMMARY {
        let expected = match kind {
            Kind::Count => "must be a whole number, 0 or more",
            Kind::Number => "must be a number",
            Kind::Object => "must be a JSON object",
            Kind::Array => "must be an array",
        };
        match summary.get(name) {
            None => problems.push((format!("summary.{name}"), format!("is missing: {expected}"))),
            Some(raw) if !kind.fits(raw) => problems.push((format!("summary.{name}"), expected.to_owned())),
            Some(_) => {}
        }
    }
    for (name, _) in summary.members() {
        if !SUMMARY.iter().any(|(known, _)| *known == name) {
            let known: Vec<&str> = SUMMARY.iter().map(|(known, _)| *known).collect();
            problems.push((
                format!("summary.{}", cut(&name)),
                format!("is not known here: known are {}", known.join(", ")),
            ));
        }
    }
}

impl Kind {
    /// `raw` is the text of a JSON value, so its first character tells what it is.
    fn fits(self, raw: &str) -> bool {
        match self {
            Self::Count => raw.bytes().all(|b| b.is_ascii_digit()),
            Self::Number => raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()),
            Self::Object => raw.starts_with('{'),
            Self::Array => raw.starts_with('['),
        }
    }
}

/// A sender's text, short enough to be told back.
fn cut(name: &str) -> String {
    name.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = r#"{ "total_orders":12,"total_revenue":1234567.90000000001,"total_transactions":13,
        "payment_methods":{"cash":7},"top_products":[],"hourly_breakdown":[{"hour":9}]}"#;

    fn of(text: &str) -> Result<Day, Vec<String>> {
        read(&Doc::parse(text).unwrap(), &["outlet_id"])
            .map_err(|problems| problems.into_iter().map(|(field, _)| field).collect())
    }

    #[test]
    fn a_summary_stays_byte_for_byte_and_the_cloud_gets_the_contracts_body() {
        let day = of(&format!(
            r#"{{"summary":{SUMMARY}, "outlet_id":"x","date":"2026-01-27"}}"#
        ))
        .unwrap();
        assert_eq!(day.date, "2026-01-27");
        assert_eq!(
            day.doc.as_str(),
            format!(r#"{{"date":"2026-01-27","summary":{SUMMARY}}}"#)
        );
        assert_eq!(
            body(&day.doc, "o-\"1", "JKT").as_str(),
            format!(r#"{{"outlet_id":"o-\"1","outlet_code":"JKT","date":"2026-01-27","summary":{SUMMARY}}}"#)
        );
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        assert_eq!(of("{}").unwrap_err(), ["date", "summary"]);
        let text = r#"{"date":"2026-02-30","colour":1,"summary":{"total_orders":-1,"total_revenue":"9.80","total_transactions":1.5,
            "payment_methods":[],"top_products":{},"tips":1}}"#;
        assert_eq!(
            of(text).unwrap_err(),
            [
                "colour",
                "date",
                "summary.total_orders",
                "summary.total_revenue",
                "summary.total_transactions",
                "summary.payment_methods",
                "summary.top_products",
                "summary.hourly_breakdown",
                "summary.tips",
            ]
        );
    }

    #[test]
    fn a_day_is_one_of_the_calendar() {
        for good in ["2026-01-27", "2024-02-29"] {
            assert!(is_date(good), "{good}");
        }
        for bad in [
            "",
            "2026-1-27",
            "27-01-2026",
            "2026-13-01",
            "2025-02-29",
            "2026-01-27T",
            "+026-01-27",
        ] {
            assert!(!is_date(bad), "{bad}");
        }
    }
}
