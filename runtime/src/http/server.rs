//! The accept loop: connections, their limits and their end.
//!
//! It owns every connection's task and waits for all of them. It knows nothing of routes.

mod bodies;
mod connection;
mod pace;
mod roster;
mod stall;
mod tls;
mod watched;

pub use tls::{Tls, TlsError, TlsFiles};

use crate::http::{Door, Limits};
use connection::{Connection, Shared};
use roster::Roster;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long the loop rests when the system gives no more sockets.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// How seldom it says that connections are refused.
const REFUSAL_EVERY_MS: u64 = 10_000;

/// A bound socket, not yet served.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
}

impl Server {
    /// Binds; port 0 takes any free one.
    ///
    /// # Errors
    /// The address is taken, not ours, or forbidden.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let local_addr = listener.local_addr()?;
        Ok(Self { listener, local_addr })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `stop` is cancelled; then takes no more connections, lets requests in hand finish for
    /// `drain_timeout`, cuts what is left, and returns how many were cut. With `tls` it speaks nothing else.
    pub async fn serve(
        self,
        door: impl Into<Door>,
        limits: Limits,
        tls: Option<Tls>,
        stop: CancellationToken,
    ) -> usize {
        let door = door.into();
        let times = door.times();
        let roster = Roster::new(limits.max_connections, limits.max_per_address, times.mono_ms);
        let mut minding = JoinSet::new();
        if let Some(tls) = tls.clone() {
            minding.spawn(tls.mind(times.wall_ms, stop.clone()));
        }
        let shared = Arc::new(Shared {
            door,
            limits,
            tls,
            stop: stop.clone(),
        });
        let mut connections = JoinSet::new();
        let mut refusals = Refusals::default();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
                (stream, peer) = accept(&self.listener) => {
                    let Some(ticket) = roster.admit(peer.ip()) else {
                        refusals.refuse(&shared, &stream, peer);
                        continue;
                    };
                    let connection = Connection { shared: shared.clone(), peer, ticket };
                    connections.spawn(connection.serve(stream));
                }
            }
        }
        drop(self.listener);
        let cut = drain(&mut connections, shared.limits.drain_timeout).await;
        while let Some(ended) = minding.join_next().await {
            report(ended);
        }
        cut
    }
}

/// The next connection. Cancel-safe: a connection that was taken is returned at once.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The peer was gone before we took it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// Newcomers for whom nobody can make place.
#[derive(Default)]
struct Refusals {
    count: u64,
    told_ms: Option<u64>,
}

impl Refusals {
    /// Says so, as far as a fresh socket takes it, and in the log now and then.
    fn refuse(&mut self, shared: &Shared, stream: &TcpStream, peer: SocketAddr) {
        self.count += 1;
        let now_ms = (shared.door.times().mono_ms)();
        if self
            .told_ms
            .is_none_or(|told_ms| now_ms >= told_ms + REFUSAL_EVERY_MS)
        {
            self.told_ms = Some(now_ms);
            let count = std::mem::take(&mut self.count);
            tracing::warn!(%peer, count, "connections are refused: all there may be are being served \
                (MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS)");
        }
        if shared.tls.is_none()
            && let Err(error) = stream.try_write(&shared.door.no_place())
        {
            tracing::debug!(%peer, %error, "a refusal was not heard");
        }
    }
}

/// Waits for all connections, then cuts those that are left.
async fn drain(connections: &mut JoinSet<()>, within: Duration) -> usize {
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    if tokio::time::timeout(within, all_ended).await.is_ok() {
        return 0;
    }
    let cut = connections.len();
    tracing::warn!(cut, "connections were still busy and are cut");
    connections.shutdown().await;
    cut
}

/// Handlers' panics are answered inside; one that gets here is a bug of the connection itself.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}

#[cfg(test)]
mod tests;
