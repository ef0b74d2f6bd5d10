//! What a service manager is told: that the outlet serves, that it stops, and now and then that it is alive. The protocol is
//! sd_notify(3)'s: lines in a datagram to the socket that the environment names. Without one nobody is told.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Whom to tell.
pub struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that the process lives.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The one that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`), if it is one of this system.
    pub fn of_environment() -> Self {
        let text = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        Self::new(text("NOTIFY_SOCKET").as_deref(), text("WATCHDOG_USEC").as_deref())
    }

    fn new(socket: Option<&str>, watchdog: Option<&str>) -> Self {
        let socket = socket.and_then(|name| {
            open(name)
                .inspect_err(|error| tracing::warn!(%error, "the service manager cannot be told anything"))
                .ok()
        });
        let every = watchdog
            .and_then(|micros| micros.parse().ok())
            .filter(|micros| *micros > 0);
        Self {
            watchdog: every.map(Duration::from_micros).filter(|_| socket.is_some()),
            socket,
        }
    }

    /// It serves.
    pub fn ready(&self) {
        self.tell("READY=1\nSTATUS=serving");
    }

    /// It stops, in order.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping");
    }

    /// Says so as often as it is wanted, for as long as this is polled. Cancel-safe.
    pub async fn live(&self) {
        let Some(within) = self.watchdog else {
            return std::future::pending().await;
        };
        loop {
            self.tell("WATCHDOG=1");
            // Twice in the time, as sd_watchdog_enabled(3) recommends.
            tokio::time::sleep(within / 2).await;
        }
    }

    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::warn!(%error, "the service manager was not told that {state:?}");
        }
    }
}

/// A path, or with `@` a name in the abstract namespace.
fn open(name: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read is not waited for.
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(manager: &UnixDatagram) -> String {
        let mut bytes = [0; 100];
        let count = manager.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_manager_hears_of_begin_life_and_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor::new(path.to_str(), Some("20000"));
        supervisor.ready();
        assert!(heard(&manager).starts_with("READY=1\n"));
        let twice = async {
            for _ in 0..2 {
                let manager = manager.try_clone().unwrap();
                let said = tokio::task::spawn_blocking(move || heard(&manager)).await;
                assert_eq!(said.unwrap(), "WATCHDOG=1");
            }
        };
        tokio::select! {
            () = twice => {}
            () = supervisor.live() => unreachable!("it goes on as long as it is asked to"),
        }
        supervisor.stopping();
        loop {
            match heard(&manager).as_str() {
                "WATCHDOG=1" => {}
                said => break assert!(said.starts_with("STOPPING=1\n")),
            }
        }
    }

    #[test]
    fn a_name_in_the_abstract_namespace_is_understood() {
        let name = format!("selaras-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        Supervisor::new(Some(&format!("@{name}")), None).ready();
        assert!(heard(&manager).starts_with("READY=1"));
    }

    #[test]
    fn without_a_manager_nothing_is_told_and_nothing_fails() {
        for supervisor in [
            Supervisor::new(None, Some("1000")),
            Supervisor::new(Some("/nowhere/at/all"), None),
            Supervisor::new(Some("no\0path"), Some("1000")),
        ] {
            supervisor.ready();
            supervisor.stopping();
        }
        assert!(Supervisor::new(None, Some("1000")).watchdog.is_none());
    }
}
