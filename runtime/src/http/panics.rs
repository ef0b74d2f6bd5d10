//! A handler that panics costs its own request only.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Runs `future`; a panic becomes its message.
///
/// The future is dropped right after a panic and never polled again, so that nothing half-done of it is seen.
pub(crate) async fn catch<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(payload) => Poll::Ready(Err(text(payload.as_ref()))),
        },
    )
    .await
}

fn text(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "a panic without a message".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_its_message() {
        let caught = catch(async {
            tokio::task::yield_now().await;
            assert_eq!(1, 2, "sums");
        })
        .await;
        assert!(caught.unwrap_err().contains("sums"));
    }

    #[tokio::test]
    async fn what_does_not_panic_passes() {
        assert_eq!(catch(async { 7 }).await, Ok(7));
    }
}
