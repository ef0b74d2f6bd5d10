//! `counter_merge`: fields that are counted, such as stock, become the base plus what each side added or took away, exact
//! to the digit; everything else is merged field by field. How is `selaras_sdk::merge`'s; here are only its settings.

use selaras_sdk::json::Kind;
use selaras_sdk::merge::{self, Rules, Wins};
use selaras_sdk::{export_strategy, Conflict, Context, Error, Info, Settings, Strategy, Verdict};

/// The strategy.
pub struct CounterMerge;

impl Strategy for CounterMerge {
    fn info() -> Info {
        let before = r#"{"type":"object","additionalProperties":false,"required":["counters"],"properties":{
"counters":{"type":"array","items":{"type":"string"},"minItems":1,"uniqueItems":true,"description":"Fields that are counted, by path: stock, on_hand.main"},
"rest":{"description":"How everything else is merged: the settings of field_merge, or one word for its default","anyOf":[{"enum":["cloud","local","newest","defer"]},"#;
        Info::default().with_settings_schema([before, merge::SCHEMA, "]}}}"].concat())
    }

    fn resolve(cx: &Context, conflict: &Conflict) -> Result<Verdict, Error> {
        merge::resolve(&rules(&cx.settings()?)?, conflict)
    }
}

export_strategy!(CounterMerge);

fn rules(settings: &Settings<'_>) -> Result<Rules, Error> {
    settings.allow_only(&["counters", "rest"])?;
    let counters = settings.strings("counters")?;
    if counters.is_empty() {
        return Err(invalid("counters", "must name the fields that are counted"));
    }
    for path in &counters {
        if path.split('.').any(str::is_empty) {
            return Err(invalid(
                "counters",
                "a path is names joined by dots, such as on_hand.main",
            ));
        }
        if counters.iter().filter(|other| *other == path).count() > 1 {
            return Err(invalid("counters", "a field may be named once"));
        }
    }
    Ok(rest(settings)?.with_counters(counters))
}

fn rest(settings: &Settings<'_>) -> Result<Rules, Error> {
    let Some(rest) = settings.get("rest") else {
        return Ok(Rules::default());
    };
    match rest.kind() {
        Kind::String => {
            let word = rest.as_str().unwrap_or_default();
            Ok(Rules::of(Wins::read(&word, "rest")?))
        }
        Kind::Object => Settings::parse(rest.raw())
            .and_then(|rest| Rules::read(&rest))
            .map_err(|error| {
                let field = error
                    .field
                    .as_deref()
                    .map_or("rest".to_owned(), |field| ["rest.", field].concat());
                error.field(field)
            }),
        _ => Err(invalid(
            "rest",
            "must be the settings of field_merge, or one of cloud, local, newest, defer",
        )),
    }
}

fn invalid(field: &str, problem: &str) -> Error {
    Error::new("invalid-settings", problem).field(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use selaras_sdk::{testing, Decision, Document, Value};

    fn decide(settings: &str, base: Option<&str>, local: &str, cloud: &str) -> Result<Verdict, Error> {
        let product = |body: &str| Document::new("product", "p-1", body);
        let conflict = Conflict {
            base: base.map(product),
            ..testing::conflict(product(local), product(cloud))
        };
        CounterMerge::resolve(&testing::context(settings), &conflict)
    }

    #[test]
    fn what_both_sides_sold_is_taken_off_once_each() {
        let settings = r#"{"counters":["stock","on_hand.main"],"rest":"cloud"}"#;
        let verdict = decide(
            settings,
            Some(r#"{"name":"Chai","stock":40,"on_hand":{"main":2.50}}"#),
            r#"{"name":"Teh","stock":37,"on_hand":{"main":2.25}}"#,
            r#"{"name":"Tea","stock":35,"on_hand":{"main":2.5}}"#,
        );
        let expected = r#"{"name":"Tea","stock":32,"on_hand":{"main":2.25}}"#;
        assert_eq!(verdict.unwrap().decision, Decision::Merge(expected.into()));
    }

    #[test]
    fn without_a_base_it_waits_unless_both_count_the_same() {
        let settings = r#"{"counters":["stock"]}"#;
        let waits = decide(settings, None, r#"{"stock":1}"#, r#"{"stock":2}"#).unwrap();
        assert_eq!(waits.decision, Decision::Defer);
        assert!(waits.reason.contains("stock"), "{}", waits.reason);
        let agreed = decide(settings, None, r#"{"stock":2.0}"#, r#"{"stock":2}"#).unwrap();
        assert_eq!(agreed.decision, Decision::TakeCloud);
    }

    #[test]
    fn the_rest_takes_the_settings_of_field_merge() {
        let settings =
            r#"{"counters":["n"],"rest":{"default":"local","fields":{"price":"cloud"},"deletes":"local"}}"#;
        let verdict = decide(
            settings,
            Some(r#"{"n":1}"#),
            r#"{"n":1,"name":"a","price":1}"#,
            r#"{"n":1,"name":"b","price":2}"#,
        );
        assert_eq!(
            verdict.unwrap().decision,
            Decision::Merge(r#"{"n":1,"name":"a","price":2}"#.into())
        );
    }

    #[test]
    fn bad_settings_are_refused_by_name() {
        for (settings, field) in [
            ("{}", "counters"),
            (r#"{"counters":[]}"#, "counters"),
            (r#"{"counters":"stock"}"#, "counters"),
            (r#"{"counters":["a","a"]}"#, "counters"),
            (r#"{"counters":["a."]}"#, "counters"),
            (r#"{"counters":["a"],"rest":"mine"}"#, "rest"),
            (r#"{"counters":["a"],"rest":7}"#, "rest"),
            (
                r#"{"counters":["a"],"rest":{"fields":{"b":"mine"}}}"#,
                "rest.fields.b",
            ),
            (r#"{"counters":["a"],"default":"cloud"}"#, "default"),
        ] {
            let error = decide(settings, None, "{}", "{}").unwrap_err();
            assert_eq!(error.code, "invalid-settings");
            assert_eq!(error.field.as_deref(), Some(field), "{settings}");
        }
    }

    #[test]
    fn the_schema_is_json() {
        let info = CounterMerge::info();
        assert!(Value::parse(&info.attrs[0].1).unwrap().as_object().is_some());
    }
}
