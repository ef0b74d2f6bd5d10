//! Requests in flight: those that are all here and not answered yet. Who is still sending takes no place, so that slow
//! senders keep nobody from being served; who comes when all places are taken is told to come again.

use crate::http::ApiError;
use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What supervisors ask: an outlet that has much to do is not dead.
const ALWAYS: [&str; 2] = ["/healthz", "/readyz"];

/// One place for each request.
pub(crate) struct Flights(Arc<Semaphore>);

/// All places are taken.
#[derive(Debug, thiserror::Error)]
#[error("too many requests at once")]
pub(crate) struct Full;

impl From<Full> for ApiError {
    fn from(_: Full) -> Self {
        Self::unavailable("overloaded", "too many requests at once: send it again").retry_after(1)
    }
}

/// A request's place, once it has one.
type Seat = Arc<OnceLock<OwnedSemaphorePermit>>;

/// Holds a request's place.
pub(crate) struct Boarded(#[expect(dead_code, reason = "held, not read")] Seat);

impl Flights {
    /// So many places.
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }

    /// A place for a request: now, if it is all here, else when its body is.
    ///
    /// # Errors
    /// When it is all here and there is no place.
    pub(crate) fn board<B>(&self, request: Request<B>) -> Result<(Request<Body>, Boarded), ApiError>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let seat = Seat::default();
        let boarding = Boarding {
            places: self.0.clone(),
            seat: seat.clone(),
        };
        if request.body().is_end_stream() {
            if !ALWAYS.contains(&request.uri().path()) {
                boarding.now()?;
            }
            return Ok((request.map(Body::new), Boarded(seat)));
        }
        let request = request.map(|body| {
            Body::new(Arriving {
                inner: Box::pin(body),
                boarding: Some(boarding),
            })
        });
        Ok((request, Boarded(seat)))
    }
}

struct Boarding {
    places: Arc<Semaphore>,
    seat: Seat,
}

impl Boarding {
    fn now(self) -> Result<(), Full> {
        let permit = self.places.try_acquire_owned().map_err(|_none_left| Full)?;
        // A request boards once.
        self.seat.set(permit).map_err(|_seated| Full)
    }
}

/// A body on its way.
struct Arriving<B> {
    inner: Pin<Box<B>>,
    boarding: Option<Boarding>,
}

impl<B> HttpBody for Arriving<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.inner.as_mut().poll_frame(cx));
        if (frame.is_none() || self.inner.is_end_stream())
            && let Some(boarding) = self.boarding.take()
            && let Err(full) = boarding.now()
        {
            return Poll::Ready(Some(Err(full.into())));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        // Not before it has a place.
        self.boarding.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn request(path: &str, body: Body) -> Request<Body> {
        Request::builder().uri(path).body(body).unwrap()
    }

    #[tokio::test]
    async fn who_is_still_sending_takes_no_place_and_who_is_here_does() {
        let flights = Flights::new(1);
        let (sending, _first) = flights.board(request("/a", Body::from("x"))).unwrap();
        let (_asking, second) = flights.board(request("/b", Body::empty())).unwrap();
        let Err(full) = flights.board(request("/c", Body::empty())) else {
            panic!("there was one place")
        };
        assert_eq!((full.status().as_u16(), full.code()), (503, "overloaded"));
        flights.board(request("/healthz", Body::empty())).unwrap();
        let late = sending.into_body().collect().await.unwrap_err();
        assert!(late.into_inner().is::<Full>());
        drop(second);
        let (sending, _third) = flights.board(request("/a", Body::from("x"))).unwrap();
        assert_eq!(sending.into_body().collect().await.unwrap().to_bytes(), "x");
        assert!(flights.board(request("/c", Body::empty())).is_err());
    }
}
