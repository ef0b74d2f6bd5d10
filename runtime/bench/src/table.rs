//! The table: one line a figure, with what it is compared to. It measures nothing.

use std::fmt;

/// Which way an aim lies.
#[derive(Clone, Copy, Debug)]
pub enum Aim {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

struct Line {
    what: String,
    figure: String,
    aim: String,
}

/// Figures in the order they were measured.
pub struct Table {
    title: String,
    lines: Vec<Line>,
}

impl Table {
    /// An empty one.
    pub fn new(quick: bool) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let quick = if quick { ", quick: small counts" } else { "" };
        let load = load();
        Self {
            title: format!("selaras bench · {cores} cores, load at the start {load}{quick}"),
            lines: Vec::new(),
        }
    }

    /// A headline over the lines that follow.
    pub fn section(&mut self, name: &str) {
        eprintln!("measuring: {name}");
        self.lines.push(Line {
            what: format!("\n{name} (load {})", load()),
            figure: String::new(),
            aim: String::new(),
        });
    }

    /// A figure for comparison.
    pub fn told(&mut self, what: impl Into<String>, figure: impl Into<String>) {
        self.lines.push(Line {
            what: format!("  {}", what.into()),
            figure: figure.into(),
            aim: String::new(),
        });
    }

    /// A figure that has an aim: `value` is what the aim speaks of, in `unit`.
    pub fn aimed(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        value: f64,
        aim: Aim,
        unit: &str,
    ) {
        let aim = match aim {
            Aim::AtLeast(least) => verdict(value >= least, &format!("≥ {} {unit}", plain(least))),
            Aim::AtMost(most) => verdict(value <= most, &format!("≤ {} {unit}", plain(most))),
        };
        self.lines.push(Line {
            what: format!("  {}", what.into()),
            figure: figure.into(),
            aim,
        });
    }
}

/// How many want a core at this moment.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("?").to_owned()
}

fn verdict(met: bool, aim: &str) -> String {
    format!("{} {}", if met { "✓" } else { "✗" }, aim.trim_end())
}

/// A number as people read it: `15,000`, `0.45`.
pub fn plain(number: f64) -> String {
    if number < 10.0 {
        return format!("{number:.2}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The value that `part` of a thousand are not above. Sorts.
pub fn quantile(values: &mut [u64], part: usize) -> u64 {
    values.sort_unstable();
    let at = (values.len() * part / 1000).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(0)
}

/// How many a second.
pub fn rate(count: usize, us: u64) -> f64 {
    count as f64 * 1e6 / us.max(1) as f64
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |text: &str| text.chars().count();
        let widest = |of: fn(&Line) -> &str| self.lines.iter().map(|line| width(of(line))).max().unwrap_or(0);
        let (what, figure) = (widest(|line| &line.what), widest(|line| &line.figure));
        writeln!(f, "\n{}", self.title)?;
        for line in &self.lines {
            let text = format!("{:<what$}  {:<figure$}  {}", line.what, line.figure, line.aim);
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}
