//! `selaras status`: asks a running outlet over its own API. With a token, or the admin's name and password from the
//! environment, it shows where sync stands; without, only whether the outlet is ready.

use super::watch;
use crate::cloud;
use crate::config::Environment;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Prints the status. Exit code 1 when the outlet is not ready.
///
/// # Errors
/// When no outlet answers, or it refuses the login.
pub fn run(
    environment: &Environment,
    url: Option<String>,
    as_json: bool,
    watch: bool,
) -> anyhow::Result<ExitCode> {
    let port = environment.get("SERVER_PORT").map_or("8080", String::as_str);
    // Another outlet is known by its name; this one, which is asked by its address, by its certificate.
    let (base, client) = match (url, environment.get("TLS_CERT").filter(|path| !path.is_empty())) {
        (Some(url), _) => (url, cloud::plain_client()?),
        (None, None) => (format!("http://127.0.0.1:{port}"), cloud::plain_client()?),
        (None, Some(path)) => {
            let pem = std::fs::read(path).with_context(|| format!("TLS_CERT: {path} cannot be read"))?;
            let client = cloud::client_of_this_outlet(&pem).with_context(|| format!("TLS_CERT: {path}"))?;
            (format!("https://127.0.0.1:{port}"), client)
        }
    };
    let asker = Asker {
        base: base.trim_end_matches('/').to_owned(),
        client,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if watch {
        return runtime.block_on(watch::run(&asker, environment, as_json));
    }
    runtime.block_on(asker.show(environment, as_json))
}

/// Who asks an outlet.
pub(super) struct Asker {
    base: String,
    client: reqwest::Client,
}

/// A value as one line of text: what a cloud or a plugin said may hold anything, a terminal's commands too.
pub(super) fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

impl Asker {
    async fn show(&self, environment: &Environment, as_json: bool) -> anyhow::Result<ExitCode> {
        let (ready, answer) = self.get("/readyz", None).await?;
        let Some(token) = self.token(environment).await? else {
            println!("{}", if ready { "ready" } else { "not ready" });
            if !ready {
                println!("{answer}");
            }
            eprintln!("set SELARAS_TOKEN, or ADMIN_USERNAME and ADMIN_PASSWORD, to see where sync stands");
            return Ok(ExitCode::from(u8::from(!ready)));
        };
        let status = self.status(&token).await?;
        if as_json {
            println!("{}", serde_json::to_string_pretty(&status)?);
        } else if let Some(fields) = status.as_object() {
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                println!("{name:<18} {}", shown(value));
            }
        }
        Ok(ExitCode::from(u8::from(!ready)))
    }

    /// A token, as the environment has one or the login.
    pub(super) async fn token(&self, environment: &Environment) -> anyhow::Result<Option<String>> {
        if let Some(token) = environment.get("SELARAS_TOKEN") {
            return Ok(Some(token.clone()));
        }
        let Some(password) = environment.get("ADMIN_PASSWORD") else {
            return Ok(None);
        };
        let username = environment.get("ADMIN_USERNAME").map_or("admin", String::as_str);
        let body = json!({ "username": username, "password": password }).to_string();
        let request = self
            .client
            .post(format!("{}/api/v1/auth/login", self.base))
            .header("content-type", "application/json")
            .body(body);
        let text = request
            .send()
            .await
            .with_context(|| format!("no outlet answers at {}", self.base))?
            .text()
            .await?;
        let answer: Value = serde_json::from_str(&text).context("the answer is not an outlet's")?;
        match answer["data"]["token"].as_str() {
            Some(token) => Ok(Some(token.to_owned())),
            None => bail!(
                "login as {username} failed: {}",
                answer["message"].as_str().unwrap_or("no message")
            ),
        }
    }

    /// Where sync stands.
    ///
    /// # Errors
    /// When no outlet answers, or it refuses.
    pub(super) async fn status(&self, token: &str) -> anyhow::Result<Value> {
        let (ok, mut answer) = self.get("/api/v1/sync/status", Some(token)).await?;
        if !ok {
            bail!("the outlet refused: {}", shown(&answer["message"]));
        }
        Ok(answer["data"].take())
    }

    async fn get(&self, path: &str, token: Option<&str>) -> anyhow::Result<(bool, Value)> {
        let mut request = self.client.get(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("no outlet answers at {}", self.base))?;
        let ok = response.status().is_success();
        let text = response.text().await.context("the answer broke off")?;
        Ok((
            ok,
            serde_json::from_str(&text).context("the answer is not an outlet's")?,
        ))
    }
}
