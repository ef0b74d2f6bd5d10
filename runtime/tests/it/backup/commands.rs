//! The commands as processes, with the environment of an outlet.

use crate::outlet::Setup;
use std::process::{Child, Command, Output, Stdio};

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Fails the test unless it ended like this.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// Starts it.
pub fn spawn(setup: &Setup, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_selaras"))
        .args(arguments)
        .env_clear()
        .envs(setup.variables())
        .current_dir(setup.dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

/// Runs it to its end.
pub fn selaras(setup: &Setup, arguments: &[&str]) -> Ran {
    let child = spawn(setup, arguments);
    child.wait_with_output().expect("it ends").into()
}

/// The same, while other tasks of the test go on.
pub async fn command(setup: &Setup, arguments: &[&str]) -> Ran {
    let child = spawn(setup, arguments);
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
    ended.await.expect("no panic").expect("it ends").into()
}
