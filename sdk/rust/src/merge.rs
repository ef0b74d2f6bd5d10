//! A merge by field: what one side changed since the base is taken from that side; what both changed is decided by
//! [`Rules`]. A strategy can answer with it, or use it for the part of a document that it has no opinion of.
//!
//! Owns the merge and its account in words. It must not invent a value: every one in a merged document is one of the base's,
//! the outlet's or the cloud's, byte for byte, but for counters, which are exact sums.
//!
//! - An absent field is a deleted one. An object that both sides changed is merged member by member.
//! - An array is one value, unless the rules name the member that its elements are known by. The elements then stand in the
//!   outlet's order, or in the cloud's where the cloud reordered them; what only the other side has follows at the end.
//!   Members of an object stand in the outlet's order, those that only the cloud has at the end.
//! - Without a base all fields count as new: what one side has alone is kept.
//! - A counter is the base's number plus what each side added to it. Where there is no number to count from and the sides
//!   differ, the whole conflict is left to a person.
//! - A merge that comes to what one side has already is that side's.
//!
//! ```
//! use selaras_sdk::{merge, testing, Decision, Document};
//!
//! let product = |body| Document::new("product", "p-1", body);
//! let mut conflict = testing::conflict(product(r#"{"price":1.10,"stock":9}"#), product(r#"{"price":1.20,"stock":7}"#));
//! conflict.base = Some(product(r#"{"price":1.10,"stock":10}"#));
//! let rules = merge::Rules::default().with_counters(vec!["stock".into()]);
//! let verdict = merge::resolve(&rules, &conflict)?;
//! assert_eq!(verdict.decision, Decision::Merge(r#"{"price":1.20,"stock":6}"#.into()));
//! # Ok::<(), selaras_sdk::Error>(())
//! ```

mod account;
mod arrays;
mod fields;
mod rules;

pub use rules::{Rules, Wins, SCHEMA};

use crate::{Conflict, Document, Error, Object, Verdict};
use account::Account;
use fields::{Merge, Path};

/// Decides a conflict by these rules.
///
/// # Errors
/// `invalid-document` when a living side is not a JSON object, or has a name twice.
pub fn resolve(rules: &Rules, conflict: &Conflict) -> Result<Verdict, Error> {
    let (local, cloud) = (&conflict.local, &conflict.cloud);
    let base = conflict.base.as_ref().filter(|base| !base.deleted);
    if local.deleted && cloud.deleted {
        return Ok(Verdict::take_cloud("Both sides deleted it."));
    }
    if local.deleted || cloud.deleted {
        return deleted(rules, conflict, base);
    }
    let base_object = base.map(Document::object).transpose()?.unwrap_or_default();
    let (local_object, cloud_object) = (local.object()?, cloud.object()?);
    let mut merge = Merge {
        rules,
        newest: newest(conflict),
        account: Account::default(),
    };
    let merged = merge.objects(&Path::root(), &base_object, &local_object, &cloud_object);
    let account = merge.account;
    if account.is_open() {
        return Ok(Verdict::defer(account.why_open()));
    }
    let merged_object =
        Object::parse(&merged).map_err(|error| Error::new("invalid-document", error.to_string()))?;
    let reason = account.words();
    Ok(if merged_object.same_value(&cloud_object) {
        Verdict::take_cloud(reason)
    } else if merged_object.same_value(&local_object) {
        Verdict::keep_local(reason)
    } else {
        Verdict::merge(merged, reason)
    })
}

/// One side deleted it.
fn deleted(rules: &Rules, conflict: &Conflict, base: Option<&Document>) -> Result<Verdict, Error> {
    let (by_outlet, living) = (conflict.local.deleted, living(conflict));
    let untouched = match base {
        Some(base) => base.object()?.same_value(&living.object()?),
        None => false,
    };
    let (who, other) = if by_outlet {
        ("The outlet", "the cloud")
    } else {
        ("The cloud", "the outlet")
    };
    if untouched {
        let reason = [who, " deleted it and ", other, " did not change it."].concat();
        return Ok(if by_outlet {
            Verdict::keep_local(reason)
        } else {
            Verdict::take_cloud(reason)
        });
    }
    let reason = |end| [who, " deleted it and ", other, " changed it; ", end].concat();
    Ok(match newest(conflict).over(rules.deletes()) {
        Wins::Cloud => Verdict::take_cloud(reason("by the settings the cloud's side stands.")),
        Wins::Local => Verdict::keep_local(reason("by the settings the outlet's side stands.")),
        Wins::Newest | Wins::Defer => Verdict::defer(reason("the settings leave that to a person.")),
    })
}

fn living(conflict: &Conflict) -> &Document {
    if conflict.local.deleted {
        &conflict.cloud
    } else {
        &conflict.local
    }
}

/// The side that was changed last. A tie or a missing stamp goes to the cloud, so that every outlet decides the same.
fn newest(conflict: &Conflict) -> Newest {
    Newest(match (conflict.local.modified_ms, conflict.cloud.modified_ms) {
        (Some(local), Some(cloud)) if local > cloud => Wins::Local,
        _ => Wins::Cloud,
    })
}

/// Which side is the newest.
#[derive(Debug, Clone, Copy)]
struct Newest(Wins);

impl Newest {
    /// The rule with this answer in the place of `newest`.
    fn over(self, rule: Wins) -> Wins {
        match rule {
            Wins::Newest => self.0,
            rule => rule,
        }
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
