//! The configuration that a process starts with: environment variables and a `.env` file, each also as `…_FILE`,
//! validated all at once. What admins change later is stored, and wins (see `engine::settings`).

mod secrets;
mod source;
mod transport;

use self::source::{Kept, kept};
use crate::cloud::{self, check_url};
use crate::engine::api::{BackupPolicy, Outlet};
use crate::engine::settings::Defaults;
use crate::http;
use crate::plugin::Trust;
use crate::plugin::signature::PublicKey;
use crate::secret::Secret;
use crate::store::SpaceSettings;
use crate::telemetry::Traces;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// A process's configuration.
#[derive(Clone)]
pub struct Config {
    /// Where everything durable lives.
    pub data_dir: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The certificate and key of TLS; none: plain HTTP.
    pub tls: Option<http::TlsFiles>,
    /// What connections and requests may take.
    pub limits: http::Limits,
    /// Whom the outlet takes for its cloud.
    pub cloud_trust: cloud::Trust,
    /// The outlet as far as the environment says.
    pub defaults: Defaults,
    /// Which backups are made by themselves.
    pub backups: BackupPolicy,
    /// Current, then previous. Empty: webhooks are closed.
    pub webhook_secrets: Vec<Secret>,
    /// The older form of signature is refused once the cloud has used Standard Webhooks.
    pub webhook_refuse_legacy: bool,
    /// Signs login tokens; none: one is made and kept in the data directory.
    pub jwt_secret: Option<Secret>,
    /// What they were signed with before; such tokens still hold.
    pub jwt_secret_previous: Option<Secret>,
    /// The first admin's name.
    pub admin_username: String,
    /// The first admin's password; none: a random one is written to the data directory.
    pub admin_password: Option<Secret>,
    /// Lets who bears it read the metrics.
    pub metrics_token: Option<Secret>,
    /// This machine reads the metrics without a token.
    pub metrics_loopback: bool,
    /// Whose plugins are taken.
    pub plugin_trust: Trust,
    /// Room on the disk.
    pub space: SpaceSettings,
    /// A database smaller than this is not rewritten at the start, in bytes.
    pub compact_min_bytes: u64,
    /// Where traces go; none: nowhere.
    pub traces: Option<Traces>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What is logged, in the syntax of `RUST_LOG`.
    pub log_filter: String,
    /// What works and had better be otherwise: logged at the start.
    pub warnings: Vec<Problem>,
}

/// A variable that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable.
    pub variable: String,
    /// What is wrong and what to do.
    pub problem: String,
}

/// All that is wrong with an environment.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used")?;
        for Problem { variable, problem } in &self.0 {
            write!(f, "\n  {variable}: {problem}")?;
        }
        Ok(())
    }
}

/// Variables by name.
pub type Environment = BTreeMap<String, String>;

/// The process's environment over what a `.env` file in `dir` says.
///
/// # Errors
/// When there is a `.env` that cannot be read.
pub fn environment(dir: &Path) -> Result<Environment, ConfigError> {
    let file = dir.join(".env");
    let mut variables = Environment::new();
    if file.exists() {
        let bad = |error: dotenvy::Error| {
            ConfigError(vec![Problem {
                variable: file.display().to_string(),
                problem: error.to_string(),
            }])
        };
        for pair in dotenvy::from_path_iter(&file).map_err(bad)? {
            let (name, value) = pair.map_err(bad)?;
            variables.insert(name, value);
        }
    }
    variables.extend(std::env::vars());
    Ok(variables)
}

impl Config {
    /// Reads and validates an environment. `…_FILE` variables are read from their files.
    ///
    /// # Errors
    /// All problems at once.
    pub fn parse(environment: &Environment) -> Result<Self, ConfigError> {
        let mut reader = Reader {
            environment,
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        let mut config = reader.config();
        config.warnings = reader.warnings;
        if reader.problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError(reader.problems))
        }
    }
}

struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Reader<'_> {
    fn config(&mut self) -> Config {
        let tls = self.tls();
        let listen = self.listen(tls.is_some());
        let defaults = self.defaults();
        let data_dir = PathBuf::from(self.text("DATA_DIR").unwrap_or_else(|| "selaras-data".to_owned()));
        Config {
            backups: self.backups(&data_dir),
            data_dir,
            listen,
            tls,
            limits: self.limits(),
            cloud_trust: self.cloud_trust(),
            defaults,
            webhook_secrets: self.webhook_secrets(),
            webhook_refuse_legacy: self.flag("WEBHOOK_REFUSE_LEGACY", false),
            jwt_secret: self.jwt_secret(),
            jwt_secret_previous: self.jwt_secret_previous(),
            admin_username: self.text("ADMIN_USERNAME").unwrap_or_else(|| "admin".to_owned()),
            admin_password: self.admin_password(),
            metrics_loopback: self.metrics_loopback(),
            metrics_token: self.metrics_token(),
            plugin_trust: self.plugin_trust(),
            space: self.space(),
            compact_min_bytes: u64::from(self.number("STORE_COMPACT_MIN_MB", 256, 0, 1_000_000)) << 20,
            traces: self.traces(),
            log_format: self.log_format(),
            log_filter: self
                .text("RUST_LOG")
                .or_else(|| self.text("LOG_LEVEL"))
                .unwrap_or_else(|| "info".to_owned()),
            warnings: Vec::new(),
        }
    }

    fn defaults(&mut self) -> Defaults {
        let allow_http = self.flag("CLOUD_ALLOW_HTTP", false);
        let cloud_api_url = self.text("CLOUD_API_URL").unwrap_or_default();
        if !cloud_api_url.is_empty()
            && let Err(error) = check_url(&cloud_api_url, allow_http)
        {
            self.problem("CLOUD_API_URL", &error.to_string());
        }
        let api_key = self.secret("CLOUD_API_KEY").unwrap_or_default();
        if !api_key.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            self.problem("CLOUD_API_KEY", "printable ASCII without spaces");
        }
        let outlet = Outlet {
            outlet_id: self.name("OUTLET_ID"),
            outlet_code: self.name("OUTLET_CODE"),
            outlet_name: self.name("OUTLET_NAME"),
            cloud_api_url,
            sync_enabled: self.flag("SYNC_ENABLED", true),
            sync_interval_minutes: self.number("SYNC_INTERVAL_MINUTES", 5, 1, 1440),
            profile: Vec::new(),
        };
        Defaults {
            outlet,
            api_key,
            allow_http,
        }
    }

    fn backups(&mut self, data_dir: &Path) -> BackupPolicy {
        let hours = u64::from(self.number("BACKUP_INTERVAL_HOURS", 24, 0, 8_760));
        BackupPolicy {
            dir: self
                .text("BACKUP_DIR")
                .map_or_else(|| data_dir.join("backups"), PathBuf::from),
            spool_dir: data_dir.to_owned(),
            every_ms: (hours > 0).then_some(hours * 3_600_000),
            keep: self.number("BACKUP_KEEP", 3, 1, 1000) as usize,
        }
    }

    fn space(&mut self) -> SpaceSettings {
        let min_free_mb = self.number("MIN_FREE_MB", 0, 0, 1_000_000);
        let ballast_mb = self.number("BALLAST_MB", 0, 0, 1_000_000);
        let bytes = |said: Option<String>, megabytes: u32| said.map(|_| u64::from(megabytes) << 20);
        SpaceSettings {
            min_free_bytes: bytes(self.text("MIN_FREE_MB"), min_free_mb),
            ballast_bytes: bytes(self.text("BALLAST_MB"), ballast_mb),
        }
    }

    /// Who makes a token means that one is needed, also on this machine.
    fn metrics_loopback(&mut self) -> bool {
        let has_token = self.text("METRICS_TOKEN").is_some();
        self.flag("METRICS_LOOPBACK", !has_token)
    }

    fn plugin_trust(&mut self) -> Trust {
        let Some(text) = self.text("PLUGIN_TRUSTED_KEYS") else {
            return Trust::default();
        };
        let keys: Vec<_> = text
            .split([',', '\n'])
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .collect();
        match keys
            .iter()
            .map(|key| key.parse::<PublicKey>())
            .collect::<Result<Vec<_>, _>>()
        {
            Ok(keys) if !keys.is_empty() => Trust::only(keys),
            // Never open by mistake.
            Ok(_) => {
                self.problem(
                    "PLUGIN_TRUSTED_KEYS",
                    "names no key; unset it to take plugins that are not signed",
                );
                Trust::default()
            }
            Err(error) => {
                self.problem(
                    "PLUGIN_TRUSTED_KEYS",
                    &format!("public keys with commas between them: {error}"),
                );
                Trust::default()
            }
        }
    }

    fn traces(&mut self) -> Option<Traces> {
        let endpoint = self.text("OTEL_EXPORTER_OTLP_ENDPOINT")?;
        let allow_http = self.flag("OTEL_ALLOW_HTTP", false);
        let headers = self.secret("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default();
        let name = self
            .text("OTEL_SERVICE_NAME")
            .unwrap_or_else(|| "selaras".to_owned());
        let outlet_id = self.text("OUTLET_ID");
        match Traces::parse(&endpoint, allow_http, headers.expose(), name, outlet_id) {
            Ok(traces) => Some(traces),
            Err((variable, problem)) => {
                self.problem(variable, problem);
                None
            }
        }
    }

    fn log_format(&mut self) -> LogFormat {
        match self.text("LOG_FORMAT").as_deref() {
            None | Some("human" | "text") => LogFormat::Human,
            Some("json") => LogFormat::Json,
            Some(_) => {
                self.problem("LOG_FORMAT", "human or json");
                LogFormat::Human
            }
        }
    }

    /// The variable's value; see [`source::find`]. Empty counts as unset.
    fn text(&mut self, name: &str) -> Option<String> {
        self.found(name).map(|found| found.value)
    }

    /// The same for a secret: how its file is kept is looked at.
    fn secret(&mut self, name: &str) -> Option<Secret> {
        let found = self.found(name)?;
        match found.file.as_deref().map_or(Kept::Well, kept) {
            Kept::Well => {}
            Kept::Open(warning) => self.warnings.push(Problem {
                variable: name.to_owned(),
                problem: warning,
            }),
            Kept::Writable(problem) => self.problem(&format!("{name}_FILE"), &problem),
        }
        Some(Secret::new(found.value))
    }

    fn found(&mut self, name: &str) -> Option<source::Found> {
        source::find(self.environment, name).unwrap_or_else(|(variable, problem)| {
            self.problem(&variable, &problem);
            None
        })
    }

    fn name(&mut self, name: &str) -> String {
        let value = self.text(name).unwrap_or_default();
        if value.len() > 128 || value.chars().any(char::is_control) {
            self.problem(name, "at most 128 bytes without control characters");
        }
        value
    }

    fn flag(&mut self, name: &str, default: bool) -> bool {
        match self.text(name).map(|value| value.to_ascii_lowercase()).as_deref() {
            None => default,
            Some("true" | "1" | "yes" | "on") => true,
            Some("false" | "0" | "no" | "off") => false,
            Some(_) => {
                self.problem(name, "true or false");
                default
            }
        }
    }

    fn number(&mut self, name: &str, default: u32, from: u32, to: u32) -> u32 {
        let Some(text) = self.text(name) else {
            return default;
        };
        match text.trim().parse::<u32>() {
            Ok(number) if (from..=to).contains(&number) => number,
            _ => {
                self.problem(name, &format!("a whole number from {from} to {to}"));
                default
            }
        }
    }

    fn problem(&mut self, variable: &str, problem: &str) {
        self.problems.push(Problem {
            variable: variable.to_owned(),
            problem: problem.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests;
