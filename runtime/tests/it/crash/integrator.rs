//! Somebody who ships new versions of a strategy all the time: installed, used, and taken away when two newer ones are there.

use crate::crash::actors::{Step, taken};
use crate::harness::json_text::{elements, string_at};
use crate::harness::strategy::{Does, strategy};
use crate::outlet::{Outlet, Session};

const NAME: &str = "crash_rule";

/// What comes next of a version.
#[derive(Clone, Copy)]
enum Next {
    Install,
    Use,
    Remove,
}

/// Versions as they were answered.
pub struct Integrator {
    number: u32,
    next: Next,
    /// Digests that are installed for sure, oldest first.
    installed: Vec<String>,
    /// The digest in use for sure, and the one that may be.
    used: (Option<String>, Option<String>),
    /// Digests that are gone for sure.
    gone: Vec<String>,
}

impl Integrator {
    pub fn new() -> Self {
        Self {
            number: 0,
            next: Next::Install,
            installed: Vec::new(),
            used: (None, None),
            gone: Vec::new(),
        }
    }

    /// One step of a version's life.
    pub async fn step(&mut self, session: &Session) -> Step {
        match self.next {
            Next::Install => self.install(session).await,
            Next::Use => self.put_to_use(session).await,
            Next::Remove => self.remove(session).await,
        }
    }

    async fn install(&mut self, session: &Session) -> Step {
        self.number += 1;
        let component = strategy(NAME, &format!("1.0.{}", self.number), Does::TakesCloud);
        let reply = taken(session.install(component).await)?;
        self.installed.push(reply.str("data.digest"));
        self.next = Next::Use;
        Ok(())
    }

    async fn put_to_use(&mut self, session: &Session) -> Step {
        let digest = self.installed.last().cloned().ok_or(None)?;
        self.used.1 = Some(digest.clone());
        let (path, body) = (
            format!("/api/v1/plugins/{NAME}/activate"),
            format!(r#"{{"digest":"{digest}"}}"#),
        );
        taken(session.ask("POST", &path, &body, &[]).await)?;
        self.used.0 = Some(digest);
        self.next = if self.installed.len() > 2 {
            Next::Remove
        } else {
            Next::Install
        };
        Ok(())
    }

    async fn remove(&mut self, session: &Session) -> Step {
        let is_used = |digest: &String| [&self.used.0, &self.used.1].contains(&&Some(digest.clone()));
        let oldest = self.installed.iter().position(|digest| !is_used(digest));
        let digest = self.installed.remove(oldest.expect("two at most are in use"));
        let path = format!("/api/v1/plugins/{NAME}/versions/{digest}");
        // Whatever comes of it, nobody counts on the version any more.
        self.next = self.after_a_life();
        taken(session.ask("DELETE", &path, "", &[]).await)?;
        self.gone.push(digest);
        Ok(())
    }

    /// What was answered is so, and what is in use is whole: it was loaded.
    pub async fn check(&mut self, outlet: &Outlet) {
        let shown = outlet.read(&format!("plugins/{NAME}")).await;
        if shown.status == 404 && self.installed.is_empty() {
            return;
        }
        let shown = shown.expect(200);
        let versions = elements(&shown.raw("data.versions").expect("versions"));
        let digests: Vec<String> = versions.iter().filter_map(|v| string_at(v, "digest")).collect();
        for digest in &self.installed {
            assert!(
                digests.contains(digest),
                "{digest} was installed and is gone: {}",
                shown.text
            );
        }
        for digest in self.gone.drain(..) {
            assert!(
                !digests.contains(&digest),
                "{digest} was removed and is there: {}",
                shown.text
            );
        }
        if let Some(used) = &self.used.0 {
            let active = shown.str("data.digest");
            let expected = [Some(used), self.used.1.as_ref()];
            assert!(expected.contains(&Some(&active)), "{active} of {expected:?}");
            assert_eq!(shown.str("data.state"), "active", "{}", shown.text);
            self.used = (Some(active.clone()), Some(active));
        }
        // Where no answer came the version may be there or not. What is there is counted on from now on, oldest first.
        self.installed = digests;
        self.installed.reverse();
        self.next = self.after_a_life();
    }

    /// What is left over goes before the outlet itself lets go of it, as it does with a ninth version.
    fn after_a_life(&self) -> Next {
        if self.installed.len() > 3 {
            Next::Remove
        } else {
            Next::Install
        }
    }
}
