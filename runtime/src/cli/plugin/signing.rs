//! `selaras plugin keygen`, `sign` and `verify`: keys and signatures of components.

use crate::clock::{Clock, SystemClock};
use crate::plugin::signature::{PublicKey, SecretKey, Signed, sign as signed_file, signed};
use anyhow::{Context, bail};
use selaras_core::stamp::Millis;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

/// Makes a key: the secret half goes to a new file that its owner alone may read, the public one to standard output.
///
/// # Errors
/// When the file is there already or cannot be written.
pub fn keygen(file: &Path) -> anyhow::Result<ExitCode> {
    let mut seed = [0; 32];
    SystemClock::new().fill(&mut seed);
    let key = SecretKey::of_seed(seed);
    let mut options = OpenOptions::new();
    let mut written = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("{} cannot be made: a key is never replaced", file.display()))?;
    writeln!(written, "{}", key.expose())
        .and_then(|()| written.sync_all())
        .with_context(|| format!("{} cannot be written", file.display()))?;
    println!("{}", key.public());
    Ok(ExitCode::SUCCESS)
}

/// Signs a component, in its own file or another. An earlier signature is replaced.
///
/// # Errors
/// When a file cannot be read or written, or is no component or key.
pub fn sign(file: &Path, key: &Path, out: Option<&Path>) -> anyhow::Result<ExitCode> {
    let text = fs::read_to_string(key).with_context(|| format!("{} cannot be read", key.display()))?;
    let key: SecretKey = text
        .parse()
        .with_context(|| format!("{} holds no key", key.display()))?;
    let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let now = u64::try_from(SystemClock::new().wall_ms()).context("this machine's clock is before 1970")?;
    let with_signature =
        signed_file(&bytes, &key, now).with_context(|| format!("{} cannot be signed", file.display()))?;
    let out = out.unwrap_or(file);
    // Whole or not at all: a folder that is watched may hold it.
    let mut name = out.file_name().context("a file to write to")?.to_owned();
    name.push(".signing");
    let beside = out.with_file_name(name);
    fs::write(&beside, with_signature)
        .and_then(|()| fs::rename(&beside, out))
        .with_context(|| format!("{} cannot be written", out.display()))?;
    println!("signed by {}", key.public());
    Ok(ExitCode::SUCCESS)
}

/// Says who signed a component and when. Exit code 1 when it was not the owner of `key`.
///
/// # Errors
/// When the file cannot be read, or the key is none.
pub fn verify(file: &Path, key: &str) -> anyhow::Result<ExitCode> {
    let wanted: PublicKey = match key.parse() {
        Ok(key) => key,
        Err(error) if Path::new(key).is_file() => fs::read_to_string(key)
            .with_context(|| format!("{key} cannot be read"))?
            .parse()
            .with_context(|| format!("{key} holds no public key: {error}"))?,
        Err(error) => bail!("{key}: {error}"),
    };
    let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    match signed(&bytes) {
        Ok(Some(Signed { by, at_ms })) if by == wanted => {
            let at = i64::try_from(at_ms).map(|at| Millis(at).to_rfc3339());
            println!(
                "signed by {by} at {}",
                at.unwrap_or_else(|_| "an unknown time".to_owned())
            );
            Ok(ExitCode::SUCCESS)
        }
        Ok(Some(Signed { by, .. })) => refused(&format!("it is signed by {by}")),
        Ok(None) => refused("it is not signed"),
        Err(error) => refused(&error.to_string()),
    }
}

fn refused(why: &str) -> anyhow::Result<ExitCode> {
    println!("refused: {why}");
    Ok(ExitCode::FAILURE)
}
