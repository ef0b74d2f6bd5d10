//! What `make package` hands out: its unit, its scripts, and the example of an environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of a unit that set something.
fn unit() -> Vec<(String, String)> {
    let text = read(&packaging("selaras.service"));
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn systemd_finds_little_exposed_and_nothing_wrong_in_the_unit() {
    // Tenths: 2.0 is what may be.
    let judged = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
        .arg(packaging("selaras.service"))
        .output();
    let Ok(judged) = judged else {
        return eprintln!("SKIPPED: there is no systemd-analyze here: apt-get install systemd");
    };
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(
        judged.status.success() && said.contains("Overall exposure"),
        "{said}"
    );
    assert!(
        judged.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&judged.stderr)
    );
}

#[test]
fn the_unit_keeps_what_the_outlet_relies_on() {
    let unit = unit();
    let says = |name: &str, value: &str| unit.iter().any(|(n, v)| n == name && v == value);
    for (name, value) in [
        ("Type", "notify"),
        ("User", "selaras"),
        ("StateDirectoryMode", "0700"),
        ("UMask", "0077"),
        ("Restart", "on-failure"),
        // A configuration that cannot be used is no reason to try again.
        ("RestartPreventExitStatus", "2"),
        // A large database may be repaired for an hour.
        ("TimeoutStartSec", "infinity"),
    ] {
        assert!(says(name, value), "{name}={value}");
    }
    // Compiled plugins are made executable after they were written.
    assert!(!says("MemoryDenyWriteExecute", "yes"));
}

#[test]
fn the_scripts_of_the_package_are_scripts() {
    let scripts = fs::read_dir(packaging("debian")).unwrap();
    let scripts: Vec<_> = scripts.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(scripts.len(), 4);
    for script in scripts {
        let checked = Command::new("sh").arg("-n").arg(&script).status().unwrap();
        assert!(checked.success(), "{}", script.display());
        assert!(
            read(&script).contains("#DEBHELPER#"),
            "{}: the unit's part has no place",
            script.display()
        );
    }
}

#[test]
fn what_the_package_holds_and_the_example_names_exists() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let text = read(&manifest);
    let assets = text.split("assets = [").nth(1).unwrap();
    let assets = assets.lines().filter_map(|line| line.trim().strip_prefix("[\""));
    let sources: Vec<&str> = assets.filter_map(|line| line.split('"').next()).collect();
    assert!(sources.len() > 4, "{sources:?}");
    for source in sources.iter().filter(|source| !source.contains("/bin/")) {
        assert!(manifest.parent().unwrap().join(source).exists(), "{source}");
    }

    let readme = read(&manifest.parent().unwrap().parent().unwrap().join("README.md"));
    let example = read(&packaging("selaras.env"));
    let names = example
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.split_once('='));
    let names: Vec<&str> = names
        .map(|(name, _)| name)
        .filter(|name| !name.contains(' '))
        .collect();
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        assert!(readme.contains(&format!("`{name}`")), "{name} is in no table");
    }
}
