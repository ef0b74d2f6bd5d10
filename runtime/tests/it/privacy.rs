//! The data directory is its owner's alone: made so, mended, or refused.

use crate::outlet::{ADMIN_PASSWORD, Outlet, Setup};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What others may use, below a directory.
fn open_to_others(dir: &Path, found: &mut Vec<String>) {
    if mode(dir) & 0o077 != 0 {
        found.push(dir.display().to_string());
    }
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            open_to_others(&path, found);
        } else if mode(&path) & 0o077 != 0 {
            found.push(path.display().to_string());
        }
    }
}

#[tokio::test]
async fn a_directory_that_was_there_is_closed_and_everything_made_in_it_is_private() {
    let setup = Setup::without_cloud();
    fs::create_dir(setup.data_dir()).unwrap();
    chmod(&setup.data_dir(), 0o777);
    let outlet = setup.start().await;
    outlet.put("product", "p", "{}").await.expect(201);
    let dir = outlet.setup().data_dir();
    let made = outlet.beside().command(&["backup"]).wait().await;
    assert_eq!(made, 0);
    let mut open = Vec::new();
    open_to_others(&dir, &mut open);
    assert!(open.is_empty(), "{open:?}");

    // As older versions may have left it.
    let setup = outlet.stop().await;
    chmod(&dir, 0o755);
    chmod(&dir.join("store"), 0o755);
    let outlet = setup.start().await;
    assert_eq!((mode(&dir), mode(&dir.join("store"))), (0o700, 0o700));
    assert!(outlet.log().contains("closed to other users"), "{}", outlet.log());
    outlet.get("product", "p").await.expect(200);
}

#[tokio::test]
async fn what_others_could_have_changed_or_read_keeps_it_from_starting_until_it_is_mended() {
    let outlet = Setup::without_cloud().launch().await;
    let dir = outlet.setup().data_dir();
    let setup = outlet.stop().await;
    let secret = dir.join("jwt-secret");
    for (path, loose, tight, word) in [
        (&secret, 0o644, 0o600, "chmod 600"),
        (&secret, 0o622, 0o600, "chmod 600"),
        (&dir, 0o777, 0o700, "chmod -R go-rwx"),
    ] {
        chmod(path, loose);
        let (code, said) = setup.clone().refuses_to_start().await;
        assert_eq!(code, 1, "{said}");
        assert!(
            said.contains(word) && said.contains(&path.display().to_string()),
            "{said}"
        );
        assert_eq!(mode(path), loose, "it hides nothing");
        chmod(path, tight);
    }
    setup.launch().await;
}

#[tokio::test]
async fn a_secrets_file_that_others_may_read_is_told_and_one_they_may_write_refused() {
    let setup = Setup::without_cloud().without("ADMIN_PASSWORD");
    let file = setup.dir().join("password");
    fs::write(&file, ADMIN_PASSWORD).unwrap();
    let setup = setup.env("ADMIN_PASSWORD_FILE", file.to_str().unwrap());
    chmod(&file, 0o666);
    let (code, said) = setup.clone().refuses_to_start().await;
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("ADMIN_PASSWORD_FILE") && said.contains("chmod 600"),
        "{said}"
    );
    chmod(&file, 0o644);
    let outlet = setup.launch_as_admin().await;
    assert!(
        outlet.log().contains("others may read the secret"),
        "{}",
        outlet.log()
    );
    let setup = outlet.stop().await;
    // As container engines and service managers mount them.
    chmod(&file, 0o444);
    let outlet: Outlet = setup.launch_as_admin().await;
    assert!(!outlet.log().contains("others may read"), "{}", outlet.log());
}

#[tokio::test]
async fn credentials_of_the_service_manager_go_by_their_variables_names() {
    let setup = Setup::without_cloud().without("ADMIN_PASSWORD");
    let dir = setup.dir().join("credentials");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("ADMIN_PASSWORD"), format!("{ADMIN_PASSWORD}\n")).unwrap();
    let setup = setup.env("CREDENTIALS_DIRECTORY", dir.to_str().unwrap());
    let outlet = setup.launch_as_admin().await;
    assert!(!outlet.setup().data_dir().join("initial-admin-password").exists());
}
