//! The account of what happened: short aligned lines, printed as it happens.

use std::time::Duration;

/// Prints the lines.
#[derive(Debug)]
pub struct Report;

impl Report {
    /// A line under a heading.
    pub fn line(&self, heading: &str, text: impl AsRef<str>) {
        println!("{heading:<10} {}", text.as_ref());
    }

    /// A further line under the same heading.
    pub fn more(&self, text: impl AsRef<str>) {
        self.line("", text);
    }
}

/// `1815` as `1,815`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A duration for people: `0.42 s`, or `35 ms`.
pub fn duration(time: Duration) -> String {
    if time < Duration::from_millis(100) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_in_threes() {
        assert_eq!(
            [grouped(7), grouped(1815), grouped(1_234_567)],
            ["7", "1,815", "1,234,567"]
        );
    }
}
