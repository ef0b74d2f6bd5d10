//! Names of things: entity types, entity ids, cloud ids, and how new ids are made from time and randomness that
//! the caller brings. An id that exists is valid; it is checked once, where it comes in.

use crate::stamp::Millis;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest entity type, in characters.
pub const MAX_TYPE_CHARS: usize = 64;
/// The longest id, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 128;

/// Why a text is not an id, in words for whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {problem}")]
pub struct IdError {
    /// Which kind of id was meant: `entity type`, `entity id` or `cloud id`.
    pub what: &'static str,
    /// What is wrong with it.
    pub problem: IdProblem,
}

/// What is wrong with an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdProblem {
    /// It has no characters.
    #[error("must not be empty")]
    Empty,
    /// An entity type longer than [`MAX_TYPE_CHARS`], or an id longer than [`MAX_ID_BYTES`].
    #[error("is {length} bytes long, at most {max} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The most it may have.
        max: usize,
    },
    /// An entity type holds something else than `a-z`, `0-9`, `_`, `.`, `-`.
    #[error("contains {0:?}; only a-z, 0-9, `_`, `.` and `-` are allowed")]
    Character(char),
    /// An entity type starts with `_`, `.` or `-`.
    #[error("starts with {0:?}; it must start with a-z or 0-9")]
    FirstCharacter(char),
    /// An id holds a control character.
    #[error("contains the control character {0:?}")]
    Control(char),
}

fn check_type(text: &str) -> Result<(), IdProblem> {
    let first = text.chars().next().ok_or(IdProblem::Empty)?;
    let allowed = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '.' | '-');
    if let Some(wrong) = text.chars().find(|c| !allowed(c)) {
        return Err(IdProblem::Character(wrong));
    }
    if !first.is_ascii_alphanumeric() {
        return Err(IdProblem::FirstCharacter(first));
    }
    check_length(text, MAX_TYPE_CHARS)
}

fn check_id(text: &str) -> Result<(), IdProblem> {
    if text.is_empty() {
        return Err(IdProblem::Empty);
    }
    check_length(text, MAX_ID_BYTES)?;
    text.chars()
        .find(|c| c.is_control())
        .map_or(Ok(()), |c| Err(IdProblem::Control(c)))
}

fn check_length(text: &str, max: usize) -> Result<(), IdProblem> {
    let length = text.len();
    if length > max {
        Err(IdProblem::TooLong { length, max })
    } else {
        Ok(())
    }
}

/// A checked text: cheap to clone, in and out of serde as a string, checked on the way in.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a text.
            ///
            /// # Errors
            /// Says what is wrong with it.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                $check(text).map_err(|problem| IdError { what: $what, problem })?;
                Ok(Self(text.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Arc::<str>::deserialize(deserializer)?;
                $check(&text).map_err(|problem| serde::de::Error::custom(IdError { what: $what, problem }))?;
                Ok(Self(text))
            }
        }
    };
}

checked_text! {
    /// A type of entity, as the outlet calls it: 1 to 64 of `a-z0-9_.-`, the first a letter or digit.
    EntityType, "entity type", check_type
}
checked_text! {
    /// The outlet's id of an entity: 1 to 128 bytes without control characters.
    EntityId, "entity id", check_id
}
checked_text! {
    /// The cloud's id of an entity: 1 to 128 bytes without control characters.
    CloudId, "cloud id", check_id
}

/// Names one entity of the outlet. Sorts by type, then id; shows as `type/id`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct EntityKey {
    /// Its type.
    pub entity_type: EntityType,
    /// Its id, unique within the type.
    pub id: EntityId,
}

impl EntityKey {
    /// Checks and takes both parts.
    ///
    /// # Errors
    /// Says what is wrong with the first part that is not valid.
    pub fn parse(entity_type: &str, id: &str) -> Result<Self, IdError> {
        Ok(EntityKey {
            entity_type: EntityType::parse(entity_type)?,
            id: EntityId::parse(id)?,
        })
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.entity_type, self.id)
    }
}

/// A [ULID](https://github.com/ulid/spec): 48 bits of time and the low 80 bits of `random`, as 26 characters that
/// sort by time. A time outside those 48 bits counts as the nearest inside.
pub fn ulid(at: Millis, random: u128) -> String {
    const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let time = u128::from(at.0.clamp(0, (1 << 48) - 1).unsigned_abs());
    let bits = time << 80 | random & ((1 << 80) - 1);
    (0..26)
        .rev()
        .map(|place| char::from(CROCKFORD[(bits >> (place * 5) & 31) as usize]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_type_is_short_lower_case_and_starts_with_a_letter_or_digit() {
        for good in ["product", "a", "0", "order.line-2_x", &"t".repeat(64)] {
            assert_eq!(EntityType::parse(good).unwrap().as_str(), good);
        }
        for (bad, says) in [
            ("", "entity type must not be empty"),
            (
                "Product",
                "entity type contains 'P'; only a-z, 0-9, `_`, `.` and `-` are allowed",
            ),
            ("-a", "entity type starts with '-'; it must start with a-z or 0-9"),
            (
                "a/b",
                "entity type contains '/'; only a-z, 0-9, `_`, `.` and `-` are allowed",
            ),
            (
                &"t".repeat(65),
                "entity type is 65 bytes long, at most 64 are allowed",
            ),
        ] {
            assert_eq!(EntityType::parse(bad).unwrap_err().to_string(), says);
        }
    }

    #[test]
    fn an_id_has_at_most_128_bytes_and_no_control_characters() {
        for good in ["1", " ", "ORD/1", "é😀", &"x".repeat(128)] {
            assert_eq!(EntityId::parse(good).unwrap().as_str(), good);
            assert_eq!(CloudId::parse(good).unwrap().as_str(), good);
        }
        for (bad, says) in [
            ("", "cloud id must not be empty"),
            ("a\nb", "cloud id contains the control character '\\n'"),
            ("\u{85}", "cloud id contains the control character '\\u{85}'"),
            (
                &"é".repeat(65),
                "cloud id is 130 bytes long, at most 128 are allowed",
            ),
        ] {
            assert!(EntityId::parse(bad).is_err());
            assert_eq!(CloudId::parse(bad).unwrap_err().to_string(), says);
        }
    }

    #[test]
    fn serde_checks_what_comes_in() {
        let key: EntityKey = serde_json::from_str(r#"{"entity_type":"product","id":"p\u002d1"}"#).unwrap();
        assert_eq!(key, EntityKey::parse("product", "p-1").unwrap());
        assert_eq!(
            serde_json::to_string(&key).unwrap(),
            r#"{"entity_type":"product","id":"p-1"}"#
        );
        assert_eq!(key.to_string(), "product/p-1");
        let refused = serde_json::from_str::<EntityKey>(r#"{"entity_type":"product","id":""}"#).unwrap_err();
        assert!(
            refused.to_string().contains("entity id must not be empty"),
            "{refused}"
        );
    }

    #[test]
    fn a_ulid_is_the_one_of_the_specification() {
        assert_eq!(ulid(Millis(1_469_918_176_385), 0), "01ARYZ6S410000000000000000");
        assert_eq!(ulid(Millis(i64::MAX), u128::MAX), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        assert_eq!(ulid(Millis(-1), 31), "0000000000000000000000000Z");
    }

    proptest! {
        #[test]
        fn ulids_sort_by_time_and_then_by_randomness(
            a in 0i64..(1 << 48), b in 0i64..(1 << 48), x in 0u128..(1 << 80), y in 0u128..(1 << 80),
        ) {
            prop_assert_eq!(ulid(Millis(a), x).cmp(&ulid(Millis(b), y)), (a, x).cmp(&(b, y)));
            prop_assert!(EntityId::parse(&ulid(Millis(a), x)).is_ok());
        }
    }
}
