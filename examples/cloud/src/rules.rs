//! What this cloud does with a pushed change: the rule alone, without storage or HTTP.

/// What an outlet did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It made the entity.
    Create,
    /// It changed the entity.
    Update,
    /// It removed the entity.
    Delete,
}

impl Operation {
    /// Reads the wire's word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "create" => Some(Self::Create),
            "update" => Some(Self::Update),
            "delete" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// What the cloud has of the entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its version; grows with every change.
    pub version: u64,
    /// It is a tombstone.
    pub deleted: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Store a new entity.
    Insert,
    /// Store the next version.
    Replace,
    /// Store the next version as a tombstone.
    Remove,
    /// It is so already; a success.
    Nothing,
    /// Someone else changed it since: hand the cloud's side back and change nothing.
    Conflict,
}

/// Judges one change. `base_version` is the cloud version that it was made on (0: none); an outlet that does not
/// send one gets "the last writer wins".
///
/// A create over a tombstone brings the entity back under its old `cloud_id` with the next version, so that every
/// other outlet sees an ordinary newer state of an entity it knows.
pub fn judge(operation: Operation, base_version: Option<u64>, standing: Option<Standing>) -> Judgement {
    use Operation::{Create, Delete};
    let Some(standing) = standing else {
        return if operation == Delete {
            Judgement::Nothing
        } else {
            Judgement::Insert
        };
    };
    match operation {
        Delete if standing.deleted => Judgement::Nothing,
        Create if standing.deleted => Judgement::Replace,
        _ if base_version.is_some_and(|base| base != standing.version) => Judgement::Conflict,
        Delete => Judgement::Remove,
        _ => Judgement::Replace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operation::{Create, Delete, Update};

    const LIVE: Option<Standing> = Some(Standing {
        version: 3,
        deleted: false,
    });
    const GONE: Option<Standing> = Some(Standing {
        version: 4,
        deleted: true,
    });

    #[test]
    fn a_change_made_on_the_current_version_is_taken() {
        assert_eq!(judge(Update, Some(3), LIVE), Judgement::Replace);
        assert_eq!(judge(Delete, Some(3), LIVE), Judgement::Remove);
        assert_eq!(judge(Create, Some(0), None), Judgement::Insert);
        assert_eq!(judge(Update, Some(9), None), Judgement::Insert);
    }

    #[test]
    fn a_change_made_on_another_version_is_a_conflict() {
        for operation in [Create, Update, Delete] {
            assert_eq!(judge(operation, Some(2), LIVE), Judgement::Conflict);
        }
        assert_eq!(judge(Update, Some(3), GONE), Judgement::Conflict);
    }

    #[test]
    fn without_a_base_version_the_last_writer_wins() {
        assert_eq!(judge(Update, None, LIVE), Judgement::Replace);
        assert_eq!(judge(Update, None, GONE), Judgement::Replace);
        assert_eq!(judge(Delete, None, LIVE), Judgement::Remove);
    }

    #[test]
    fn a_delete_of_what_is_gone_is_a_success_and_a_create_brings_it_back() {
        assert_eq!(judge(Delete, Some(1), GONE), Judgement::Nothing);
        assert_eq!(judge(Delete, Some(1), None), Judgement::Nothing);
        assert_eq!(judge(Create, Some(0), GONE), Judgement::Replace);
    }
}
