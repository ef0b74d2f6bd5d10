//! The binding's settings, checked once for everything that would make a translation lose something on the way.

use selaras_sdk::{Error, Object, Settings};

/// The settings' JSON Schema, for who shows a form.
pub const SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"properties":{
"price_fields":{"type":"array","items":{"type":"string"},"uniqueItems":true,"description":"Fields that hold a price: whole minor units at the outlet, a decimal at the cloud"},
"minor_digits":{"type":"integer","minimum":0,"maximum":18,"default":2,"description":"Decimals of the currency"},
"rename":{"type":"object","additionalProperties":{"type":"string"},"description":"The outlet's field name to the cloud's"},
"private":{"type":"array","items":{"type":"string"},"uniqueItems":true,"description":"Fields that never leave the outlet"},
"reference_fields":{"type":"object","additionalProperties":{"type":"string"},"description":"Fields that hold the id of another entity, to that entity's type"}}}"#;

const KNOWN: [&str; 5] = [
    "price_fields",
    "minor_digits",
    "rename",
    "private",
    "reference_fields",
];
const MAX_MINOR_DIGITS: u32 = 18;

/// What to do with which field. Fields go by the outlet's names.
#[derive(Debug)]
pub struct Rules {
    pub prices: Vec<String>,
    pub minor_digits: u32,
    pub private: Vec<String>,
    /// A field and the type of the entity it names.
    pub references: Vec<(String, String)>,
    /// The outlet's name and the cloud's.
    rename: Vec<(String, String)>,
}

impl Rules {
    /// The rules an admin wrote.
    pub fn read(settings: &Settings<'_>) -> Result<Self, Error> {
        // A misspelt `price_fields` would send minor units as if they were whole: unknown settings are refused.
        settings.allow_only(&KNOWN)?;
        let minor_digits = match settings.integer("minor_digits")? {
            None => 2,
            Some(digits) => match u32::try_from(digits) {
                Ok(digits) if digits <= MAX_MINOR_DIGITS => digits,
                _ => return Err(invalid("minor_digits", "must be from 0 to 18")),
            },
        };
        let rules = Self {
            prices: settings.strings("price_fields")?,
            minor_digits,
            private: settings.strings("private")?,
            references: settings.string_pairs("reference_fields")?,
            rename: settings.string_pairs("rename")?,
        };
        rules.check()?;
        Ok(rules)
    }

    fn check(&self) -> Result<(), Error> {
        let targets: Vec<&str> = self.rename.iter().map(|(_, cloud)| cloud.as_str()).collect();
        if repeats(&targets) {
            return Err(invalid(
                "rename",
                "two fields would have the same name at the cloud",
            ));
        }
        let mut treated: Vec<&str> = self
            .prices
            .iter()
            .chain(&self.private)
            .map(String::as_str)
            .collect();
        treated.extend(self.references.iter().map(|(field, _)| field.as_str()));
        if repeats(&treated) {
            return Err(invalid(
                "price_fields",
                "a field may be listed once in price_fields, private and reference_fields",
            ));
        }
        if self
            .rename
            .iter()
            .any(|(outlet, _)| self.private.contains(outlet))
        {
            return Err(invalid(
                "private",
                "a private field has no name at the cloud: take it out of rename",
            ));
        }
        Ok(())
    }

    /// What the cloud calls a field of the outlet, where that differs.
    pub fn cloud_name(&self, outlet: &str) -> Option<&str> {
        self.rename
            .iter()
            .find(|pair| pair.0 == outlet)
            .map(|pair| pair.1.as_str())
    }

    /// What the outlet calls a field of the cloud, where that differs.
    pub fn outlet_name(&self, cloud: &str) -> Option<&str> {
        self.rename
            .iter()
            .find(|pair| pair.1 == cloud)
            .map(|pair| pair.0.as_str())
    }

    /// A field that would keep its name on the way to the cloud and get another on the way back.
    pub fn stray_at_outlet<'o>(&self, object: &'o Object<'_>) -> Option<&'o str> {
        let stray = |name: &str| self.cloud_name(name).is_none() && self.outlet_name(name).is_some();
        object.iter().map(|(name, _)| name).find(|name| stray(name))
    }

    /// A field that would keep its name on the way to the outlet and get another on the way back.
    pub fn stray_at_cloud<'o>(&self, object: &'o Object<'_>) -> Option<&'o str> {
        let stray = |name: &str| self.outlet_name(name).is_none() && self.cloud_name(name).is_some();
        object.iter().map(|(name, _)| name).find(|name| stray(name))
    }
}

fn repeats(names: &[&str]) -> bool {
    names
        .iter()
        .enumerate()
        .any(|(at, name)| names[..at].contains(name))
}

fn invalid(field: &str, problem: &str) -> Error {
    Error::new("invalid-settings", problem).field(field)
}
