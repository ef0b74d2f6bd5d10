//! Makes a component of a core module, and refuses one that would ask the host for more than the interface gives.

use wit_component::{ComponentEncoder, DecodedWasm};

/// All that a plugin may import.
const ALLOWED: [&str; 3] = [
    "selaras:plugin/types@0.1.0",
    "selaras:plugin/log@0.1.0",
    "selaras:plugin/lookup@0.1.0",
];

/// The component of a core module, checked.
pub fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    let component = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| format!("{error:#}"))?;
    check(&component)?;
    Ok(component)
}

fn check(component: &[u8]) -> Result<(), String> {
    let decoded = wit_component::decode(component).map_err(|error| format!("{error:#}"))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err("is no component".into());
    };
    let world = &resolve.worlds[world];
    for key in world.imports.keys() {
        let name = resolve.name_world_key(key);
        if !ALLOWED.contains(&name.as_str()) {
            return Err(format!("imports {name}, which the interface does not give"));
        }
    }
    let mut exports: Vec<String> = world
        .exports
        .keys()
        .map(|key| resolve.name_world_key(key))
        .collect();
    exports.sort();
    let kinds = ["mapper", "strategy"].map(|kind| {
        [
            "selaras:plugin/info@0.1.0".into(),
            format!("selaras:plugin/{kind}@0.1.0"),
        ]
    });
    if kinds.iter().any(|kind| exports == *kind) {
        Ok(())
    } else {
        Err(format!(
            "must export info and either strategy or mapper, but exports {}",
            exports.join(", ")
        ))
    }
}
