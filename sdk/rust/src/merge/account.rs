//! What a merge took from where, in words that an admin understands.

use super::rules::Wins;

/// Names told of each kind; the rest is a number.
const MOST_NAMES: usize = 8;
/// Characters of a name that are told.
const MOST_CHARACTERS: usize = 60;

/// Collected while merging.
#[derive(Debug, Default)]
pub(super) struct Account {
    only_local: Names,
    only_cloud: Names,
    won_by_local: Names,
    won_by_cloud: Names,
    counted: Names,
    open: Names,
    uncountable: Names,
}

#[derive(Debug, Default)]
struct Names {
    told: Vec<String>,
    count: usize,
}

impl Names {
    fn add(&mut self, name: &str) {
        self.count += 1;
        if self.told.len() < MOST_NAMES {
            let cut = name
                .char_indices()
                .nth(MOST_CHARACTERS)
                .map_or(name.len(), |(at, _)| at);
            self.told.push(name[..cut].to_owned());
        }
    }

    /// `price, stock and 3 more`
    fn list(&self, out: &mut String) {
        for (at, name) in self.told.iter().enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            out.push_str(name);
        }
        let more = self.count - self.told.len();
        if more > 0 {
            out.push_str(" and ");
            out.push_str(&more.to_string());
            out.push_str(" more");
        }
    }
}

impl Account {
    /// Only the outlet changed it.
    pub(super) fn only_local(&mut self, name: &str) {
        self.only_local.add(name);
    }

    /// Only the cloud changed it.
    pub(super) fn only_cloud(&mut self, name: &str) {
        self.only_cloud.add(name);
    }

    /// Both changed it, and the rule says whose stands.
    pub(super) fn contested(&mut self, name: &str, wins: Wins) {
        match wins {
            Wins::Local => self.won_by_local.add(name),
            Wins::Cloud => self.won_by_cloud.add(name),
            Wins::Newest | Wins::Defer => self.open.add(name),
        }
    }

    /// Both added to it.
    pub(super) fn counted(&mut self, name: &str) {
        self.counted.add(name);
    }

    /// A counter that both changed, without a number to count from.
    pub(super) fn uncountable(&mut self, name: &str) {
        self.uncountable.add(name);
    }

    /// Whether something is left to a person.
    pub(super) fn is_open(&self) -> bool {
        self.open.count + self.uncountable.count > 0
    }

    /// What is left to a person.
    pub(super) fn why_open(&self) -> String {
        sentences(&[
            (
                "Both sides changed what the settings leave to a person: ",
                &self.open,
                ".",
            ),
            (
                "Both sides changed a counter, and there is no number that both counted from: ",
                &self.uncountable,
                ".",
            ),
        ])
    }

    /// What came from where.
    pub(super) fn words(&self) -> String {
        let words = sentences(&[
            (
                "Both sides counted ",
                &self.counted,
                ": the differences are added up.",
            ),
            ("Both sides changed ", &self.won_by_cloud, ": the cloud's stands."),
            (
                "Both sides changed ",
                &self.won_by_local,
                ": the outlet's stands.",
            ),
            ("Only the outlet changed ", &self.only_local, "."),
            ("Only the cloud changed ", &self.only_cloud, "."),
        ]);
        if words.is_empty() {
            return "Both sides say the same.".to_owned();
        }
        words
    }
}

fn sentences(parts: &[(&str, &Names, &str)]) -> String {
    let mut out = String::new();
    for (before, names, after) in parts.iter().filter(|(_, names, _)| names.count > 0) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(before);
        names.list(&mut out);
        out.push_str(after);
    }
    out
}
