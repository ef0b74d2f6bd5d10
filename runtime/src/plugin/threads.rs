//! The threads that plugins run on: WebAssembly is CPU work and never runs on an async worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::call::guarded;
use super::error::HostError;

/// Jobs that wait; more callers wait for room.
const QUEUE: usize = 64;

/// Room for the WebAssembly stack (512 KiB) and a lookup on top of it.
const STACK: usize = 2 << 20;

type Job = Box<dyn FnOnce(Busy) + Send>;

/// A thread has something to do for as long as this is there. A job gives it away before it answers, so that whoever has
/// the answer finds the thread idle.
pub(super) struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn one(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A fixed number of threads behind one bounded queue.
#[derive(Debug)]
pub(super) struct Threads {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    handles: Mutex<Vec<JoinHandle<()>>>,
    busy: Arc<AtomicUsize>,
}

/// Whether others wait for a thread; what can be left for another time asks.
pub(super) struct Room(Option<mpsc::WeakSender<Job>>);

impl Room {
    /// Somebody waits, or the threads are being stopped.
    pub(super) fn is_wanted(&self) -> bool {
        let jobs = self.0.as_ref().and_then(mpsc::WeakSender::upgrade);
        jobs.is_none_or(|jobs| jobs.capacity() < jobs.max_capacity())
    }
}

/// The threads have been stopped.
#[derive(Debug)]
pub(super) struct Stopped;

impl Threads {
    pub(super) fn start(count: usize) -> Result<Self, HostError> {
        let (sender, receiver) = mpsc::channel::<Job>(QUEUE);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut handles = Vec::with_capacity(count);
        let busy = Arc::new(AtomicUsize::new(0));
        for n in 0..count {
            let (receiver, busy) = (receiver.clone(), busy.clone());
            let handle = std::thread::Builder::new()
                .name(format!("plugin-{n}"))
                .stack_size(STACK)
                .spawn(move || work(&receiver, &busy))
                .map_err(HostError::Thread)?;
            handles.push(handle);
        }
        Ok(Self {
            jobs: Mutex::new(Some(sender)),
            handles: Mutex::new(handles),
            busy,
        })
    }

    /// Queues a job, waiting for room.
    ///
    /// Cancel-safe: a job that is not queued yet is not run; one that is queued runs to its end.
    ///
    /// # Errors
    ///
    /// [`Stopped`] after [`Threads::stop`].
    pub(super) async fn run(&self, job: impl FnOnce(Busy) + Send + 'static) -> Result<(), Stopped> {
        let sender = self.jobs.lock().clone().ok_or(Stopped)?;
        sender.send(Box::new(job)).await.map_err(|_| Stopped)
    }

    /// Runs a job if a thread has nothing to do and nobody waits for one; else it is dropped, and the answer is false.
    pub(super) fn run_if_idle(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let Some(sender) = self.jobs.lock().clone() else {
            return false;
        };
        let idle = self.busy.load(Ordering::Relaxed) < self.handles.lock().len();
        let job = Box::new(|_busy| job());
        idle && sender.capacity() == sender.max_capacity() && sender.try_send(job).is_ok()
    }

    /// For a job that makes room when others want its thread.
    pub(super) fn room(&self) -> Room {
        Room(self.jobs.lock().as_ref().map(mpsc::Sender::downgrade))
    }

    /// Takes no more jobs, runs the ones that are queued, and waits for the threads.
    pub(super) fn stop(&self) {
        drop(self.jobs.lock().take());
        let handles = std::mem::take(&mut *self.handles.lock());
        for handle in handles {
            if handle.join().is_err() {
                tracing::error!("a plugin thread panicked");
            }
        }
    }
}

fn work(receiver: &Mutex<mpsc::Receiver<Job>>, busy: &Arc<AtomicUsize>) {
    loop {
        // One thread waits in the queue, the others for this lock.
        let job = receiver.lock().blocking_recv();
        let Some(job) = job else { return };
        let busy = Busy::one(busy);
        // Logged there; the caller sees that its answer will not come.
        let _ = guarded(|| job(busy));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_panic_loses_its_own_job_only() {
        let threads = Threads::start(1).unwrap();
        let (lost, answer) = oneshot::channel::<()>();
        threads
            .run(move |_| {
                let _lost = lost;
                panic!("on purpose");
            })
            .await
            .unwrap();
        assert!(answer.await.is_err());
        let (done, answer) = oneshot::channel();
        threads
            .run(move |_| done.send(7).expect("the test waits"))
            .await
            .unwrap();
        assert_eq!(answer.await, Ok(7));
    }

    #[tokio::test]
    async fn whoever_has_an_answer_finds_the_thread_idle() {
        let threads = Threads::start(1).unwrap();
        for _ in 0..500 {
            let (done, answer) = oneshot::channel();
            let job = move |busy| {
                drop(busy);
                done.send(()).expect("the test waits");
            };
            threads.run(job).await.unwrap();
            answer.await.unwrap();
            assert!(threads.run_if_idle(|| {}));
        }
    }

    #[tokio::test]
    async fn stopping_finishes_what_is_queued_and_takes_nothing_more() {
        let threads = Threads::start(2).unwrap();
        let answers: Vec<_> = futures(&threads).await;
        threads.stop();
        for answer in answers {
            assert_eq!(answer.await, Ok(()));
        }
        assert!(threads.run(|_| {}).await.is_err());
    }

    #[tokio::test]
    async fn what_can_be_left_is_run_by_an_idle_thread_only_and_learns_when_it_is_wanted() {
        let threads = Threads::start(1).unwrap();
        let (open, opened) = std::sync::mpsc::channel::<()>();
        let (seen, saw) = oneshot::channel();
        let room = threads.room();
        assert!(!room.is_wanted());
        threads
            .run(move |_| {
                let _ = opened.recv();
            })
            .await
            .unwrap();
        while threads.busy.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(!threads.run_if_idle(|| {}), "its one thread is busy");
        threads
            .run(move |_| seen.send(()).expect("the test waits"))
            .await
            .unwrap();
        assert!(room.is_wanted(), "a job waits");
        open.send(()).unwrap();
        saw.await.unwrap();
        while threads.busy.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
        let (done, answer) = oneshot::channel();
        assert!(threads.run_if_idle(move || done.send(()).expect("the test waits")));
        answer.await.unwrap();
        threads.stop();
        assert!(room.is_wanted(), "there are no threads any more");
        assert!(!threads.run_if_idle(|| {}));
    }

    async fn futures(threads: &Threads) -> Vec<oneshot::Receiver<()>> {
        let mut answers = Vec::new();
        for _ in 0..10 {
            let (done, answer) = oneshot::channel();
            threads
                .run(move |_| done.send(()).expect("the test waits"))
                .await
                .unwrap();
            answers.push(answer);
        }
        answers
    }
}
