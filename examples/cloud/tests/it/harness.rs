//! A cloud in a directory of its own, called through its router, and helpers to call it.

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use selaras_cloud::app::{self, Cloud, Settings, Shared};
use selaras_cloud::store::outlets::{Registration, hash_key};
use serde_json::Value;
use tower::ServiceExt;

pub const HQ_KEY: &str = "headquarters-key-1";
pub const OUTLETS: [(&str, &str, &str); 2] = [
    ("outlet-1", "JKT-001", "key-of-outlet-one"),
    ("outlet-2", "BDG-001", "key-of-outlet-two"),
];

pub struct TestCloud {
    pub dir: tempfile::TempDir,
    pub cloud: Shared,
    router: Router,
}

/// An answer: its status, its text and what the text says.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub retry_after: Option<String>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn data(&self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        self.json()["data"].clone()
    }

    pub fn refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.json()["error"].as_str()),
            (status, Some(code)),
            "{}",
            self.text
        );
        assert_eq!(self.json()["success"], false);
        assert!(
            self.json()["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
        );
    }
}

pub fn settings(dir: &tempfile::TempDir) -> Settings {
    let outlets = OUTLETS.map(|(outlet_id, code, key)| Registration {
        outlet_id: outlet_id.to_owned(),
        code: code.to_owned(),
        key_hash: Some(hash_key(key)),
        webhook_url: None,
        webhook_secret: None,
    });
    Settings {
        db: dir.path().join("cloud.sqlite"),
        outlets: outlets.to_vec(),
        hq_key: Some(hash_key(HQ_KEY)),
        rate_limit: 0,
        webhooks: true,
        webhook_pause_ms: 1,
    }
}

impl TestCloud {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::open(tempfile::tempdir().unwrap(), change).await
    }

    /// The same files, a new process.
    pub async fn restart(self) -> Self {
        let Self { dir, cloud, router } = self;
        drop((cloud, router));
        Self::open(dir, |_| {}).await
    }

    async fn open(dir: tempfile::TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(&dir);
        change(&mut settings);
        let cloud = Shared::new(Cloud::open(&settings).await.unwrap());
        let router = app::router(&cloud);
        Self { dir, cloud, router }
    }

    pub async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let retry_after = response
            .headers()
            .get("retry-after")
            .map(|v| v.to_str().unwrap().to_owned());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            retry_after,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// A call of outlet 0 or 1 under its own path.
    pub async fn outlet(&self, which: usize, method: Method, path: &str, body: &str) -> Answer {
        let (id, code, key) = OUTLETS[which];
        let bearer = format!("Bearer {key}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-outlet-id", id),
            ("x-outlet-code", code),
        ];
        self.call(method, &format!("/api/v1/outlets/{id}{path}"), &headers, body)
            .await
    }

    pub async fn hq(&self, method: Method, path: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {HQ_KEY}");
        self.call(method, &format!("/hq{path}"), &[("authorization", &bearer)], body)
            .await
    }

    /// Pushes items (JSON text each) and answers the result lines.
    pub async fn push(&self, which: usize, items: &[String]) -> Vec<Value> {
        let (id, code, _) = OUTLETS[which];
        let body = format!(
            r#"{{"outlet_id":"{id}","outlet_code":"{code}","sync_timestamp":"2026-01-27T10:35:00Z","items":[{}]}}"#,
            items.join(",")
        );
        let data = self
            .outlet(which, Method::POST, "/sync/batch", &body)
            .await
            .data();
        data["results"].as_array().unwrap().clone()
    }

    /// One page of updates.
    pub async fn pull(&self, which: usize, since: &str, limit: usize) -> Answer {
        let path = format!("/updates?since={}&limit={limit}", since.replace(':', "%3A"));
        self.outlet(which, Method::GET, &path, "").await
    }
}

/// An item as a runtime writes it: `doc` are the members of the document without braces.
pub fn item(operation: &str, local_id: &str, doc: &str, change_id: &str, base_version: u64) -> String {
    let comma = if doc.is_empty() { "" } else { "," };
    format!(
        r#"{{"entity_type":"product","operation":"{operation}","data":{{"id":"{local_id}","local_id":"{local_id}","version":7,"updated_at":"2026-01-27T10:00:00Z","outlet_id":"o","outlet_code":"c"{comma}{doc}}},"change_id":"{change_id}","base_version":{base_version}}}"#
    )
}

pub const BEGINNING: &str = "1970-01-01T00:00:00Z";
