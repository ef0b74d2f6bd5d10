//! WASI 0.2 that does nothing, for components made by toolchains that cannot do without it. Linked only for those that
//! were granted it by name.
//!
//! No arguments, no environment, no files, no network. Clocks say the call's time and stand still, so sleeping takes no
//! time; what is random follows from the question; what is printed goes to the log. The same question gets the same
//! answer, here as everywhere. What can only be called with something that nobody ever gets (a descriptor, a socket)
//! ends the call.

mod state;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType, Val,
};
use wasmtime::{Engine, StoreContextMut};

use super::guest::{Ended, Guest};
use super::values::Level;

pub(super) use self::state::{Inert, Seed};

/// The packages there is an inert form of. Never `http`.
const PACKAGES: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Bytes that one write of an output stream takes.
const WRITABLE: u64 = 64 << 10;

/// What the interface names; nothing is behind any of them but a number.
enum Pollable {}
enum IoError {}
enum Input {}
enum Output {}
enum Descriptor {}
enum Network {}
enum TerminalInput {}
enum TerminalOutput {}
/// A resource that is never made.
enum Nothing {}

/// `wasi:io/streams.stream-error`
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[allow(
        dead_code,
        reason = "the interface's shape: nothing here fails in a way of its own"
    )]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// `wasi:clocks/wall-clock.datetime`
#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

type Cx<'a> = StoreContextMut<'a, Guest>;
type Streamed<T> = wasmtime::Result<(Result<T, StreamError>,)>;

/// The interface of WASI 0.2 that an import names, without version; none: there is no inert form of it.
fn interface(import: &str) -> Option<&str> {
    let (name, version) = import.strip_prefix("wasi:")?.split_once('@')?;
    let (package, _) = name.split_once('/')?;
    (PACKAGES.contains(&package) && version.starts_with("0.2.")).then_some(name)
}

/// Whether the import is of a part of WASI that there is an inert form of.
pub(super) fn is_inert(import: &str) -> bool {
    interface(import).is_some()
}

/// Links what `component` imports of WASI, under the versions by which it asks.
pub(super) fn link(
    linker: &mut Linker<Guest>,
    engine: &Engine,
    component: &Component,
) -> wasmtime::Result<()> {
    for (import, item) in component.component_type().imports(engine) {
        let (Some(interface), ComponentItem::ComponentInstance(shape)) = (interface(import), item.ty) else {
            continue;
        };
        let mut instance = linker.instance(import)?;
        for (name, item) in shape.exports(engine) {
            match item.ty {
                ComponentItem::Resource(_) => resource(&mut instance, name)?,
                ComponentItem::ComponentFunc(_) => function(&mut instance, interface, name)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn resource(instance: &mut LinkerInstance<'_, Guest>, name: &str) -> wasmtime::Result<()> {
    let ty = match name {
        "pollable" => ResourceType::host::<Pollable>(),
        "error" => ResourceType::host::<IoError>(),
        "input-stream" => ResourceType::host::<Input>(),
        "output-stream" => ResourceType::host::<Output>(),
        "descriptor" => ResourceType::host::<Descriptor>(),
        "network" => ResourceType::host::<Network>(),
        "terminal-input" => ResourceType::host::<TerminalInput>(),
        "terminal-output" => ResourceType::host::<TerminalOutput>(),
        _ => ResourceType::host::<Nothing>(),
    };
    instance.resource(name, ty, |mut cx: Cx<'_>, _| {
        cx.data_mut().inert.give_back();
        Ok(())
    })
}

fn function(at: &mut LinkerInstance<'_, Guest>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match (interface, name) {
        ("cli/environment", "get-environment") => {
            at.func_wrap(name, |_: Cx<'_>, ()| Ok((Vec::<(String, String)>::new(),)))
        }
        ("cli/environment", "get-arguments") => {
            at.func_wrap(name, |_: Cx<'_>, ()| Ok((Vec::<String>::new(),)))
        }
        ("cli/environment", "initial-cwd") => at.func_wrap(name, |_: Cx<'_>, ()| Ok((None::<String>,))),
        ("cli/exit", _) => at.func_new(name, |_, _, _, _| Err(Ended("it exited".into()).into())),
        ("cli/stdin", "get-stdin") => at.func_wrap(name, |cx: Cx<'_>, ()| handle::<Input>(cx, 0)),
        ("cli/stdout", "get-stdout") => {
            at.func_wrap(name, |cx: Cx<'_>, ()| handle::<Output>(cx, Level::Info as u32))
        }
        ("cli/stderr", "get-stderr") => {
            at.func_wrap(name, |cx: Cx<'_>, ()| handle::<Output>(cx, Level::Warn as u32))
        }
        ("cli/terminal-stdin", "get-terminal-stdin") => {
            at.func_wrap(name, |_: Cx<'_>, ()| Ok((None::<Resource<TerminalInput>>,)))
        }
        ("cli/terminal-stdout", "get-terminal-stdout") | ("cli/terminal-stderr", "get-terminal-stderr") => {
            at.func_wrap(name, |_: Cx<'_>, ()| Ok((None::<Resource<TerminalOutput>>,)))
        }
        ("filesystem/preopens", "get-directories") => at.func_wrap(name, |_: Cx<'_>, ()| {
            Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
        }),
        ("sockets/instance-network", "instance-network") => {
            at.func_wrap(name, |cx: Cx<'_>, ()| handle::<Network>(cx, 0))
        }
        ("sockets/tcp-create-socket", "create-tcp-socket")
        | ("sockets/udp-create-socket", "create-udp-socket")
        | ("sockets/ip-name-lookup", "resolve-addresses") => at.func_new(name, |_, _, _, results| {
            let denied = Val::Enum("access-denied".into());
            results[0] = Val::Result(Err(Some(Box::new(denied))));
            Ok(())
        }),
        _ if interface.starts_with("clocks/") => clocks(at, interface, name),
        _ if interface.starts_with("random/") => random(at, interface, name),
        _ if interface.starts_with("io/") => io(at, name),
        _ => unreachable_for_good(at, interface, name),
    }
}

fn clocks(at: &mut LinkerInstance<'_, Guest>, interface: &str, name: &str) -> wasmtime::Result<()> {
    let datetime = |ms: u64| Datetime {
        seconds: ms / 1_000,
        nanoseconds: u32::try_from(ms % 1_000).unwrap_or(0) * 1_000_000,
    };
    match (interface, name) {
        ("clocks/monotonic-clock", "now") => at.func_wrap(name, |cx: Cx<'_>, ()| {
            Ok((cx.data().inert.now_ms().saturating_mul(1_000_000),))
        }),
        ("clocks/monotonic-clock", "resolution") => at.func_wrap(name, |_: Cx<'_>, ()| Ok((1_000_000_u64,))),
        ("clocks/monotonic-clock", "subscribe-instant" | "subscribe-duration") => {
            at.func_wrap(name, |cx: Cx<'_>, (_when,): (u64,)| handle::<Pollable>(cx, 0))
        }
        ("clocks/wall-clock", "now") => at.func_wrap(name, move |cx: Cx<'_>, ()| {
            Ok((datetime(cx.data().inert.now_ms()),))
        }),
        ("clocks/wall-clock", "resolution") => at.func_wrap(name, move |_: Cx<'_>, ()| Ok((datetime(1),))),
        _ => unreachable_for_good(at, interface, name),
    }
}

fn random(at: &mut LinkerInstance<'_, Guest>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match name {
        "get-random-bytes" | "get-insecure-random-bytes" => at
            .func_wrap(name, |mut cx: Cx<'_>, (length,): (u64,)| {
                Ok((cx.data_mut().inert.random_bytes(length)?,))
            }),
        "get-random-u64" | "get-insecure-random-u64" => {
            at.func_wrap(name, |mut cx: Cx<'_>, ()| Ok((cx.data_mut().inert.random(),)))
        }
        "insecure-seed" => at.func_wrap(name, |mut cx: Cx<'_>, ()| {
            let inert = &mut cx.data_mut().inert;
            Ok(((inert.random(), inert.random()),))
        }),
        _ => unreachable_for_good(at, interface, name),
    }
}

fn io(at: &mut LinkerInstance<'_, Guest>, name: &str) -> wasmtime::Result<()> {
    type Reading = (Resource<Input>, u64);
    type Writing = (Resource<Output>, Vec<u8>);
    match name {
        "[method]pollable.ready" => {
            at.func_wrap(name, |_: Cx<'_>, (_it,): (Resource<Pollable>,)| Ok((true,)))
        }
        "[method]pollable.block" => at.func_wrap(name, |_: Cx<'_>, (_it,): (Resource<Pollable>,)| Ok(())),
        "poll" => at.func_wrap(name, |_: Cx<'_>, (asked,): (Vec<Resource<Pollable>>,)| {
            let all = 0..u32::try_from(asked.len()).unwrap_or(u32::MAX);
            Ok((all.collect::<Vec<_>>(),))
        }),
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => at
            .func_wrap(name, |_: Cx<'_>, _: Reading| -> Streamed<Vec<u8>> {
                Ok((Err(StreamError::Closed),))
            }),
        "[method]input-stream.skip" | "[method]input-stream.blocking-skip" => at
            .func_wrap(name, |_: Cx<'_>, _: Reading| -> Streamed<u64> {
                Ok((Err(StreamError::Closed),))
            }),
        "[method]input-stream.subscribe" => at.func_wrap(name, |cx: Cx<'_>, (_it,): (Resource<Input>,)| {
            handle::<Pollable>(cx, 0)
        }),
        "[method]output-stream.subscribe" => at.func_wrap(name, |cx: Cx<'_>, (_it,): (Resource<Output>,)| {
            handle::<Pollable>(cx, 0)
        }),
        "[method]output-stream.check-write" => at
            .func_wrap(name, |_: Cx<'_>, (_it,): (Resource<Output>,)| -> Streamed<u64> {
                Ok((Ok(WRITABLE),))
            }),
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            at.func_wrap(name, |mut cx: Cx<'_>, (it, bytes): Writing| -> Streamed<()> {
                cx.data_mut().print(it.rep(), &bytes);
                Ok((Ok(()),))
            })
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => at
            .func_wrap(name, |_: Cx<'_>, (_it,): (Resource<Output>,)| -> Streamed<()> {
                Ok((Ok(()),))
            }),
        _ => unreachable_for_good(at, "io", name),
    }
}

/// A new handle, of which an instance may have so many.
fn handle<T: 'static>(mut cx: Cx<'_>, rep: u32) -> wasmtime::Result<(Resource<T>,)> {
    cx.data_mut().inert.hand_out()?;
    Ok((Resource::new_own(rep),))
}

/// What needs something that nobody gets here, or what no toolchain was seen to use.
fn unreachable_for_good(
    at: &mut LinkerInstance<'_, Guest>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<()> {
    let what = format!("it called `{name}` of wasi:{interface}, which does nothing here");
    at.func_new(name, move |_, _, _, _| Err(Ended(what.clone()).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_parts_that_can_be_inert_are() {
        for import in [
            "wasi:cli/environment@0.2.0",
            "wasi:sockets/tcp@0.2.12",
            "wasi:io/poll@0.2.6",
        ] {
            assert!(is_inert(import), "{import}");
        }
        for import in [
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:cli/environment@0.3.0",
            "wasi:cli/environment",
            "wasi:clipboard/x@0.2.0",
            "acme:io/poll@0.2.0",
            "selaras:plugin/log@0.1.0",
        ] {
            assert!(!is_inert(import), "{import}");
        }
    }
}
