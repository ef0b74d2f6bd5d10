//! Progress for people: a bar on a terminal, nothing anywhere else.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// How often a bar without an end shows that it is alive.
const TICK: Duration = Duration::from_millis(200);

/// A bar over so many bytes.
pub fn of_bytes(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    bar.set_style(style("{bar:40} {bytes} of {total_bytes}  {bytes_per_sec}  {eta}"));
    bar
}

/// A count of bytes whose end is not known.
pub fn bytes_so_far(doing: &'static str) -> ProgressBar {
    so_far("{spinner} {msg} {bytes}", doing)
}

/// A count of entities whose end is not known.
pub fn entities_so_far(doing: &'static str) -> ProgressBar {
    so_far("{spinner} {msg} {human_pos} entities", doing)
}

/// Where nothing is to be shown, such as above lines on the same terminal.
pub fn hidden() -> ProgressBar {
    ProgressBar::hidden()
}

fn so_far(template: &str, doing: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_style(style(template));
    bar.set_message(doing);
    bar.enable_steady_tick(TICK);
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("invariant: the templates are checked by a test")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_has_a_template_that_can_be_read() {
        for bar in [of_bytes(1), bytes_so_far("x"), entities_so_far("x"), hidden()] {
            bar.finish_and_clear();
        }
    }
}
