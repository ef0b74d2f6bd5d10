//! An app that is logged in, and goes on when the outlet is gone: an answer that does not come is no failure here.

use super::{Hook, Outlet, Reply};
use reqwest::Method;

/// An outlet's address, and who talks to it.
#[derive(Clone)]
pub struct Session {
    base: String,
    http: reqwest::Client,
    token: String,
}

impl Session {
    /// Sends a request; none when no whole answer came.
    pub async fn ask(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Option<Reply> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body.to_owned()).send().await.ok()?;
        Some(Reply {
            status: response.status().as_u16(),
            headers: Vec::new(),
            text: response.text().await.ok()?,
        })
    }

    /// Installs a plugin; none when no whole answer came.
    pub async fn install(&self, component: Vec<u8>) -> Option<Reply> {
        let request = self.http.post(format!("{}/api/v1/plugins", self.base));
        let request = request
            .bearer_auth(&self.token)
            .header("content-type", "application/wasm");
        let response = request.body(component).send().await.ok()?;
        Some(Reply {
            status: response.status().as_u16(),
            headers: Vec::new(),
            text: response.text().await.ok()?,
        })
    }

    /// Puts a document; answers the status, or none when no answer came.
    pub async fn put(&self, path: &str, document: String) -> Option<u16> {
        Some(self.ask("PUT", path, &document, &[]).await?.status)
    }

    /// The same, with this login, at another outlet.
    pub async fn put_at(&self, outlet: &Outlet, path: &str, document: String) -> Option<u16> {
        let there = Self {
            base: outlet.base.clone(),
            ..self.clone()
        };
        there.put(path, document).await
    }

    /// Delivers a webhook; none when no whole answer came.
    pub async fn hook(&self, hook: &Hook) -> Option<Reply> {
        let headers: Vec<(&str, &str)> = hook.headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let path = format!("/api/v1/webhooks/cloud/{}", hook.path);
        self.ask("POST", &path, &hook.body, &headers).await
    }
}

impl Outlet {
    /// Its address and login, for an app that goes on when the outlet is gone.
    pub fn session(&self) -> Session {
        Session {
            base: self.base.clone(),
            http: self.http.clone(),
            token: self.token.clone().expect("somebody is logged in"),
        }
    }
}
