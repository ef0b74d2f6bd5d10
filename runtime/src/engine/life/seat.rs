//! What becomes of which version is in use: pure.

use super::rows::{HistoryRow, SeatRow, VersionRow};

impl HistoryRow {
    pub(super) fn from(self, seat: &SeatRow) -> Self {
        let from = seat
            .active
            .clone()
            .filter(|from| Some(from) != self.digest.as_ref());
        Self { from, ..self }
    }

    pub(super) fn because(self, why: Option<String>) -> Self {
        Self { why, ..self }
    }
}

impl SeatRow {
    /// Whether it needs this version.
    pub(super) fn names(&self, digest: &str) -> bool {
        [&self.active, &self.previous, &self.shadow]
            .iter()
            .any(|its| its.as_deref() == Some(digest))
    }

    /// With another active version. What was suspended is nothing to go back to.
    pub(super) fn with_active(&self, digest: &str, row: &VersionRow) -> Self {
        let was = match &self.suspended {
            None => self.active.clone(),
            Some(_) => None,
        };
        Self {
            previous: [was, self.previous.clone()]
                .into_iter()
                .flatten()
                .find(|was| was != digest),
            active: Some(digest.to_owned()),
            shadow: self.shadow.clone().filter(|shadow| shadow != digest),
            newest_signed: self.newest_signed.max(row.signed_at),
            suspended: None,
            trouble: None,
            fell_back: self.fell_back,
        }
    }

    /// Back at an earlier version, before which nothing is known.
    pub(super) fn gone_back(&self, previous: &str) -> Self {
        Self {
            active: Some(previous.to_owned()),
            previous: None,
            shadow: self.shadow.clone().filter(|shadow| shadow != previous),
            suspended: None,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::{Grants, Kind};
    use selaras_core::stamp::Millis;

    fn row(signed_at: Option<u64>) -> VersionRow {
        VersionRow {
            kind: Kind::Strategy,
            version: "1".to_owned(),
            description: String::new(),
            bytes: 1,
            grants: Grants::default(),
            signed_by: None,
            signed_at,
            by: "admin".to_owned(),
            at: Millis(0),
            file: None,
            ran: false,
        }
    }

    #[test]
    fn what_was_active_is_what_one_goes_back_to_and_before_that_nothing_is_known() {
        let seat = SeatRow::default()
            .with_active("a", &row(Some(2)))
            .with_active("b", &row(Some(1)));
        assert_eq!(
            (seat.active.as_deref(), seat.previous.as_deref()),
            (Some("b"), Some("a"))
        );
        assert_eq!(seat.newest_signed, Some(2), "what ran stays the measure");
        let again = seat.with_active("b", &row(None));
        assert_eq!(
            again.previous.as_deref(),
            Some("a"),
            "the same again changes nothing"
        );
        let back = seat.gone_back("a");
        assert_eq!((back.active.as_deref(), back.previous), (Some("a"), None));
    }

    #[test]
    fn what_was_suspended_is_nothing_to_go_back_to() {
        let seat = SeatRow {
            suspended: Some("it fails".to_owned()),
            ..SeatRow::default().with_active("a", &row(None))
        };
        let next = seat.with_active("b", &row(None));
        assert_eq!((next.previous, next.suspended), (None, None));
    }

    #[test]
    fn a_version_that_becomes_active_does_not_run_beside_itself() {
        let seat = SeatRow {
            shadow: Some("b".to_owned()),
            ..SeatRow::default().with_active("a", &row(None))
        };
        assert!(seat.names("b"));
        assert_eq!(seat.with_active("b", &row(None)).shadow, None);
        assert_eq!(seat.with_active("c", &row(None)).shadow.as_deref(), Some("b"));
    }
}
