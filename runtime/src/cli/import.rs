//! `selaras import`: lines of JSON as an app's changes, a batch at a time. Repeated after an interruption it goes on
//! where it was.

use super::outlet::{Outlet, Stopped};
use super::progress;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::control::{Answer, Client, Command, MAX_FRAME_BYTES};
use crate::engine::api::Imported;
use crate::engine::{Import, MAX_BATCH_LINES};
use anyhow::{Context, bail};
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::ExitCode;

/// Bytes that make a batch, whatever its lines.
const BATCH_BYTES: usize = 1 << 20;
/// Longest line: the largest document there may be is 4 MiB.
const MAX_LINE_BYTES: usize = 8 << 20;
const _: () = assert!(BATCH_BYTES + MAX_LINE_BYTES <= MAX_FRAME_BYTES);

/// Imports `file`; `-` is standard input.
///
/// # Errors
/// When a line is wrong, or the outlet does not take it. What came before its batch stays taken in.
pub fn run(config: &Config, file: &Path, again: bool) -> anyhow::Result<ExitCode> {
    let shown = file.display();
    let (input, bar): (Box<dyn Read>, _) = if file == Path::new("-") {
        (Box::new(io::stdin()), progress::bytes_so_far("importing"))
    } else {
        let file = File::open(file).with_context(|| format!("{shown} cannot be read"))?;
        let bar = progress::of_bytes(file.metadata().map_or(0, |about| about.len()));
        (Box::new(file), bar)
    };
    let mut batches = Batches {
        input: BufReader::with_capacity(256 << 10, input),
        lines: 0,
    };
    let salt = if again {
        format!("{:016x}", SystemClock::new().random())
    } else {
        String::new()
    };
    let mut done = Imported::default();
    let outcome = match Outlet::find(config, true)? {
        Outlet::Running(mut client) => send(&mut client, salt, &mut batches, &mut done, &bar),
        Outlet::Stopped(stopped) => take_in(stopped, &salt, &mut batches, &mut done, &bar),
    };
    bar.finish_and_clear();
    let Imported {
        lines,
        taken,
        repeated,
    } = done;
    let known = if repeated > 0 {
        format!(
            ", {repeated} had been taken in by an earlier import of this file (--again takes them in again)"
        )
    } else {
        String::new()
    };
    println!("{taken} changes taken in{known}");
    outcome.with_context(|| {
        format!("the import ended after line {lines}; up to there everything is taken in. Import the file again to go on")
    })?;
    Ok(ExitCode::SUCCESS)
}

fn send(
    client: &mut Client,
    salt: String,
    batches: &mut Batches,
    done: &mut Imported,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    client.ask(&Command::Import { salt })?;
    while let Some(batch) = batches.next()? {
        client.data(&batch)?;
        match client.answer::<Imported>()? {
            Answer::Progress(json) => {
                *done = serde_json::from_slice(&json).context("the outlet does not say how far it is")?;
            }
            Answer::Data(_) | Answer::End(_) => bail!("the outlet ended the import early"),
        }
        bar.inc(batch.len() as u64);
    }
    client.no_more()?;
    match client.answer::<Imported>()? {
        Answer::End(end) => *done = end,
        Answer::Data(_) | Answer::Progress(_) => bail!("the outlet does not say how the import ended"),
    }
    Ok(())
}

fn take_in(
    Stopped { offline, runtime }: Stopped,
    salt: &str,
    batches: &mut Batches,
    done: &mut Imported,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut import = Import::new(salt);
    while let Some(batch) = batches.next()? {
        *done = runtime.block_on(offline.engine().import(&mut import, &batch))?;
        bar.inc(batch.len() as u64);
    }
    offline.close()
}

/// Whole lines, some at a time.
struct Batches {
    input: BufReader<Box<dyn Read>>,
    /// Read so far.
    lines: u64,
}

impl Batches {
    /// The next lines; none: that was all.
    fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut batch = Vec::new();
        for _ in 0..MAX_BATCH_LINES {
            let before = batch.len();
            let limit = MAX_LINE_BYTES as u64 + 1;
            let read = (&mut self.input).take(limit).read_until(b'\n', &mut batch);
            read.with_context(|| format!("line {} cannot be read", self.lines + 1))?;
            if batch.len() == before {
                break;
            }
            self.lines += 1;
            if batch.len() - before > MAX_LINE_BYTES {
                bail!("line {}: it is longer than {MAX_LINE_BYTES} bytes", self.lines);
            }
            if batch.len() >= BATCH_BYTES {
                break;
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(text: String) -> Batches {
        Batches {
            input: BufReader::new(Box::new(io::Cursor::new(text))),
            lines: 0,
        }
    }

    #[test]
    fn batches_are_whole_lines_and_together_the_file() {
        let text = format!("{}\n\nlast", "a line\n".repeat(1300));
        let mut batches = batches(text.clone());
        let mut together = Vec::new();
        let mut count = 0;
        while let Some(batch) = batches.next().unwrap() {
            assert!(batch.ends_with(b"\n") || batch.ends_with(b"last"));
            together.extend(batch);
            count += 1;
        }
        assert_eq!((together, count), (text.into_bytes(), 3));
    }

    #[test]
    fn a_line_without_end_is_named_and_not_read() {
        let text = format!("{{}}\n{}", "x".repeat(MAX_LINE_BYTES + 1));
        let error = batches(text).next().unwrap_err();
        assert!(error.to_string().starts_with("line 2: "), "{error}");
    }
}
