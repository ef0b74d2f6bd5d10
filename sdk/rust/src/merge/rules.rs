//! The settings of a merge by field. Whatever is misspelt is refused by name: nothing is guessed.

use crate::{Error, Settings};

/// The JSON Schema of the settings that [`Rules::read`] takes.
pub const SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"properties":{
"default":{"enum":["cloud","local","newest","defer"],"default":"newest","description":"Whose value stands where both sides changed a field differently; defer: a person decides the whole conflict"},
"fields":{"type":"object","additionalProperties":{"enum":["cloud","local","newest","defer"]},"description":"The same for single fields and what is in them, by path: price, stock.qty, lines.note"},
"arrays":{"type":"object","additionalProperties":{"type":"string"},"description":"Arrays that are merged element by element: their path, to the member that elements are known by"},
"deletes":{"enum":["cloud","local","newest","defer"],"default":"defer","description":"Whose side stands where one deleted what the other changed"}}}"#;

const KNOWN: [&str; 4] = ["default", "fields", "arrays", "deletes"];

/// Whose value stands where both sides changed it differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wins {
    /// The cloud's.
    Cloud,
    /// The outlet's.
    Local,
    /// That of the document that was changed last; a tie or a missing stamp goes to the cloud.
    Newest,
    /// Nobody's: a person decides the conflict.
    Defer,
}

impl Wins {
    const WORDS: [(&'static str, Wins); 4] = [
        ("cloud", Wins::Cloud),
        ("local", Wins::Local),
        ("newest", Wins::Newest),
        ("defer", Wins::Defer),
    ];

    /// The word of a setting.
    ///
    /// # Errors
    /// `invalid-settings` naming `field`.
    pub fn read(word: &str, field: &str) -> Result<Self, Error> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        match found {
            Some((_, wins)) => Ok(*wins),
            None => Err(invalid(field, "must be one of cloud, local, newest, defer")),
        }
    }
}

/// How a merge by field decides what both sides changed.
///
/// A path is the names from the top, joined by dots: `stock.qty`. A field within an element of an array is
/// `lines.note`, whichever element it is in. A rule of a path holds for everything below it that has none of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    default: Wins,
    deletes: Wins,
    fields: Vec<(String, Wins)>,
    arrays: Vec<(String, String)>,
    counters: Vec<String>,
}

impl Default for Rules {
    /// The newest document's value stands; a delete against a change waits for a person; arrays are values.
    fn default() -> Self {
        Self {
            default: Wins::Newest,
            deletes: Wins::Defer,
            fields: Vec::new(),
            arrays: Vec::new(),
            counters: Vec::new(),
        }
    }
}

impl Rules {
    /// The rules that an admin wrote: see [`SCHEMA`].
    ///
    /// # Errors
    /// `invalid-settings` naming the setting.
    pub fn read(settings: &Settings<'_>) -> Result<Self, Error> {
        settings.allow_only(&KNOWN)?;
        let mut rules = Self::default();
        if let Some(word) = settings.string("default")? {
            rules.default = Wins::read(&word, "default")?;
        }
        if let Some(word) = settings.string("deletes")? {
            rules.deletes = Wins::read(&word, "deletes")?;
        }
        for (path, word) in settings.string_pairs("fields")? {
            check_path(&path, "fields")?;
            let wins = Wins::read(&word, &below("fields", &path))?;
            rules.fields.push((path, wins));
        }
        for (path, member) in settings.string_pairs("arrays")? {
            check_path(&path, "arrays")?;
            if member.is_empty() {
                return Err(invalid(
                    &below("arrays", &path),
                    "must name a member of the elements",
                ));
            }
            rules.arrays.push((path, member));
        }
        Ok(rules)
    }

    /// The rules of one word: whose value stands.
    pub fn of(default: Wins) -> Self {
        Self {
            default,
            ..Self::default()
        }
    }

    /// The same, with the fields at these paths counted: both sides' differences are added to the base.
    #[must_use]
    pub fn with_counters(self, counters: Vec<String>) -> Self {
        Self { counters, ..self }
    }

    pub(super) fn deletes(&self) -> Wins {
        self.deletes
    }

    /// The rule of a field: of the longest path that leads to it.
    pub(super) fn of_field(&self, path: &str) -> Wins {
        let leading = self.fields.iter().filter(|(rule, _)| leads_to(rule, path));
        leading
            .max_by_key(|(rule, _)| rule.len())
            .map_or(self.default, |(_, wins)| *wins)
    }

    /// The member that the elements of an array are known by.
    pub(super) fn member_of(&self, path: &str) -> Option<&str> {
        let found = self.arrays.iter().find(|(array, _)| array == path);
        found.map(|(_, member)| member.as_str())
    }

    pub(super) fn is_counter(&self, path: &str) -> bool {
        self.counters.iter().any(|counter| counter == path)
    }

    /// Whether a counter lies within what this path names.
    pub(super) fn counts_below(&self, path: &str) -> bool {
        self.counters
            .iter()
            .any(|counter| counter != path && leads_to(path, counter))
    }
}

/// Whether `path` is `rule` or lies below it.
fn leads_to(rule: &str, path: &str) -> bool {
    match path.strip_prefix(rule) {
        Some(rest) => rest.is_empty() || rest.starts_with('.'),
        None => false,
    }
}

fn check_path(path: &str, setting: &str) -> Result<(), Error> {
    if path.split('.').any(str::is_empty) {
        return Err(invalid(
            setting,
            "a path is names joined by dots, such as stock.qty",
        ));
    }
    Ok(())
}

fn below(setting: &str, path: &str) -> String {
    [setting, ".", path].concat()
}

fn invalid(field: &str, problem: &str) -> Error {
    Error::new("invalid-settings", problem).field(field)
}
