//! What a test asks the outlet, one method each; [`Outlet::request`] for everything else.

use super::{ADMIN_PASSWORD, Outlet, Reply, stamp};
use crate::harness::json_text::{content, quote, string_at};
use crate::harness::northwind::Line;
use crate::harness::wait;
use crate::scripted_cloud::ScriptedCloud;
use reqwest::Method;
use selaras_core::stamp::Millis;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A request that is being put together; `.await` sends it.
pub struct Request {
    builder: reqwest::RequestBuilder,
}

impl Request {
    /// A JSON body.
    pub fn json(self, body: impl Into<String>) -> Self {
        self.header("Content-Type", "application/json").body(body)
    }

    /// A body without a content type.
    pub fn body(self, body: impl Into<String>) -> Self {
        Self {
            builder: self.builder.body(body.into()),
        }
    }

    /// A component as body.
    pub fn component(self, bytes: &[u8]) -> Self {
        let request = self.header("Content-Type", "application/wasm");
        Self {
            builder: request.builder.body(bytes.to_vec()),
        }
    }

    /// A header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self {
            builder: self.builder.header(name, value),
        }
    }
}

impl IntoFuture for Request {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let response = self.builder.send().await.expect("the outlet answers");
            let headers = response.headers().iter();
            Reply {
                status: response.status().as_u16(),
                headers: headers
                    .map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
                    .collect(),
                text: response.text().await.expect("the outlet's whole answer"),
            }
        })
    }
}

impl Outlet {
    /// Any request, as the one who is logged in.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let request = self.anonymous(method, path);
        match &self.token {
            Some(token) => request.header("Authorization", &format!("Bearer {token}")),
            None => request,
        }
    }

    /// Any request, as nobody.
    pub fn anonymous(&self, method: &str, path: &str) -> Request {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        Request {
            builder: self.http.request(method, format!("{}{path}", self.base)),
        }
    }

    /// Tries to log in.
    pub async fn login_as(&self, username: &str, password: &str) -> Reply {
        let body = format!(
            r#"{{"username":{},"password":{}}}"#,
            quote(username),
            quote(password)
        );
        self.anonymous("POST", "/api/v1/auth/login").json(body).await
    }

    /// Logs in as the first admin.
    pub async fn login(&mut self) {
        self.login_with(ADMIN_PASSWORD).await;
    }

    /// Logs in as the first admin, whose password is another.
    pub async fn login_with(&mut self, password: &str) {
        let reply = self.login_as("admin", password).await.expect(200);
        self.token = Some(reply.str("data.token"));
    }

    /// `GET` of a path below `/api/v1/`.
    pub async fn read(&self, path: &str) -> Reply {
        self.request("GET", &format!("/api/v1/{path}")).await
    }

    /// `PUT` of a document.
    pub async fn put(&self, entity_type: &str, id: &str, document: &str) -> Reply {
        self.request("PUT", &entity(entity_type, id)).json(document).await
    }

    /// `PATCH` of a document.
    pub async fn patch(&self, entity_type: &str, id: &str, patch: &str) -> Reply {
        self.request("PATCH", &entity(entity_type, id)).json(patch).await
    }

    /// `DELETE` of an entity.
    pub async fn delete(&self, entity_type: &str, id: &str) -> Reply {
        self.request("DELETE", &entity(entity_type, id)).await
    }

    /// `GET` of an entity.
    pub async fn get(&self, entity_type: &str, id: &str) -> Reply {
        self.request("GET", &entity(entity_type, id)).await
    }

    /// A living entity's document as written; none: deleted or unknown.
    pub async fn document(&self, entity_type: &str, id: &str) -> Option<String> {
        let reply = self.get(entity_type, id).await;
        match reply.status {
            404 => None,
            _ => reply.expect(200).raw("data.data").filter(|d| d != "null"),
        }
    }

    /// A living entity's document as it is compared.
    pub async fn content(&self, entity_type: &str, id: &str) -> Option<String> {
        self.document(entity_type, id).await.map(|d| content(&d))
    }

    /// Every entity of a type, page by page, tombstones too: the elements of the lists.
    pub async fn list(&self, entity_type: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut query = "limit=500".to_owned();
        loop {
            let page = self
                .read(&format!("entities/{entity_type}?{query}"))
                .await
                .expect(200);
            all.extend(page.list());
            match page.string("next_cursor") {
                Some(cursor) => query = format!("limit=500&cursor={cursor}"),
                None => return all,
            }
        }
    }

    /// Hands documents over, a thousand a request.
    pub async fn hand_over(&self, lines: &[Line]) {
        for part in lines.chunks(1000) {
            let changes: Vec<String> = part
                .iter()
                .map(|line| {
                    let (id, data) = (quote(&line.id), &line.document);
                    let entity_type = line.entity_type;
                    format!(
                        r#"{{"entity_type":"{entity_type}","entity_id":{id},"operation":"create","data":{data}}}"#
                    )
                })
                .collect();
            let body = format!(r#"{{"changes":[{}]}}"#, changes.join(","));
            self.request("POST", "/api/v1/changes")
                .json(body)
                .await
                .expect(201);
        }
    }

    /// The feed after a place.
    pub async fn feed(&self, since: i64) -> Reply {
        self.read(&format!("changes?since={since}&limit=500"))
            .await
            .expect(200)
    }

    /// A run now; answers when it has ended.
    pub async fn run(&self) -> Reply {
        self.request("POST", "/api/v1/sync/trigger?wait=true")
            .await
            .expect(200)
    }

    /// Where it stands.
    pub async fn status(&self) -> Reply {
        self.read("sync/status").await.expect(200)
    }

    /// Runs until nothing waits for the cloud and a last run has found nothing wrong.
    pub async fn settle(&self) {
        wait::until("everything to be synced", || async {
            let run = self.run().await;
            let status = self.status().await;
            let quiet = status.num("data.pending_count") == 0;
            (quiet && run.string("data.status").as_deref() == Some("success")).then_some(())
        })
        .await;
    }

    /// Runs until the status is as wanted; answers it.
    pub async fn run_until(&self, what: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
        wait::until(what, || async {
            self.run().await;
            let status = self.status().await;
            wanted(&status).then_some(status)
        })
        .await
    }

    /// Waits until no run is going and none is due for a while: a setting that changes during a run makes one more.
    pub async fn rest(&self) {
        const LOOKS: usize = 2;
        let seen = AtomicUsize::new(0);
        wait::until("the runs to rest", || async {
            let status = self.status().await;
            let due = status.string("data.next_run_at");
            let soon = due.is_some_and(|at| Millis::parse_rfc3339(&at) < Millis::parse_rfc3339(&stamp(2)));
            if soon || status.truth("data.running") {
                seen.store(0, Ordering::Relaxed);
                return None;
            }
            (seen.fetch_add(1, Ordering::Relaxed) == LOOKS).then_some(())
        })
        .await;
    }

    /// From now on until [`Self::go_on`] no run is made, also none that a setting changed meanwhile had begun.
    pub async fn hold(&self) {
        self.toggle_sync(false).await;
        wait::until("the run to end", || async {
            (!self.status().await.truth("data.running")).then_some(())
        })
        .await;
    }

    /// Ends [`Self::hold`]; a run is made.
    pub async fn go_on(&self) {
        self.toggle_sync(true).await;
    }

    async fn toggle_sync(&self, enabled: bool) {
        self.request("POST", "/api/v1/config/sync/toggle")
            .json(format!(r#"{{"enabled":{enabled}}}"#))
            .await
            .expect(200);
    }

    /// Both sides change an entity before either hears of the other.
    pub async fn contest(
        &self,
        cloud: &ScriptedCloud,
        (entity_type, id): (&str, &str),
        there: &str,
        here: &str,
    ) {
        self.hold().await;
        cloud.state().edit(entity_type, id, there);
        self.put(entity_type, id, here).await.expect(200);
        self.go_on().await;
    }

    /// Conflicts, newest first: the elements of the list.
    pub async fn conflicts(&self) -> Vec<String> {
        self.read("sync/conflicts").await.expect(200).list()
    }

    /// The one conflict of an entity.
    pub async fn conflict_of(&self, entity_type: &str, id: &str) -> Reply {
        let all = self.conflicts().await;
        let is_its = |c: &&String| {
            string_at(c, "entity_type").as_deref() == Some(entity_type)
                && string_at(c, "entity_id").as_deref() == Some(id)
        };
        let found: Vec<_> = all.iter().filter(is_its).collect();
        assert_eq!(found.len(), 1, "conflicts of {entity_type}/{id}: {all:#?}");
        let conflict = string_at(found[0], "id").expect("a conflict has an id");
        self.read(&format!("sync/conflicts/{conflict}")).await.expect(200)
    }

    /// Decides a conflict.
    pub async fn resolve(&self, conflict: &str, body: &str) -> Reply {
        self.request("POST", &format!("/api/v1/sync/resolve/{conflict}"))
            .json(body)
            .await
    }

    /// Changes a type's binding.
    pub async fn bind(&self, entity_type: &str, binding: &str) {
        self.configure(&format!("entities/{entity_type}"), binding)
            .await
            .expect(200);
    }

    /// `PUT` of a configuration.
    pub async fn configure(&self, what: &str, body: &str) -> Reply {
        self.request("PUT", &format!("/api/v1/config/{what}"))
            .json(body)
            .await
    }

    /// Failed queue items: the elements of the list.
    pub async fn failed(&self) -> Vec<String> {
        self.read("sync/failed").await.expect(200).list()
    }

    /// Queue items: the elements of the list.
    pub async fn queue(&self) -> Vec<String> {
        self.read("sync/queue?limit=500").await.expect(200).list()
    }
}

fn entity(entity_type: &str, id: &str) -> String {
    let id = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
    format!("/api/v1/entities/{entity_type}/{id}")
}
