//! The query of a request. Parameters that nobody asks for are ignored.

use super::cursor::{ListKind, decode};
use crate::engine::api::PageRequest;
use crate::http::ApiError;
use axum::extract::Query;
use http::Uri;
use std::fmt::Write as _;

/// The contract's limits of a page.
const MAX_LIMIT: usize = 500;
const DEFAULT_LIMIT: usize = 50;

/// Decoded parameters; the last of equal names counts, an empty value is none.
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads the query. 400 where its percent-encoding is broken.
    pub(crate) fn of(uri: &Uri) -> Result<Self, ApiError> {
        match Query::<Vec<(String, String)>>::try_from_uri(uri) {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(error) => {
                let problem = "must be name=value pairs in percent-encoded UTF-8";
                Err(
                    ApiError::bad_request("invalid_query", format!("the query {problem}"))
                        .detail("query", problem)
                        .cause(error.to_string()),
                )
            }
        }
    }

    /// A parameter's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(given, _)| given == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A whole number from `min` to `max`. 422 where it is none.
    pub(crate) fn number(&self, name: &str, min: u64, max: u64) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => Err(ApiError::invalid(
                name,
                format!("must be a whole number from {min} to {max}"),
            )),
        }
    }

    /// `true` or `false`. 422 where it is neither.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        Ok(self
            .one_of(
                name,
                &[("true", true), ("1", true), ("false", false), ("0", false)],
            )?
            .unwrap_or(false))
    }

    /// One of these words. 422 that lists them where it is another.
    pub(crate) fn one_of<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, ApiError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*meant));
        }
        let mut problem = String::from("must be one of");
        for (word, _) in words {
            // Writing to a String cannot fail.
            let _ = write!(problem, " {word}");
        }
        Err(ApiError::invalid(name, problem))
    }

    /// `limit` and `cursor`.
    pub(crate) fn page(&self, list: ListKind) -> Result<PageRequest, ApiError> {
        Ok(PageRequest {
            limit: self.limit()?,
            after: self.get("cursor").map(|c| decode(list, c)).transpose()?,
        })
    }

    /// `limit`.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        let limit = self.number("limit", 1, MAX_LIMIT as u64)?;
        Ok(limit
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(DEFAULT_LIMIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params::of(&format!("/x?{query}").parse().unwrap()).unwrap()
    }

    #[test]
    fn a_limit_is_one_to_five_hundred_and_fifty_by_default() {
        assert_eq!(params("").limit().unwrap(), 50);
        assert_eq!(params("limit=500").limit().unwrap(), 500);
        for bad in [
            "limit=0",
            "limit=501",
            "limit=-1",
            "limit=ten",
            "limit=99999999999999999999",
        ] {
            let error = params(bad).limit().unwrap_err();
            assert_eq!(
                (error.status().as_u16(), error.details()[0].field.as_str()),
                (422, "limit"),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_unknown_word_is_refused_with_the_known_ones() {
        let error = params("status=done")
            .one_of("status", &[("open", 1), ("resolved", 2)])
            .unwrap_err();
        assert_eq!(error.details()[0].problem, "must be one of open resolved");
    }

    #[test]
    fn values_are_decoded_and_the_last_of_equal_names_counts() {
        let params = params("a=1&a=x%20y%2B+z&b=");
        assert_eq!(params.get("a"), Some("x y+ z"));
        assert_eq!(params.get("b"), None);
    }

    #[test]
    fn a_cursor_that_no_list_gave_out_is_400() {
        let error = params("cursor=garbage").page(ListKind::Queue).unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (400, "invalid_cursor"));
    }
}
