//! What is taken and what is refused, with the variable it is about.

use super::*;

fn parse(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::parse(
        &pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
    )
}

fn problem_of(pairs: &[(&str, &str)]) -> String {
    match parse(pairs) {
        Ok(_) => "accepted".to_owned(),
        Err(ConfigError(problems)) => problems[0].variable.clone(),
    }
}

#[test]
fn nothing_set_is_a_loopback_server_without_secrets() {
    let config = parse(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert!(
        config.webhook_secrets.is_empty() && config.jwt_secret.is_none() && config.admin_password.is_none()
    );
    assert_eq!(config.defaults.outlet.sync_interval_minutes, 5);
}

#[test]
fn backups_are_daily_beside_the_data_unless_told_otherwise() {
    let backups = parse(&[("DATA_DIR", "/data")]).unwrap().backups;
    assert_eq!(backups.dir, Path::new("/data/backups"));
    assert_eq!((backups.every_ms, backups.keep), (Some(86_400_000), 3));
    let off = parse(&[("BACKUP_INTERVAL_HOURS", "0"), ("BACKUP_DIR", "/usb")]).unwrap();
    assert_eq!(
        (off.backups.every_ms, off.backups.dir),
        (None, PathBuf::from("/usb"))
    );
}

#[test]
fn each_bad_value_names_its_variable() {
    let bad = [
        ("SERVER_PORT", "99999"),
        ("LISTEN_ADDR", "here"),
        ("LISTEN_ADDR", "0.0.0.0"),
        ("SYNC_ENABLED", "maybe"),
        ("CLOUD_API_URL", "http://cloud.example"),
        ("SYNC_INTERVAL_MINUTES", "0"),
        ("BACKUP_INTERVAL_HOURS", "often"),
        ("BACKUP_KEEP", "0"),
        ("JWT_SECRET", "short"),
        ("JWT_SECRET_PREVIOUS", "short"),
        ("ADMIN_PASSWORD", "123"),
        ("LOG_FORMAT", "xml"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("METRICS_TOKEN", "short"),
        ("METRICS_LOOPBACK", "perhaps"),
        ("PLUGIN_TRUSTED_KEYS", "not a key"),
        ("PLUGIN_TRUSTED_KEYS", ","),
        ("CLOUD_PIN", "sha256/short"),
        ("CLOUD_PIN", ","),
        ("CLOUD_CA_CERT", "/nowhere/at/all.pem"),
        ("MAX_CONNECTIONS", "1"),
        ("MAX_CONNECTIONS_PER_ADDRESS", "2049"),
        ("MAX_REQUESTS", "0"),
        ("MAX_FEED_WAITERS", "513"),
        ("MAX_FEED_STREAMS", "none"),
        ("MAX_HEADER_KB", "4"),
        ("MAX_BODY_MB", "65"),
        ("MAX_JSON_DEPTH", "129"),
        ("HEADER_TIMEOUT_SECONDS", "0"),
        ("BODY_TIMEOUT_SECONDS", "0"),
        ("IDLE_TIMEOUT_SECONDS", "-1"),
        ("TLS_HANDSHAKE_TIMEOUT_SECONDS", "0"),
        ("WEBHOOK_SECRET_PREVIOUS", "old"),
        ("WEBHOOK_SECRET", "  "),
        ("WEBHOOK_SECRET", "whsec_"),
        ("WEBHOOK_SECRET", "whsec_!!!!"),
    ];
    for (name, value) in bad {
        assert_eq!(problem_of(&[(name, value)]), name, "{name}={value}");
    }
    assert_eq!(
        problem_of(&[("WEBHOOK_SECRET_FILE", "/nowhere/at/all")]),
        "WEBHOOK_SECRET_FILE"
    );
}

#[test]
fn a_secret_may_come_from_a_file_and_is_never_printed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from a file\n").unwrap();
    let config = parse(&[("WEBHOOK_SECRET_FILE", file.path().to_str().unwrap())]).unwrap();
    assert_eq!(config.webhook_secrets[0].expose(), "from a file");
    assert!(!format!("{:?}", config.webhook_secrets).contains("from a file"));
}

#[test]
fn a_metrics_token_closes_the_way_of_this_machine_unless_it_is_opened() {
    let loopback = |pairs: &[(&str, &str)]| parse(pairs).unwrap().metrics_loopback;
    let token = ("METRICS_TOKEN", "0123456789abcdef");
    assert!(loopback(&[]) && !loopback(&[("METRICS_LOOPBACK", "false")]));
    assert!(!loopback(&[token]) && loopback(&[token, ("METRICS_LOOPBACK", "true")]));
}

#[test]
fn other_machines_may_connect_only_with_consent() {
    assert!(parse(&[("LISTEN_ADDR", "0.0.0.0"), ("ALLOW_PLAINTEXT", "true")]).is_ok());
    let tls = [("TLS_CERT", "cert.pem"), ("TLS_KEY", "key.pem")];
    assert!(parse(&[&tls[..], &[("LISTEN_ADDR", "0.0.0.0")]].concat()).is_ok());
    assert_eq!(problem_of(&tls[..1]), "TLS_KEY");
    assert_eq!(problem_of(&tls[1..]), "TLS_CERT");
}

#[test]
fn an_address_gets_three_quarters_of_the_connections_unless_told_otherwise() {
    let limits = |pairs| parse(pairs).unwrap().limits;
    assert_eq!(limits(&[]), http::Limits::default());
    assert_eq!(limits(&[("MAX_CONNECTIONS", "100")]).max_per_address, 75);
    let told = limits(&[("MAX_CONNECTIONS", "100"), ("MAX_CONNECTIONS_PER_ADDRESS", "9")]);
    assert_eq!(told.max_per_address, 9);
    assert_eq!(limits(&[("MAX_REQUESTS", "100")]).requests.max_feed_waiters, 50);
}
