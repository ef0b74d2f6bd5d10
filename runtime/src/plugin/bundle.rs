//! The plugins that are built into the binary, as the build encoded them. They go through the same door as any file.

include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

#[cfg(test)]
mod tests {
    use super::BUNDLE;
    use wasmtime::Engine;
    use wasmtime::component::Component;

    #[test]
    fn the_bundle_holds_the_plugins_of_the_workspace_under_their_crate_names() {
        let names: Vec<&str> = BUNDLE.iter().map(|(name, _)| *name).collect();
        for name in [
            "catalog_mapper",
            "cloud_wins",
            "counter_merge",
            "field_merge",
            "local_wins",
            "manual",
            "newest_wins",
        ] {
            assert!(names.contains(&name), "{name} is missing in {names:?}");
        }
    }

    #[test]
    fn an_embedded_component_asks_for_nothing_but_the_interface_and_exports_one_kind() {
        let engine = Engine::default();
        for (name, bytes) in BUNDLE {
            let component = Component::new(&engine, bytes).expect("an embedded component compiles");
            let shape = component.component_type();
            for (import, _) in shape.imports(&engine) {
                let known = ["types", "log", "lookup"].map(|part| format!("selaras:plugin/{part}@0.1.0"));
                assert!(
                    known.iter().any(|known| known == import),
                    "{name} imports {import}"
                );
            }
            let mut exports: Vec<String> = shape
                .exports(&engine)
                .map(|(export, _)| export.to_owned())
                .collect();
            exports.sort();
            let kind = if name.ends_with("_mapper") {
                "mapper"
            } else {
                "strategy"
            };
            assert_eq!(
                exports,
                [
                    "selaras:plugin/info@0.1.0".to_owned(),
                    format!("selaras:plugin/{kind}@0.1.0")
                ],
                "{name}"
            );
        }
    }
}
