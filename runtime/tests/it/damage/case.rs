//! One damage: a copy of a store of known content, what was done to it, and what is asked of an outlet over it.

use crate::damage::files::{contents, copy, rows};
use crate::known;
use crate::outlet::{Attempt, Outlet, Setup};
use crate::scripted_cloud::ScriptedCloud;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest that a start may take, whatever the files are.
const BOUND: Duration = Duration::from_secs(60);

/// The store before the damage, and the cloud as it is then.
pub struct Original {
    setup: Setup,
    cloud: ScriptedCloud,
}

impl Original {
    /// Makes one and stops it.
    pub async fn make() -> Self {
        let cloud = ScriptedCloud::start().await;
        let outlet = Outlet::of(&cloud).await;
        known::fill(&outlet, &cloud).await;
        let setup = outlet.stop().await;
        Self { setup, cloud }
    }

    /// The same with a backup in the data directory, made last.
    pub async fn make_with_a_backup() -> Self {
        let cloud = ScriptedCloud::start().await;
        let outlet = Outlet::of(&cloud).await;
        known::fill(&outlet, &cloud).await;
        // Without a name it is kept beside the scheduled ones.
        let mut backup = outlet.beside().command(&["backup"]);
        assert_eq!(backup.wait().await, 0, "{}", backup.log());
        let setup = outlet.stop().await;
        Self { setup, cloud }
    }

    /// A copy with this damage, under a cloud of its own.
    pub async fn damaged(&self, name: &str, damage: impl FnOnce(&Case)) -> Case {
        let cloud = ScriptedCloud::start().await;
        cloud.state().take_after(&self.cloud.state());
        cloud.go_down();
        let setup = Setup::of(&cloud);
        copy(&self.setup.data_dir(), &setup.data_dir());
        let case = Case {
            name: name.to_owned(),
            setup,
            cloud,
        };
        eprintln!("damage: {name}");
        damage(&case);
        case
    }
}

/// A damaged copy.
pub struct Case {
    name: String,
    setup: Setup,
    cloud: ScriptedCloud,
}

impl Case {
    /// A file of the store.
    pub fn store(&self, name: &str) -> PathBuf {
        self.setup.data_dir().join("store").join(name)
    }

    /// A file of the engine.
    pub fn engine(&self, name: &str) -> PathBuf {
        self.store("sled").join(name)
    }

    /// What an outlet over it is started with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Does something to each snapshot of the engine, of which there is one.
    pub fn each_snapshot(&self, harm: impl Fn(&Path)) {
        // The engine makes one when it opens after writes.
        rows(&self.engine(""));
        let is_one = |path: &PathBuf| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("snap."))
        };
        let files = contents(&self.engine("")).into_iter().map(|(path, _)| path);
        let snapshots: Vec<_> = files.filter(is_one).collect();
        assert!(!snapshots.is_empty(), "there is no snapshot to be harmed");
        snapshots.iter().for_each(|path| harm(path));
    }

    /// It serves within the bound.
    pub async fn serves(&self) -> Outlet {
        match self.setup.attempt(BOUND).await {
            Attempt::Up(mut outlet) => {
                outlet.login().await;
                *outlet
            }
            Attempt::Ended(code, log) => panic!("{}: ended with {code}:\n{log}", self.name),
            Attempt::Hangs(log) => panic!("{}: neither up nor down after {BOUND:?}:\n{log}", self.name),
        }
    }

    /// It ends by itself with an error that says what to do, twice, and every row stays what it was. (The engine tidies
    /// its files when they are looked at.)
    pub async fn is_refused(&self, advice: &str) {
        let before = rows(&self.engine(""));
        for _ in 0..2 {
            match self.setup.attempt(BOUND).await {
                Attempt::Ended(code, log) => {
                    assert_eq!(code, 1, "{}: {log}", self.name);
                    assert!(log.contains(advice), "{}: {log}", self.name);
                    assert!(!log.contains("panicked"), "{}: {log}", self.name);
                }
                Attempt::Up(_) => panic!("{}: it serves", self.name),
                Attempt::Hangs(log) => panic!("{}: neither up nor down after {BOUND:?}:\n{log}", self.name),
            }
            assert!(
                rows(&self.engine("")) == before,
                "{}: rows were touched",
                self.name
            );
            assert!(
                !self.setup.data_dir().join("quarantine").exists(),
                "{}",
                self.name
            );
        }
    }

    /// Nothing is lost, and it does not say so.
    pub async fn holds_everything(&self, outlet: &Outlet) {
        let missing = known::missing(outlet).await;
        assert!(missing.is_empty(), "{}: {missing:?}", self.name);
        let status = outlet.status().await;
        let rewound = status.raw("data.store.rewound").filter(|value| value != "null");
        assert_eq!(rewound, None, "{}", self.name);
    }

    /// Every document is there.
    pub async fn holds_every_document(&self, outlet: &Outlet) {
        let missing = known::missing(outlet).await;
        let documents: Vec<_> = missing.iter().filter(|what| what.contains('/')).collect();
        assert!(documents.is_empty(), "{}: {documents:?}", self.name);
    }

    /// It serves, says what is lost, comes together with the cloud, and starts again.
    pub async fn is_borne(&self) {
        let outlet = self.serves().await;
        self.says_what_is_lost(&outlet).await;
        self.ends_well(outlet).await;
    }

    /// What is missing is told, in status and log; and files that were replaced are kept.
    pub async fn says_what_is_lost(&self, outlet: &Outlet) {
        let missing = known::missing(outlet).await;
        let status = outlet.status().await;
        let shown = |path: &str| {
            status
                .raw(path)
                .filter(|value| !matches!(value.as_str(), "null" | "[]"))
        };
        let (rewound, recovered) = (shown("data.store.rewound"), shown("data.store.recovered"));
        eprintln!(
            "damage: {}: {} missing, rewound {rewound:?}, recovered {recovered:?}",
            self.name,
            missing.len()
        );
        if !missing.is_empty() {
            assert!(
                rewound.is_some(),
                "{}: lost without a word: {missing:?}",
                self.name
            );
        }
        if rewound.is_some() {
            let cause = status.str("data.store.rewound.cause");
            assert!(
                !status.str("data.store.rewound.detail").is_empty(),
                "{}",
                self.name
            );
            if ["repaired", "restored_by_itself", "emptied"].contains(&cause.as_str()) {
                self.keeps_the_old_files();
            }
        }
        if rewound.is_some() || recovered.is_some() {
            let log = outlet.log();
            let told = log
                .lines()
                .any(|line| line.contains("WARN") || line.contains("ERROR"));
            assert!(told, "{}: not in the log:\n{log}", self.name);
        }
    }

    fn keeps_the_old_files(&self) {
        let quarantine = self.setup.data_dir().join("quarantine");
        let kept = quarantine.is_dir() && !contents(&quarantine).is_empty();
        assert!(kept, "{}: the old files are not in quarantine/", self.name);
    }

    /// Both sides come to hold the same, and the next start finds it so.
    pub async fn ends_well(&self, outlet: Outlet) {
        known::comes_together(&outlet, &self.cloud).await;
        let before = known::documents(&outlet, "article").await;
        let setup = outlet.stop().await;
        assert!(
            before.len() >= known::ARTICLES,
            "{}: {} articles",
            self.name,
            before.len()
        );
        let again = match setup.attempt(BOUND).await {
            Attempt::Up(mut outlet) => {
                outlet.login().await;
                outlet
            }
            Attempt::Ended(code, log) => panic!("{}: the second start ends with {code}:\n{log}", self.name),
            Attempt::Hangs(log) => panic!("{}: the second start hangs:\n{log}", self.name),
        };
        assert!(
            before == known::documents(&again, "article").await,
            "{}",
            self.name
        );
        again.stop().await;
    }
}
