//! An answer of the outlet, read as text: digits are digits.

use crate::harness::json_text::{at, elements, number_at, string_at};

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub text: String,
}

impl Reply {
    /// Fails the test unless the status is this one and the body is the contract's envelope for it.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        let success = at(&self.text, "success");
        if status < 400 {
            assert_eq!(success.as_deref(), Some("true"), "{}", self.text);
            assert!(
                self.string("message").is_some(),
                "a success without a message: {}",
                self.text
            );
        } else {
            assert_eq!(success.as_deref(), Some("false"), "{}", self.text);
            for field in ["error", "message", "request_id"] {
                assert!(
                    self.string(field).is_some_and(|t| !t.is_empty()),
                    "no {field}: {}",
                    self.text
                );
            }
        }
        self
    }

    /// The same, and the machine code.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        let reply = self.expect(status);
        assert_eq!(reply.string("error").as_deref(), Some(code), "{}", reply.text);
        reply
    }

    /// Fails the test unless a detail names this field.
    #[track_caller]
    pub fn names(self, field: &str) -> Self {
        let fields = self.named_fields();
        assert!(
            fields.iter().any(|f| f == field),
            "{field} is not named: {}",
            self.text
        );
        self
    }

    /// The fields that the details name.
    pub fn named_fields(&self) -> Vec<String> {
        let details = at(&self.text, "details")
            .map(|d| elements(&d))
            .unwrap_or_default();
        details.iter().filter_map(|d| string_at(d, "field")).collect()
    }

    /// A value by path, as written.
    pub fn raw(&self, path: &str) -> Option<String> {
        at(&self.text, path)
    }

    /// A string by path; none where it is no string.
    pub fn string(&self, path: &str) -> Option<String> {
        string_at(&self.text, path)
    }

    /// A string by path that must be there.
    #[track_caller]
    pub fn str(&self, path: &str) -> String {
        self.string(path)
            .unwrap_or_else(|| panic!("no string at {path}: {}", self.text))
    }

    /// A whole number by path that must be there.
    #[track_caller]
    pub fn num(&self, path: &str) -> i64 {
        number_at(&self.text, path).unwrap_or_else(|| panic!("no number at {path}: {}", self.text))
    }

    /// A truth value by path that must be there.
    #[track_caller]
    pub fn truth(&self, path: &str) -> bool {
        match self.raw(path).as_deref() {
            Some("true") => true,
            Some("false") => false,
            other => panic!("{other:?} at {path}: {}", self.text),
        }
    }

    /// The elements of `data`.
    #[track_caller]
    pub fn list(&self) -> Vec<String> {
        let data = self
            .raw("data")
            .unwrap_or_else(|| panic!("no data: {}", self.text));
        elements(&data)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}
