//! What a component is, read from its outside: its imports and exports. Nothing of it runs here.

use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::error::{Refusal, RefusalCode};
use super::grants::Grants;
use super::limits::Limits;
use super::wasi;

/// The interface's package.
const PACKAGE: &str = "selaras:plugin/";
/// The newest released version, and the only one so far: each has its module in `bindings.rs`.
const VERSION: &str = "@0.1.0";

/// What a plugin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Decides conflicts.
    Strategy,
    /// Translates documents.
    Mapper,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Strategy => "strategy",
            Self::Mapper => "mapper",
        })
    }
}

/// Looks at the first bytes only: is this a component at all, and of a size worth compiling.
///
/// # Errors
///
/// Says what it is instead.
pub(super) fn precheck(bytes: &[u8], limits: &Limits, grants: Grants) -> Result<(), Refusal> {
    let max_bytes = if grants.large {
        limits.large_component_bytes
    } else {
        limits.component_bytes
    };
    if bytes.len() > max_bytes {
        let has = bytes.len();
        let mut message = format!("the file has {has} bytes, a component may have {max_bytes}");
        if has <= limits.large_component_bytes {
            message += "; the grant `large` would allow it";
        }
        return Err(Refusal::new(RefusalCode::TooLarge, message));
    }
    let Some((b"\0asm", rest)) = bytes
        .split_first_chunk::<4>()
        .map(|(magic, rest)| (magic as &[u8], rest))
    else {
        return Err(Refusal::new(
            RefusalCode::NotWebassembly,
            "this is not a WebAssembly file",
        ));
    };
    match rest.split_first_chunk::<4>() {
        // Version 13, layer 1: the component model's binary format.
        Some(([0x0d, 0, 1, 0], _)) => Ok(()),
        Some(([1, 0, 0, 0], _)) => Err(Refusal::new(
            RefusalCode::CoreModule,
            "this is a core WebAssembly module, not a component; make one with `wasm-tools component new`",
        )),
        _ => Err(Refusal::new(
            RefusalCode::Invalid,
            "this WebAssembly file is of an unknown version or cut off",
        )),
    }
}

/// Decides what the component is, and that it asks for nothing a plugin does not get.
///
/// # Errors
///
/// Names the first import or export that does not fit.
pub(super) fn kind(engine: &Engine, component: &Component, grants: Grants) -> Result<Kind, Refusal> {
    let ty = component.component_type();
    for (name, _) in ty.imports(engine) {
        let interface = ["log", "lookup", "types"]
            .iter()
            .any(|interface| is(name, interface));
        let inert = wasi::is_inert(name);
        if interface || (inert && grants.wasi) {
            continue;
        }
        let mut message = format!(
            "the component imports `{name}`; a plugin gets {PACKAGE}log{VERSION} and {PACKAGE}lookup{VERSION} only"
        );
        if inert {
            message += "; the grant `wasi` would allow it";
        }
        return Err(Refusal::new(RefusalCode::ImportNotAllowed, message));
    }
    let exports: Vec<String> = ty.exports(engine).map(|(name, _)| name.to_owned()).collect();
    let has = |interface| exports.iter().any(|name| is(name, interface));
    let kind = match (has("strategy"), has("mapper")) {
        (true, false) => Kind::Strategy,
        (false, true) => Kind::Mapper,
        (true, true) => {
            return Err(Refusal::new(
                RefusalCode::WrongWorld,
                "the component is a strategy and a mapper at once; make it two",
            ));
        }
        (false, false) => return Err(stranger(&exports)),
    };
    if !has("info") {
        let message = format!("the component does not export {PACKAGE}info{VERSION}");
        return Err(Refusal::new(RefusalCode::MissingExport, message));
    }
    Ok(kind)
}

fn is(name: &str, interface: &str) -> bool {
    name.strip_prefix(PACKAGE)
        .and_then(|name| name.strip_suffix(VERSION))
        == Some(interface)
}

fn stranger(exports: &[String]) -> Refusal {
    let wanted = format!("{PACKAGE}strategy{VERSION} or {PACKAGE}mapper{VERSION}");
    let what = match exports {
        [] => "nothing".to_owned(),
        names => names
            .iter()
            .take(8)
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", "),
    };
    Refusal::new(
        RefusalCode::WrongWorld,
        format!("the component exports {what}, but neither {wanted}"),
    )
}
