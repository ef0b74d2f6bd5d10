//! What a plugin says of itself. Its name and version come from its `Cargo.toml` unless it says otherwise.

use crate::Attrs;

/// What a plugin says of itself. An empty name, version or description is filled in by the export macro from the
/// plugin's `Cargo.toml`; the name is then the crate's with underscores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    /// The name admins bind, such as `cloud_wins`.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// One sentence for the list of plugins.
    pub description: String,
    /// Entity types it is made for; empty: any.
    pub entity_types: Vec<String>,
    /// E.g. `settings-schema`: a JSON Schema of the settings it takes.
    pub attrs: Attrs,
}

impl Info {
    /// The same, with the JSON Schema of the settings the plugin takes.
    #[must_use]
    pub fn with_settings_schema(mut self, schema: impl Into<String>) -> Self {
        self.attrs.push(("settings-schema".into(), schema.into()));
        self
    }

    #[doc(hidden)]
    pub fn or_package(mut self, name: &str, version: &str, description: &str) -> Self {
        let fill = |field: &mut String, text: &str| {
            if field.is_empty() {
                field.push_str(text);
            }
        };
        fill(&mut self.name, name);
        fill(&mut self.version, version);
        fill(&mut self.description, description);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_fills_in_only_what_the_plugin_left_open() {
        let info = Info {
            name: "own".into(),
            ..Info::default()
        }
        .or_package("crate", "1.2.3", "does it");
        assert_eq!(
            (
                info.name.as_str(),
                info.version.as_str(),
                info.description.as_str()
            ),
            ("own", "1.2.3", "does it")
        );
    }
}
