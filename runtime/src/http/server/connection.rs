//! One connection from its first byte to its end: TLS where it is spoken, then requests one after the other, each with
//! its time.

use super::bodies::{Incoming, Outgoing};
use super::pace::Pace;
use super::roster::{Phase, Ticket};
use super::stall::StallGuard;
use super::tls::Tls;
use super::watched::Watched;
use crate::http::{Door, Limits};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// What all connections share.
pub(super) struct Shared {
    pub(super) door: Door,
    pub(super) limits: Limits,
    pub(super) tls: Option<Tls>,
    pub(super) stop: CancellationToken,
}

/// One connection.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: SocketAddr,
    pub(super) ticket: Ticket,
}

impl Connection {
    /// Serves it to its end.
    pub(super) async fn serve(self, stream: TcpStream) {
        let peer = self.peer;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        let limits = &self.shared.limits;
        let watched = Watched::new(stream, self.ticket.seat.clone());
        let stream = StallGuard::new(watched, limits.write_stall_timeout);
        let Some(tls) = &self.shared.tls else {
            return self.speak(stream).await;
        };
        self.ticket.seat.enter(Phase::Handshake);
        let agreed = tokio::select! {
            agreed = tokio::time::timeout(limits.handshake_timeout, tls.accept(stream)) => agreed,
            () = self.ticket.seat.sent_off() => return,
            () = self.shared.stop.cancelled() => return,
        };
        match agreed {
            Ok(Ok(stream)) => {
                self.ticket.seat.enter(Phase::Idle);
                self.speak(stream).await;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS came about"),
            Err(_elapsed) => tracing::debug!(%peer, "the TLS handshake took too long"),
        }
    }

    /// HTTP over whatever carries it.
    async fn speak<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) {
        let (peer, limits, seat) = (self.peer, &self.shared.limits, &self.ticket.seat);
        let service = service_fn(|request: http::Request<hyper::body::Incoming>| {
            let request = request.map(|body| Incoming::new(body, seat.clone()));
            async move {
                let answer = self.shared.door.handle(request, Some(peer)).await;
                Ok::<_, Infallible>(answer.map(|body| Outgoing::new(body, seat.clone())))
            }
        });
        let mut connection = pin!(
            http1::Builder::new()
                // Times are kept by `Pace`, which tells an idle connection from a slow head.
                .header_read_timeout(None)
                .max_header_size(limits.max_header_bytes)
                .max_buf_size(limits.max_header_bytes.max(64 * 1024))
                .serve_connection(TokioIo::new(stream), service)
        );
        let mut pace = Pace::new(seat, limits);
        let (mut stopping, mut leaving) = (false, false);
        let ended = loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => break ended,
                () = seat.sent_off(), if !leaving => {
                    if !matches!(seat.phase().0, Phase::Idle | Phase::Busy) {
                        tracing::debug!(%peer, "a request that stood still gave way to a newcomer");
                        return;
                    }
                    leaving = true;
                }
                () = self.shared.stop.cancelled(), if !stopping => stopping = true,
                late = pace.overdue(), if !leaving => {
                    if late == Phase::Head {
                        tracing::debug!(%peer, "the head of a request took too long");
                        return;
                    }
                    leaving = true;
                }
            }
            // An idle one ends at once, one that is being served after its answer.
            connection.as_mut().graceful_shutdown();
        };
        if let Err(error) = ended {
            // The peer's doing: a reset, no HTTP at all.
            tracing::debug!(%peer, %error, "connection ended early");
        }
    }
}
