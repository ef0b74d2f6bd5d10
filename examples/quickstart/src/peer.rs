//! One HTTP server that the story talks to: an address, a key, and answers as text.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A server and how to call it.
#[derive(Debug, Clone)]
pub struct Peer {
    client: reqwest::Client,
    /// Without a slash at the end.
    pub base: String,
    /// Sent as `Authorization: Bearer …`, once there is one.
    pub token: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub text: String,
}

impl Answer {
    /// The body, or why there is none of that shape.
    ///
    /// # Errors
    /// When the status is not 2xx, or the body is not what is asked for.
    pub fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        if !(200..300).contains(&self.status) {
            bail!("answered {}: {}", self.status, self.text);
        }
        serde_json::from_str(&self.text).with_context(|| format!("answered something else: {}", self.text))
    }

    /// The `data` of the envelope.
    ///
    /// # Errors
    /// As for [`Answer::read`].
    pub fn data<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        #[derive(Deserialize)]
        struct Envelope<T> {
            data: T,
        }
        Ok(self.read::<Envelope<T>>()?.data)
    }
}

impl Peer {
    /// A server on this machine.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn local(port: u16) -> anyhow::Result<Self> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread that was quicker installed the same one.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(180))
            .build()?;
        Ok(Self {
            client,
            base: format!("http://127.0.0.1:{port}"),
            token: None,
        })
    }

    /// Calls it.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Answer> {
        self.call_with(method, path, &[], body).await
    }

    /// Calls it with headers of one's own.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn call_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> anyhow::Result<Answer> {
        let what = format!("{method} {}{path}", self.base);
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.with_context(|| what.clone())?;
        let status = response.status().as_u16();
        let text = response.text().await.with_context(|| what)?;
        Ok(Answer { status, text })
    }

    /// GET of something that must be there.
    ///
    /// # Errors
    /// When there is no answer, or another one.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.call(Method::GET, path, None).await?;
        answer.read().with_context(|| format!("GET {}{path}", self.base))
    }

    /// A call with a body that must succeed; answers the `data`.
    ///
    /// # Errors
    /// When there is no answer, or another one.
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> anyhow::Result<T> {
        let what = format!("{method} {}{path}", self.base);
        self.call(method, path, Some(body)).await?.data().context(what)
    }
}
