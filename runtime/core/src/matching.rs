//! Which result of a batch speaks of which item (rule 9).

use std::collections::HashMap;

/// The names under which an item was sent.
#[derive(Clone, Copy, Debug)]
pub struct SentName<'a> {
    /// The change's id.
    pub change_id: &'a str,
    /// The wire's name of the type.
    pub entity_type: &'a str,
    /// The outlet's id.
    pub local_id: &'a str,
    /// The cloud's id, when it was known.
    pub cloud_id: Option<&'a str>,
}

/// The names that a result carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResultName<'a> {
    /// The change's id, given back.
    pub change_id: Option<&'a str>,
    /// The wire's name of the type.
    pub entity_type: Option<&'a str>,
    /// The outlet's id.
    pub local_id: Option<&'a str>,
    /// The cloud's id.
    pub cloud_id: Option<&'a str>,
}

/// For each item the index of its result: by change_id, else by `(entity_type, local_id)`, else by cloud_id. Of several
/// results for one item the first counts. Also how many results belong to no item.
pub fn match_results<'a>(sent: &[SentName<'a>], results: &[ResultName<'a>]) -> (Vec<Option<usize>>, usize) {
    let mut by_change = HashMap::with_capacity(sent.len());
    let mut by_local = HashMap::with_capacity(sent.len());
    let mut by_cloud = HashMap::new();
    for (at, item) in sent.iter().enumerate() {
        by_change.entry(item.change_id).or_insert(at);
        by_local.entry((item.entity_type, item.local_id)).or_insert(at);
        if let Some(cloud_id) = item.cloud_id {
            by_cloud.entry((item.entity_type, cloud_id)).or_insert(at);
        }
    }
    let mut matched = vec![None; sent.len()];
    let mut strangers = 0;
    for (at, result) in results.iter().enumerate() {
        let item = match result.change_id {
            // A change_id that is not ours makes it a stranger, whatever else it says.
            Some(change_id) => by_change.get(change_id),
            None => {
                let local = result
                    .entity_type
                    .zip(result.local_id)
                    .and_then(|name| by_local.get(&name));
                local.or_else(|| {
                    result
                        .entity_type
                        .zip(result.cloud_id)
                        .and_then(|name| by_cloud.get(&name))
                })
            }
        };
        match item {
            Some(item) if matched[*item].is_none() => matched[*item] = Some(at),
            Some(_) => {}
            None => strangers += 1,
        }
    }
    (matched, strangers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: [SentName<'_>; 2] = [
        SentName {
            change_id: "a",
            entity_type: "order",
            local_id: "1",
            cloud_id: None,
        },
        SentName {
            change_id: "b",
            entity_type: "order",
            local_id: "2",
            cloud_id: Some("c-2"),
        },
    ];

    fn local(id: &str) -> ResultName<'_> {
        ResultName {
            entity_type: Some("order"),
            local_id: Some(id),
            ..ResultName::default()
        }
    }

    #[test]
    fn results_are_matched_in_any_order_and_duplicates_count_once() {
        let results = [local("2"), local("1"), local("2")];
        assert_eq!(match_results(&SENT, &results), (vec![Some(1), Some(0)], 0));
    }

    #[test]
    fn a_change_id_counts_before_other_names() {
        let swapped = ResultName {
            change_id: Some("b"),
            ..local("1")
        };
        assert_eq!(match_results(&SENT, &[swapped]), (vec![None, Some(0)], 0));
    }

    #[test]
    fn a_cloud_id_will_do() {
        let result = ResultName {
            entity_type: Some("order"),
            cloud_id: Some("c-2"),
            ..ResultName::default()
        };
        assert_eq!(match_results(&SENT, &[result]), (vec![None, Some(0)], 0));
    }

    #[test]
    fn a_stranger_settles_nothing() {
        let stranger = ResultName {
            change_id: Some("z"),
            ..local("1")
        };
        assert_eq!(
            match_results(&SENT, &[stranger, local("9")]),
            (vec![None, None], 2)
        );
    }
}
