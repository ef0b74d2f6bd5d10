//! Takes connections, a few at a time, from who owns the data or from root. It owns their tasks and waits for them.

use super::commands::{self, Ended};
use super::connection::Connection;
use super::protocol::Command;
use super::socket::{self, Bound};
use crate::engine::Engine;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Conversations at a time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4;
/// How long the loop rests when the system gives no more sockets.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// A socket in a data directory, not yet served.
#[derive(Debug)]
pub struct Server {
    bound: Bound,
}

impl Server {
    /// Makes the socket. Only for who holds the store of that directory.
    ///
    /// # Errors
    /// When the directory takes no socket.
    pub fn bind(data_dir: &Path) -> io::Result<Self> {
        Ok(Self {
            bound: socket::bind(data_dir)?,
        })
    }

    /// Serves until `stop` is cancelled; then cuts what is going on, and removes the socket. What was cut shows as such
    /// to who asked.
    ///
    /// # Errors
    /// When the socket cannot be listened to.
    pub async fn serve(self, engine: Engine, stop: CancellationToken) -> io::Result<()> {
        let listener = UnixListener::from_std(self.bound.listener.try_clone()?)?;
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut conversations = JoinSet::new();
        loop {
            let slot = tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = conversations.join_next(), if !conversations.is_empty() => continue,
                slot = slots.clone().acquire_owned() => slot.expect("invariant: the semaphore is never closed"),
            };
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let engine = engine.clone();
                        conversations.spawn(async move {
                            converse(&engine, stream).await;
                            drop(slot);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a control connection");
                        tokio::time::sleep(ACCEPT_REST).await;
                    }
                },
            }
        }
        conversations.shutdown().await;
        Ok(())
    }
}

async fn converse(engine: &Engine, stream: UnixStream) {
    let ours = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == ours || peer.uid() == 0 => {}
        Ok(peer) => return tracing::warn!(uid = peer.uid(), "another user tried the control socket"),
        Err(error) => return tracing::warn!(%error, "who opened the control socket is not known"),
    }
    let mut connection = Connection::new(stream);
    if let Err(error) = answer(engine, &mut connection).await {
        tracing::debug!(%error, "a control connection ended early");
    }
}

async fn answer(engine: &Engine, connection: &mut Connection) -> io::Result<()> {
    let line = connection.command().await?;
    let command: Command = match serde_json::from_slice(&line) {
        Ok(command) => command,
        Err(error) => {
            let problem =
                format!("the outlet does not know this command, is it of another version? ({error})");
            return connection.end(Err(problem)).await;
        }
    };
    tracing::info!(?command, "asked over the control socket");
    match commands::run(engine, command, connection).await {
        Ok(data) => connection.end(Ok(data)).await,
        Err(Ended::Refused(why)) => {
            tracing::warn!(why, "a command over the control socket failed");
            connection.end(Err(why)).await
        }
        Err(Ended::Gone(error)) => Err(error),
    }
}
