//! What must not be seen: a secret is shown by nothing, is compared in constant time, and its memory is wiped when it goes.

use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// A secret: text, or bytes. It has no `Display` and no serde traits; what is in it comes out by [`Secret::expose`] alone, so that
/// every place where it leaves can be found by that word.
#[derive(Clone, Default)]
pub struct Secret<T: Zeroize = String>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Takes a secret in. Copies made before are the caller's.
    pub fn of(secret: T) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The secret itself, for the one place that uses it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret {
    /// Takes a secret text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self::of(text.into())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().ct_eq((*other.0).as_ref()).into()
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_is_shown() {
        let text = Secret::new("hunter2 and more");
        let bytes = Secret::of(*b"hunter2 and more");
        let shown = format!("{text:?} {text:#?} {bytes:?} {:?}", Some(&text));
        assert_eq!(shown, "Secret(…) Secret(…) Secret(…) Some(Secret(…))");
    }

    #[test]
    fn a_panic_over_a_value_that_holds_it_shows_nothing() {
        let fails = |secret: &str| -> Result<(), Secret> { Err(Secret::new(secret)) };
        let caught = std::panic::catch_unwind(|| fails("hunter2 and more").unwrap());
        let message = caught.unwrap_err().downcast::<String>().unwrap();
        assert!(
            message.contains("Secret(…)") && !message.contains("hunter2"),
            "{message}"
        );
    }

    #[test]
    fn it_is_equal_to_the_same_only() {
        assert_eq!(Secret::new("a secret"), Secret::new("a secret"));
        assert_ne!(Secret::new("a secret"), Secret::new("a secreT"));
        assert_ne!(Secret::new("a secret"), Secret::new("a secret "));
        assert!(Secret::new("").is_empty() && !Secret::new("a").is_empty());
    }
}
