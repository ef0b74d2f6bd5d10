//! What the binary brings for new projects: the interface, the SDKs and the templates, by their paths in the tree.

include!(concat!(env!("OUT_DIR"), "/authoring.rs"));

/// The files below a folder, by their paths below it.
pub(super) fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().filter_map(move |(path, bytes)| {
        let rest = path.strip_prefix(folder)?.strip_prefix('/')?;
        Some((rest, *bytes))
    })
}

/// One file.
///
/// # Panics
/// When the build did not embed it.
pub(super) fn file(path: &str) -> &'static [u8] {
    let found = FILES.iter().find(|(there, _)| *there == path);
    found.unwrap_or_else(|| panic!("invariant: {path} is embedded")).1
}
