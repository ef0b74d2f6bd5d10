//! Compiling by a child process: this program again, with limits on its memory, its time and what it may open.
//!
//! Both sides are here. The component goes in and the code comes out by memory files, so neither side waits for the
//! other, and what the child wrote is read only after it has ended. Nothing else of the child is believed.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};

use super::super::engine;
use super::super::error::{Refusal, RefusalCode};
use super::super::grants::Grants;
use super::super::output::printable;

/// What compiling one component may take.
struct Limits {
    /// Bytes that the process may have to write in.
    memory_bytes: u64,
    /// Seconds of computing, on all cores together. By the clock it may last twice as long: others want the cores, too.
    seconds: u64,
}

/// A Rust guest of 100 KB takes a thousandth of it.
const USUAL: Limits = Limits {
    memory_bytes: 512 << 20,
    seconds: 30,
};

/// With the `large` grant: Python inside a component, 18 MB, does not fit into the usual ones.
const LARGE: Limits = Limits {
    memory_bytes: 1 << 30,
    seconds: 120,
};
/// A larger result is no plugin's code.
const CODE_BYTES: u64 = 256 << 20;
/// Files that the child may have open.
const FILES: u64 = 64;

/// How often the end is looked for.
const PAUSE: Duration = Duration::from_millis(2);
/// Bytes of the child's last words that are read.
const MAX_WORDS: u64 = 4 << 10;

/// The child's exit code when standard output is a refusal as JSON instead of code.
const REFUSED: u8 = 3;

/// Room for the compiler, whose recursion follows the component's nesting.
const STACK: usize = 8 << 20;

/// The code of `component`, made by a child of `program`.
///
/// # Errors
///
/// A refusal: the child's own, or which limit it ran into, or that it cannot be run.
pub(super) fn compile(
    program: &Path,
    pooled: bool,
    component: &[u8],
    grants: Grants,
) -> Result<Vec<u8>, Refusal> {
    let internal = |error: io::Error| {
        let message = format!("the compiler cannot be run in a process of its own: {error}");
        Refusal::new(RefusalCode::Internal, message)
    };
    let (mut code, mut words) = (
        memory_file("code").map_err(internal)?,
        memory_file("words").map_err(internal)?,
    );
    let mut input = memory_file("component").map_err(internal)?;
    input
        .write_all(component)
        .and_then(|()| input.rewind())
        .map_err(internal)?;
    let stdio = |file: &File| file.try_clone().map(Stdio::from).map_err(internal);
    let mut command = Command::new(program);
    command
        .args(["plugin-compile", "--parent"])
        .arg(std::process::id().to_string())
        .env_clear()
        .stdin(stdio(&input)?)
        .stdout(stdio(&code)?)
        .stderr(stdio(&words)?);
    let flags = [("--pooled", pooled), ("--large", grants.large)];
    command.args(flags.into_iter().filter_map(|(flag, set)| set.then_some(flag)));
    let limits = limits(grants.large);
    let status = run(&mut command, Duration::from_secs(2 * limits.seconds)).map_err(internal)?;
    let read = |file: &mut File, most: u64| {
        let mut bytes = Vec::new();
        file.rewind()?;
        file.take(most).read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    match status {
        Some(status) if status.success() => read(&mut code, CODE_BYTES).map_err(internal),
        Some(status) if status.code() == Some(REFUSED.into()) => {
            let said = read(&mut code, MAX_WORDS).map_err(internal)?;
            Err(serde_json::from_slice(&said).unwrap_or_else(|_| broke_off("its refusal cannot be read")))
        }
        Some(status) => Err(why(
            status,
            limits,
            &read(&mut words, MAX_WORDS).map_err(internal)?,
        )),
        None => Err(too_long(limits)),
    }
}

/// Runs it to its end; none: it was ended because its time was over.
fn run(command: &mut Command, at_most: Duration) -> io::Result<Option<ExitStatus>> {
    let mut child = command.spawn()?;
    let mut waited = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if waited > at_most {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

/// Why the child ended without an answer.
fn why(status: ExitStatus, limits: &Limits, words: &[u8]) -> Refusal {
    let words = printable(String::from_utf8_lossy(words).trim(), 512);
    let signal = status.signal().and_then(Signal::from_named_raw);
    // The words of Rust's own allocation failure; the limit makes a thread's stack fail the other way.
    let no_memory = [
        "memory allocation of",
        "Cannot allocate memory",
        "os error 12",
        "WouldBlock",
    ];
    match signal {
        Some(Signal::XCPU) => too_long(limits),
        Some(Signal::KILL) => broke_off("it was killed, most likely since the machine is out of memory"),
        Some(Signal::XFSZ) => over(format!("its code takes more than {} MiB", CODE_BYTES >> 20)),
        _ if no_memory.iter().any(|word| words.contains(word)) => over(format!(
            "compiling it takes more than {} MiB of memory",
            limits.memory_bytes >> 20
        )),
        _ if words.is_empty() => broke_off(&status.to_string()),
        _ => broke_off(&format!("{status}: {words}")),
    }
}

fn over(what: String) -> Refusal {
    Refusal::new(RefusalCode::CompileFailed, what)
}

fn limits(large: bool) -> &'static Limits {
    if large { &LARGE } else { &USUAL }
}

fn too_long(limits: &Limits) -> Refusal {
    over(format!("compiling it takes more than {} s", limits.seconds))
}

fn broke_off(how: &str) -> Refusal {
    over(format!("the compiler broke off on this component: {how}"))
}

fn memory_file(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

/// The child's side: limits this process, compiles what standard input holds, and writes the code, or a
/// refusal and an exit code that says so, to standard output. For a process that has not done anything else yet.
#[must_use]
pub fn answer(pooled: bool, large: bool) -> ExitCode {
    let compiled = confine(limits(large)).map_err(|error| {
        let message = format!("the compiler's process cannot be limited: {error}");
        Refusal::new(RefusalCode::Internal, message)
    });
    let outcome = compiled.and_then(|()| {
        // A thread: the first one's stack may be smaller than a compiler wants.
        let compiler = thread::Builder::new()
            .name("plugin-compiler".into())
            .stack_size(STACK)
            .spawn(move || from_stdin(pooled));
        let joined = compiler.map(thread::JoinHandle::join);
        match joined {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(broke_off("its thread panicked")),
            Err(error) => Err(broke_off(&format!("it has no thread: {error}"))),
        }
    });
    let (bytes, code) = match outcome {
        Ok(code) => (code, ExitCode::SUCCESS),
        Err(refusal) => {
            let said = serde_json::to_vec(&refusal).expect("invariant: a refusal is plain data");
            (said, ExitCode::from(REFUSED))
        }
    };
    match io::stdout()
        .lock()
        .write_all(&bytes)
        .and_then(|()| io::stdout().flush())
    {
        Ok(()) => code,
        Err(error) => {
            eprintln!("the code cannot be handed over: {error}");
            ExitCode::FAILURE
        }
    }
}

fn from_stdin(pooled: bool) -> Result<Vec<u8>, Refusal> {
    let internal = |message: String| Refusal::new(RefusalCode::Internal, message);
    let mut component = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut component)
        .map_err(|error| internal(format!("the component cannot be read: {error}")))?;
    let engine = engine::compiler(pooled).map_err(|error| internal(error.to_string()))?;
    super::compile(&engine, &component)
}

/// From here on this process gets no more than compiling a plugin may take, and leaves nothing behind when it dies.
fn confine(limits: &Limits) -> io::Result<()> {
    let limit = |resource, most: u64| {
        let limit = Rlimit {
            current: Some(most),
            // Above the lower one, so that running out of time is told apart from being killed.
            maximum: Some(most + 1),
        };
        setrlimit(resource, limit).map_err(io::Error::from)
    };
    limit(Resource::Core, 0)?;
    limit(Resource::Data, limits.memory_bytes)?;
    limit(Resource::Cpu, limits.seconds)?;
    limit(Resource::Fsize, CODE_BYTES)?;
    limit(Resource::Nofile, FILES)
}
