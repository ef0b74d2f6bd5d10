//! What the environment says of connections: where to listen, TLS, what requests may take, and whom the outlet trusts to
//! be its cloud.

use super::Reader;
use crate::cloud::{Pin, Trust};
use crate::http::{Limits, RequestLimits, TlsFiles};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl Reader<'_> {
    pub(super) fn listen(&mut self, speaks_tls: bool) -> SocketAddr {
        let port = self.number("SERVER_PORT", 8080, 0, 65_535);
        let address = self.text("LISTEN_ADDR").unwrap_or_else(|| "127.0.0.1".to_owned());
        let ip = address
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .unwrap_or_else(|_| {
                self.problem("LISTEN_ADDR", "an IP address such as 127.0.0.1, 0.0.0.0 or ::1");
                IpAddr::V4(Ipv4Addr::LOCALHOST)
            });
        let allowed = self.flag("ALLOW_PLAINTEXT", false);
        if !ip.is_loopback() && !speaks_tls && !allowed {
            self.problem(
                "LISTEN_ADDR",
                "without TLS only this machine may connect: use 127.0.0.1, set TLS_CERT and TLS_KEY, or set \
                 ALLOW_PLAINTEXT=true if the network is yours alone",
            );
        }
        SocketAddr::new(ip, u16::try_from(port).unwrap_or(8080))
    }

    pub(super) fn tls(&mut self) -> Option<TlsFiles> {
        let cert = self.text("TLS_CERT").map(PathBuf::from);
        let key = self.text("TLS_KEY").map(PathBuf::from);
        match (cert, key) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            (Some(_), None) => {
                self.problem(
                    "TLS_KEY",
                    "needed beside TLS_CERT: the PEM file of its private key",
                );
                None
            }
            (None, Some(_)) => {
                self.problem(
                    "TLS_CERT",
                    "needed beside TLS_KEY: the PEM file of its certificate",
                );
                None
            }
        }
    }

    pub(super) fn limits(&mut self) -> Limits {
        let standard = Limits::default();
        let max_connections = self.count("MAX_CONNECTIONS", standard.max_connections, 16, 65_536);
        let share = Limits::share_of(max_connections);
        let max_per_address = self.count("MAX_CONNECTIONS_PER_ADDRESS", share, 1, max_connections);
        Limits {
            max_connections,
            max_per_address,
            header_timeout: self.seconds("HEADER_TIMEOUT_SECONDS", standard.header_timeout, 1, 600),
            idle_timeout: self.seconds("IDLE_TIMEOUT_SECONDS", standard.idle_timeout, 1, 3600),
            handshake_timeout: self.seconds(
                "TLS_HANDSHAKE_TIMEOUT_SECONDS",
                standard.handshake_timeout,
                1,
                600,
            ),
            max_header_bytes: KIB * self.count("MAX_HEADER_KB", standard.max_header_bytes / KIB, 8, 256),
            requests: self.request_limits(),
            ..standard
        }
    }

    fn request_limits(&mut self) -> RequestLimits {
        let standard = RequestLimits::default();
        let max_in_flight = self.count("MAX_REQUESTS", standard.max_in_flight, 8, 65_536);
        let waiters = standard.max_feed_waiters.min(max_in_flight / 2);
        RequestLimits {
            max_in_flight,
            // Half of the requests at most, so that those who wait leave room for those who work.
            max_feed_waiters: self.count("MAX_FEED_WAITERS", waiters, 1, max_in_flight / 2),
            max_feed_streams: self.count("MAX_FEED_STREAMS", standard.max_feed_streams, 1, 4096),
            max_body_bytes: MIB * self.count("MAX_BODY_MB", standard.max_body_bytes / MIB, 1, 64),
            body_timeout: self.seconds("BODY_TIMEOUT_SECONDS", standard.body_timeout, 1, 3600),
            max_json_depth: self.count(
                "MAX_JSON_DEPTH",
                standard.max_json_depth,
                8,
                standard.max_json_depth,
            ),
        }
    }

    pub(super) fn cloud_trust(&mut self) -> Trust {
        let mut trust = Trust::default();
        if let Some(path) = self.text("CLOUD_CA_CERT") {
            match std::fs::read(&path) {
                Ok(pem) => match Trust::authorities(&pem) {
                    Ok(authorities) => trust.authorities = authorities,
                    Err(error) => self.problem("CLOUD_CA_CERT", &format!("{path}: {error}")),
                },
                Err(error) => self.problem("CLOUD_CA_CERT", &format!("{path} cannot be read: {error}")),
            }
        }
        if let Some(text) = self.text("CLOUD_PIN") {
            let said = text
                .split([',', '\n'])
                .map(str::trim)
                .filter(|pin| !pin.is_empty());
            match said.map(str::parse::<Pin>).collect::<Result<Vec<_>, _>>() {
                Ok(pins) if !pins.is_empty() => trust.pins = pins,
                // Never open by mistake.
                Ok(_) => self.problem(
                    "CLOUD_PIN",
                    "names no key; unset it to go by the certificate alone",
                ),
                Err(error) => self.problem("CLOUD_PIN", &error.to_string()),
            }
        }
        trust
    }

    fn count(&mut self, name: &str, default: usize, from: usize, to: usize) -> usize {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.number(name, narrow(default), narrow(from), narrow(to)) as usize
    }

    fn seconds(&mut self, name: &str, default: Duration, from: u32, to: u32) -> Duration {
        let default = u32::try_from(default.as_secs()).unwrap_or(to);
        Duration::from_secs(u64::from(self.number(name, default, from, to)))
    }
}
