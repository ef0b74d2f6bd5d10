//! `selaras status --watch`: the same every two seconds, in place in a terminal, a line each time elsewhere. Ctrl-C ends it.

use super::status::{Asker, shown};
use crate::config::Environment;
use anyhow::{Context, bail};
use serde_json::Value;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// What is shown first: a name, and where it is in the status.
const FIGURES: [(&str, &str); 8] = [
    ("online", "/online"),
    ("running", "/running"),
    ("pending", "/pending_count"),
    ("failed", "/failed_count"),
    ("conflicts", "/conflict_count"),
    ("parked", "/parked_count"),
    ("synced", "/total_synced"),
    ("last_sync", "/last_sync_at"),
];

/// What is shown when there is something to say.
const WORDS: [(&str, &str); 7] = [
    ("oldest_pending", "/oldest_pending_at"),
    ("next_run", "/next_run_at"),
    ("last_error", "/last_error"),
    ("store", "/store/state"),
    ("store_error", "/store/error"),
    ("free_bytes", "/store/free_bytes"),
    ("checkpoint", "/checkpoint"),
];

/// Asks until Ctrl-C or SIGTERM, then exit code 0. An outlet that goes away meanwhile is waited for.
///
/// # Errors
/// When no outlet answers at the beginning, or it refuses the login.
pub(super) async fn run(asker: &Asker, environment: &Environment, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut screen = Screen {
        in_place: io::stdout().is_terminal() && !as_json,
        as_json,
    };
    let watching = async {
        let mut token = None;
        let mut answered = false;
        loop {
            let looked = look(asker, environment, &mut token).await;
            let drawn = match looked {
                Ok(status) => {
                    answered = true;
                    screen.draw(&status)
                }
                Err(error) if !answered => return Err(error),
                Err(error) => {
                    // Its token may have ended, or it may be another outlet by now.
                    token = None;
                    screen.say(&format!("{error:#}; asking again"))
                }
            };
            // Who read it has closed the pipe.
            if drawn.is_err() {
                return Ok(());
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        ended = watching => ended?,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn look(asker: &Asker, environment: &Environment, token: &mut Option<String>) -> anyhow::Result<Value> {
    if token.is_none() {
        *token = asker.token(environment).await?;
    }
    let Some(token) = token else {
        bail!(
            "set SELARAS_TOKEN, or ADMIN_USERNAME and ADMIN_PASSWORD: where sync stands is not for everybody"
        );
    };
    asker.status(token).await
}

struct Screen {
    in_place: bool,
    as_json: bool,
}

impl Screen {
    fn draw(&mut self, status: &Value) -> io::Result<()> {
        let text = if self.as_json {
            format!("{status}\n")
        } else if self.in_place {
            page(status)
        } else {
            line(status)
        };
        self.put(&text)
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        if self.in_place {
            self.put(&format!("{text}\n"))
        } else {
            eprintln!("selaras: {text}");
            Ok(())
        }
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.in_place {
            // Home, and each line cleared to its end: nothing flickers. Then what an earlier page had below.
            let text = text.replace('\n', "\x1b[K\r\n");
            write!(out, "\x1b[H{text}\x1b[J")?;
        } else {
            out.write_all(text.as_bytes())?;
        }
        out.flush()
    }
}

/// Everything, a line each.
fn page(status: &Value) -> String {
    let outlet = shown(&status["outlet_code"]);
    let rows = FIGURES.iter().chain(&WORDS).filter_map(|(name, at)| {
        let value = status.pointer(at).filter(|value| !value.is_null())?;
        Some(format!("{name:<16} {}\n", shown(value)))
    });
    let problems = status["plugin_problems"].as_array().into_iter().flatten();
    let problems = problems.map(|one| {
        format!(
            "{:<16} {}: {}\n",
            "plugin",
            shown(&one["plugin"]),
            shown(&one["problem"])
        )
    });
    format!("outlet {outlet}, every {} s, Ctrl-C ends it\n\n", EVERY.as_secs())
        + &rows.chain(problems).collect::<String>()
}

/// The figures in one line.
fn line(status: &Value) -> String {
    let figures = FIGURES.iter().map(|(name, at)| {
        let value = status.pointer(at).filter(|value| !value.is_null());
        format!("{name}={}", value.map_or_else(|| "-".to_owned(), shown))
    });
    let error = status["last_error"]
        .as_str()
        .map(|_| format!("last_error={:?}", shown(&status["last_error"])));
    let words: Vec<String> = figures.chain(error).collect();
    words.join(" ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status() -> Value {
        json!({
            "outlet_code": "JKT-001", "online": true, "pending_count": 3, "failed_count": 0, "last_sync_at": null,
            "last_error": "no\x1b[2J line\n", "store": {"state": "open", "error": null},
            "plugin_problems": [{"plugin": "rule", "problem": "traps"}],
        })
    }

    #[test]
    fn a_line_has_every_figure_and_no_command_of_the_terminal() {
        let line = line(&status());
        assert!(
            line.starts_with("online=true running=- pending=3 failed=0"),
            "{line}"
        );
        assert!(line.ends_with("last_error=\"no [2J line \"\n"), "{line}");
    }

    #[test]
    fn a_page_shows_what_is_known_and_what_is_wrong() {
        let page = page(&status());
        assert!(
            page.contains("JKT-001") && page.contains("pending          3\n"),
            "{page}"
        );
        assert!(page.contains("plugin           rule: traps\n"), "{page}");
        assert!(!page.contains("last_sync") && !page.contains('\x1b'), "{page}");
    }
}
