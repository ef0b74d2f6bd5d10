//! Reads a binding's settings. Every wrong shape is an `invalid-settings` error that names the field; nothing is guessed.

use crate::{Error, Object, Value};

/// The settings an admin gave a binding: a JSON object.
#[derive(Debug, Clone)]
pub struct Settings<'a> {
    object: Object<'a>,
}

impl<'a> Settings<'a> {
    /// Settings from their JSON text; empty text means no settings.
    ///
    /// # Errors
    /// `invalid-settings` when the text is not a JSON object.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        let text = if text.trim().is_empty() { "{}" } else { text };
        match Object::parse(text) {
            Ok(object) => Ok(Self { object }),
            Err(error) => Err(Error::new("invalid-settings", error.to_string())),
        }
    }

    /// The setting as it stands; none when absent or `null`.
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Refuses settings that the plugin does not know, so that a misspelt one is not silently without effect.
    ///
    /// # Errors
    /// `invalid-settings` naming the first unknown setting.
    pub fn allow_only(&self, known: &[&str]) -> Result<(), Error> {
        match self.object.iter().find(|(name, _)| !known.contains(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let mut message = String::from("there is no such setting; known are: ");
                message.push_str(&known.join(", "));
                Err(Error::new("invalid-settings", message).field(name))
            }
        }
    }

    /// A text.
    ///
    /// # Errors
    /// `invalid-settings` when it is something else.
    pub fn string(&self, name: &str) -> Result<Option<String>, Error> {
        self.read(name, "must be a text", |value| value.as_str().map(Into::into))
    }

    /// A yes or no.
    ///
    /// # Errors
    /// `invalid-settings` when it is something else.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        self.read(name, "must be true or false", |value| value.as_bool())
    }

    /// A whole number.
    ///
    /// # Errors
    /// `invalid-settings` when it is something else.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Error> {
        self.read(name, "must be a whole number", |value| {
            value
                .as_number()
                .and_then(|number| number.scaled(0).ok())
                .and_then(|whole| i64::try_from(whole).ok())
        })
    }

    /// A list of texts; empty when absent.
    ///
    /// # Errors
    /// `invalid-settings` when it is something else.
    pub fn strings(&self, name: &str) -> Result<Vec<String>, Error> {
        let list = self.read(name, "must be a list of texts", |value| {
            value
                .as_array()?
                .into_iter()
                .map(|item| item.as_str().map(Into::into))
                .collect()
        })?;
        Ok(list.unwrap_or_default())
    }

    /// An object of texts, in its order; empty when absent.
    ///
    /// # Errors
    /// `invalid-settings` when it is something else.
    pub fn string_pairs(&self, name: &str) -> Result<Vec<(String, String)>, Error> {
        let pairs = self.read(name, "must be an object of texts", |value| {
            value
                .as_object()?
                .iter()
                .map(|(key, item)| Some((key.to_owned(), item.as_str()?.into_owned())))
                .collect()
        })?;
        Ok(pairs.unwrap_or_default())
    }

    fn read<T>(
        &self,
        name: &str,
        problem: &str,
        read: impl FnOnce(Value<'_>) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(found) => Ok(Some(found)),
                None => Err(Error::new("invalid-settings", problem).field(name)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_by_their_type_and_absent_ones_are_none() {
        let text = r#"{"digits":2,"on":true,"name":"n","list":["a","b"],"map":{"x":"y","a":"b"},"off":null}"#;
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.integer("digits").unwrap(), Some(2));
        assert_eq!(settings.flag("on").unwrap(), Some(true));
        assert_eq!(settings.string("name").unwrap().as_deref(), Some("n"));
        assert_eq!(settings.strings("list").unwrap(), ["a", "b"]);
        assert_eq!(
            settings.string_pairs("map").unwrap(),
            [("x".into(), "y".into()), ("a".into(), "b".into())]
        );
        assert_eq!(settings.flag("off").unwrap(), None);
        assert_eq!(settings.strings("nothing").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_setting_of_the_wrong_type_is_refused_by_name() {
        let settings =
            Settings::parse(r#"{"digits":1.5,"list":["a",1],"map":{"a":1},"on":"yes","name":3}"#).unwrap();
        let errors = [
            settings.integer("digits").unwrap_err(),
            settings.strings("list").unwrap_err(),
            settings.string_pairs("map").unwrap_err(),
            settings.flag("on").unwrap_err(),
            settings.string("name").unwrap_err(),
        ];
        let fields: Vec<_> = errors
            .iter()
            .map(|error| error.field.as_deref().unwrap())
            .collect();
        assert_eq!(fields, ["digits", "list", "map", "on", "name"]);
        assert!(errors
            .iter()
            .all(|error| error.code == "invalid-settings" && !error.retryable));
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        let settings = Settings::parse(r#"{"price_field":["price"]}"#).unwrap();
        assert_eq!(
            settings
                .allow_only(&["price_fields"])
                .unwrap_err()
                .field
                .as_deref(),
            Some("price_field")
        );
        assert_eq!(settings.allow_only(&["price_field"]), Ok(()));
    }

    #[test]
    fn settings_that_are_no_object_are_refused_and_no_text_means_none() {
        assert_eq!(Settings::parse("[]").unwrap_err().code, "invalid-settings");
        assert!(Settings::parse("").unwrap().get("a").is_none());
    }
}
