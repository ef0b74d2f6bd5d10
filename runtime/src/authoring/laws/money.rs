//! Amounts: what may become of a named field in a merge.
//!
//! An amount is a side's own, or what both sides added to or took from the base. Anything else, a rounded one or one
//! that is gone, is lost money.

use std::collections::BTreeMap;

use selaras_core::decimal::same_number;
use selaras_core::json::Doc;
use serde_json::value::RawValue;

use crate::plugin::{Case, Document};

/// What is wrong with the amounts at `path` in a merge; `None`: nothing. Says also whether there were any.
pub(super) fn lost(case: &Case, merged: &str, path: &str) -> (bool, Option<String>) {
    let sums = amounts(merged, path);
    let of = |side: Option<&Document>| side.map(|side| amounts(&side.body, path)).unwrap_or_default();
    let (base, local, cloud) = (
        of(case.base.as_ref()),
        of(Some(&case.local)),
        of(Some(&case.cloud)),
    );
    for (place, amount) in &sums {
        let sides = [local.get(place), cloud.get(place), base.get(place)];
        let own = sides.into_iter().flatten().any(|side| same_number(side, amount));
        let counted = || {
            let [Some(local), Some(cloud), Some(base)] = sides else {
                return false;
            };
            both_changes(base, local, cloud).is_some_and(|sum| same_number(&sum, amount))
        };
        if !own && !counted() {
            let shown = |side: Option<&String>| side.map_or("none", String::as_str).to_owned();
            return (
                true,
                Some(format!(
                    "{place} is {amount}; the base has {}, the outlet {}, the cloud {}",
                    shown(base.get(place)),
                    shown(local.get(place)),
                    shown(cloud.get(place))
                )),
            );
        }
    }
    let gone = local
        .keys()
        .find(|place| cloud.contains_key(*place) && !sums.contains_key(*place));
    let gone = gone.map(|place| format!("{place} is on both sides and gone from the merge"));
    (!sums.is_empty() || gone.is_some(), gone)
}

/// The numbers at a path, by their place. A part of the path that leads to an array goes into each element, which is
/// known by its `id` where it has one.
fn amounts(text: &str, path: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(text, path, "", &mut found);
    found
}

fn collect(text: &str, path: &str, place: &str, found: &mut BTreeMap<String, String>) {
    if text.trim_start().starts_with('[') {
        let elements: Vec<Box<RawValue>> = serde_json::from_str(text).unwrap_or_default();
        for (n, element) in elements.iter().enumerate() {
            let id = Doc::parse(element.get())
                .ok()
                .and_then(|doc| doc.get("id").map(str::to_owned));
            let name = id.unwrap_or_else(|| n.to_string());
            collect(element.get(), path, &format!("{place}[{name}]"), found);
        }
        return;
    }
    let Ok(doc) = Doc::parse(text) else { return };
    let (name, rest) = path
        .split_once('.')
        .map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(value) = doc.get(name) else { return };
    let place = if place.is_empty() {
        name.to_owned()
    } else {
        format!("{place}.{name}")
    };
    match rest {
        Some(rest) => collect(value, rest, &place, found),
        None if value.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            found.insert(place, value.to_owned());
        }
        None => {}
    }
}

/// `base + (local - base) + (cloud - base)`, exact; `None` for numbers with exponents or more digits than an `i128` has.
fn both_changes(base: &str, local: &str, cloud: &str) -> Option<String> {
    let digits = [base, local, cloud]
        .iter()
        .map(|number| number.split_once('.').map_or(0, |(_, decimals)| decimals.len()))
        .max()?;
    let sum = scaled(local, digits)?
        .checked_add(scaled(cloud, digits)?)?
        .checked_sub(scaled(base, digits)?)?;
    let (sign, size) = if sum < 0 {
        ("-", sum.unsigned_abs())
    } else {
        ("", sum.unsigned_abs())
    };
    let text = format!("{size:0>width$}", width = digits + 1);
    let (whole, decimals) = text.split_at(text.len() - digits);
    Some(if digits == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{decimals}")
    })
}

fn scaled(number: &str, digits: usize) -> Option<i128> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    format!("{whole}{decimals:0<digits$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(base: &str, local: &str, cloud: &str) -> Case {
        let side = |body: &str| Document {
            entity_type: "order".into(),
            id: "o-1".into(),
            cloud_id: None,
            version: 1,
            deleted: false,
            modified_ms: None,
            modified_by: None,
            body: body.into(),
        };
        Case {
            base: Some(side(base)),
            local: side(local),
            cloud: side(cloud),
        }
    }

    #[test]
    fn an_amount_of_a_side_or_of_both_changes_together_is_kept() {
        let case = case(r#"{"t":10.00}"#, r#"{"t":9.75}"#, r#"{"t":12.5}"#);
        for kept in ["9.75", "12.50", "10", "12.25"] {
            assert_eq!(
                lost(&case, &format!(r#"{{"t":{kept}}}"#), "t"),
                (true, None),
                "{kept}"
            );
        }
        for wrong in ["12.3", "12.249999999999998", "-12.25"] {
            let (shown, problem) = lost(&case, &format!(r#"{{"t":{wrong}}}"#), "t");
            assert!(shown && problem.is_some(), "{wrong}");
        }
        assert!(lost(&case, "{}", "t").1.unwrap().contains("gone"));
    }

    #[test]
    fn amounts_in_arrays_are_compared_by_the_elements_id() {
        let two = |a: &str, b: &str| format!(r#"{{"lines":[{{"id":"1","p":{a}}},{{"id":"2","p":{b}}}]}}"#);
        let case = case(&two("1", "2"), &two("1", "3"), &two("1", "2"));
        let turned = r#"{"lines":[{"id":"2","p":3},{"id":"1","p":1}]}"#;
        assert_eq!(lost(&case, turned, "lines.p"), (true, None));
        assert!(lost(&case, &two("3", "1"), "lines.p").1.is_some());
    }

    #[test]
    fn a_field_that_is_not_there_shows_nothing() {
        let case = case("{}", "{}", "{}");
        assert_eq!(lost(&case, "{}", "total"), (false, None));
    }
}
