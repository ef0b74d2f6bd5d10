//! The accept loop: connections, their limits and their end.
//!
//! It owns every connection's task and waits for all of them. It knows nothing of routes.

mod stall;

use crate::http::Door;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use stall::StallGuard;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long the loop rests when the system gives no more sockets.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// What one connection, and all together, may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; more wait in the kernel's queue. Each costs some 20 KiB when idle.
    pub max_connections: usize,
    /// From the first wait for a request to its last header byte; so also how long an idle connection is kept.
    /// Longer than the minute that clients keep pooled connections for, so that they close first.
    pub header_timeout: Duration,
    /// How long a peer may refuse to take bytes.
    pub write_stall_timeout: Duration,
    /// Request line and headers together.
    pub max_header_bytes: usize,
    /// From the signal to stop until connections that are still busy are cut.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 512,
            header_timeout: Duration::from_secs(75),
            write_stall_timeout: Duration::from_secs(30),
            max_header_bytes: 16 * 1024,
            drain_timeout: Duration::from_secs(10),
        }
    }
}

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
    /// `drain_timeout`, cuts what is left, and returns how many were cut.
    pub async fn serve(self, door: impl Into<Door>, limits: Limits, stop: CancellationToken) -> usize {
        let door = door.into();
        let slots = Arc::new(Semaphore::new(limits.max_connections));
        let limits = Arc::new(limits);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next(), if !connections.is_empty() => report(ended),
                (slot, stream, peer) = accept(&self.listener, &slots) => {
                    let connection = serve_connection(stream, peer, door.clone(), limits.clone(), stop.child_token());
                    connections.spawn(async move {
                        connection.await;
                        drop(slot);
                    });
                }
            }
        }
        drop(self.listener);
        drain(&mut connections, limits.drain_timeout).await
    }
}

/// The next connection, once there is a slot for it. Cancel-safe: a connection that was taken is returned at once.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
    let slot = slots
        .clone()
        .acquire_owned()
        .await
        .expect("invariant: the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (slot, stream, peer),
            // The peer was gone before we took it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// One connection from its first byte to its end.
async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    door: Door,
    limits: Arc<Limits>,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(move |request| {
        let door = door.clone();
        async move { Ok::<_, Infallible>(door.handle(request, Some(peer)).await) }
    });
    let io = TokioIo::new(StallGuard::new(stream, limits.write_stall_timeout));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_header_size(limits.max_header_bytes)
            .max_buf_size(limits.max_header_bytes.max(64 * 1024))
            .serve_connection(io, service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The peer's doing: a timeout, a reset, no HTTP at all.
        tracing::debug!(%peer, %error, "connection ended early");
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
