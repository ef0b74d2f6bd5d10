//! Where a variable's value comes from: the environment, the file that `NAME_FILE` names, or a credential that the service manager
//! hands over under the variable's name.

use super::Environment;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where systemd puts what `LoadCredential=` names; see systemd.exec(5).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// A value, and what is to be said about the file that it came from.
pub(super) struct Found {
    pub(super) value: String,
    pub(super) file: Option<PathBuf>,
}

/// The value of a variable; none: it is unset. Empty counts as unset.
///
/// # Errors
/// The variable that is at fault, and what is wrong: a file that cannot be read.
pub(super) fn find(environment: &Environment, name: &str) -> Result<Option<Found>, (String, String)> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    if let Some(value) = set(name) {
        let value = value.clone();
        return Ok(Some(Found { value, file: None }));
    }
    let variable = format!("{name}_FILE");
    if let Some(path) = set(&variable) {
        let text = fs::read_to_string(path)
            .map_err(|error| (variable, format!("{path} cannot be read: {error}")))?;
        return Ok(found(&text, path.into()));
    }
    let Some(dir) = set(CREDENTIALS) else {
        return Ok(None);
    };
    let path = Path::new(dir).join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(found(&text, path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err((
            name.to_owned(),
            format!("the credential {} cannot be read: {error}", path.display()),
        )),
    }
}

fn found(text: &str, file: PathBuf) -> Option<Found> {
    let value = text.trim_end_matches(['\r', '\n']);
    (!value.is_empty()).then(|| Found {
        value: value.to_owned(),
        file: Some(file),
    })
}

/// What is wrong with how a file that holds a secret is kept.
pub(super) enum Kept {
    /// Nothing.
    Well,
    /// Others can read it: it works, and somebody ought to know.
    Open(String),
    /// Anybody could have put something else there: it is not to be believed.
    Writable(String),
}

/// Looks at the mode of a secret's file. Mounted secrets are commonly 0444 or 0440, on a file system that only the process sees; what
/// nobody may write is left alone.
pub(super) fn kept(file: &Path) -> Kept {
    // It was read a moment ago; if it is gone now, there is nothing to say of it.
    let Ok(metadata) = fs::metadata(file) else {
        return Kept::Well;
    };
    let (mode, shown) = (metadata.mode() & 0o777, file.display());
    if mode & 0o002 != 0 {
        Kept::Writable(format!(
            "anybody may write {shown} (mode {mode:o}), so its secret may be anybody's: put a new one there, and chmod 600 {shown}"
        ))
    } else if mode & 0o222 != 0 && mode & 0o044 != 0 {
        Kept::Open(format!(
            "others may read the secret in {shown} (mode {mode:o}): chmod 600 {shown}"
        ))
    } else {
        Kept::Well
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(dir: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn the_environment_comes_before_a_file_and_that_before_a_credential() {
        let dir = tempfile::tempdir().unwrap();
        file(dir.path(), "KEY", "of the manager\n", 0o400);
        let named = file(dir.path(), "named", "of a file\r\n", 0o600);
        let mut environment = Environment::new();
        let value =
            |environment: &Environment| find(environment, "KEY").map(|found| found.map(|found| found.value));
        assert_eq!(value(&environment), Ok(None));
        environment.insert(CREDENTIALS.to_owned(), dir.path().to_str().unwrap().to_owned());
        assert_eq!(value(&environment), Ok(Some("of the manager".to_owned())));
        environment.insert("KEY_FILE".to_owned(), named.to_str().unwrap().to_owned());
        assert_eq!(value(&environment), Ok(Some("of a file".to_owned())));
        environment.insert("KEY".to_owned(), "of the environment".to_owned());
        assert_eq!(value(&environment), Ok(Some("of the environment".to_owned())));
        environment.remove("KEY");
        environment.insert("KEY_FILE".to_owned(), "/nowhere/at/all".to_owned());
        assert_eq!(value(&environment).unwrap_err().0, "KEY_FILE");
    }

    #[test]
    fn what_others_may_write_is_not_believed_and_what_they_may_read_is_told() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, expected) in [
            (0o600, "well"),
            (0o400, "well"),
            (0o440, "well"),
            (0o444, "well"),
            (0o640, "open"),
            (0o644, "open"),
            (0o664, "open"),
            (0o666, "writable"),
            (0o602, "writable"),
        ] {
            let path = file(dir.path(), &format!("{mode:o}"), "secret", mode);
            let (is, told) = match kept(&path) {
                Kept::Well => ("well", String::new()),
                Kept::Open(told) => ("open", told),
                Kept::Writable(told) => ("writable", told),
            };
            assert_eq!(is, expected, "{mode:o}");
            assert_eq!(told.contains("chmod 600"), expected != "well", "{told}");
        }
    }
}
