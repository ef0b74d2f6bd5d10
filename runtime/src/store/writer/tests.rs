//! The writer over a backend that can be held up, fail and panic.

use std::sync::mpsc as std_mpsc;

use super::super::{
    Counter, Expected,
    conformance::{batch, wait},
};
use super::*;

/// Tells when it is about to persist a group, and does what it is told then.
struct Scripted {
    arrived: std_mpsc::Sender<usize>,
    orders: std_mpsc::Receiver<Order>,
}

enum Order {
    Persist,
    Fail,
    Panic,
}

impl Base for Scripted {
    fn meets(&self, _: &[u8], want: &Expected) -> Result<bool, StoreError> {
        Ok(want.is_met_by(None))
    }

    fn read(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }
}

impl Backend for Scripted {
    fn persist(&mut self, plan: &mut Plan) -> Result<(), StoreError> {
        // Nobody may listen any more when the writer closes.
        let _ = self.arrived.send(plan.outcomes.len());
        match self.orders.recv() {
            Ok(Order::Fail) => Err(StoreError::from(io::Error::from(io::ErrorKind::StorageFull))),
            Ok(Order::Panic) => panic!("the engine broke"),
            Ok(Order::Persist) | Err(_) => Ok(()),
        }
    }
}

struct Stage {
    /// None: every group passes at once. First, so that it is gone when the writer closes.
    orders: Option<std_mpsc::Sender<Order>>,
    writer: Writer,
    ledger: Arc<Ledger>,
    arrived: std_mpsc::Receiver<usize>,
}

impl Stage {
    fn new() -> Self {
        let (arrived, seen) = std_mpsc::channel();
        let (orders, given) = std_mpsc::channel();
        let meta = Meta::new("epoch".to_owned());
        let ledger = Arc::new(Ledger::new(&meta, None));
        let backend = Scripted {
            arrived,
            orders: given,
        };
        let writer = Writer::start(backend, meta, ledger.clone(), None, None).expect("starts");
        Self {
            writer,
            ledger,
            arrived: seen,
            orders: Some(orders),
        }
    }

    fn put(&self, bytes: usize) -> BoxFuture<'static, Answer> {
        self.writer
            .commit(batch(|b| b.put("k", vec![0; bytes]).count(Counter::Pending, 1)))
    }

    fn order(&self, order: Order) {
        let orders = self.orders.as_ref().expect("groups are held up");
        orders.send(order).expect("the writer listens");
    }
}

#[test]
fn what_waits_becomes_one_group() {
    let stage = Stage::new();
    let first = stage.put(1);
    assert_eq!(stage.arrived.recv(), Ok(1));
    let waiting: Vec<_> = (0..100).map(|_| stage.put(1)).collect();
    stage.order(Order::Persist);
    assert_eq!(stage.arrived.recv(), Ok(100));
    stage.order(Order::Persist);
    assert!(wait(first).is_ok() && waiting.into_iter().all(|one| wait(one).is_ok()));
    assert_eq!(stage.ledger.stats(0).groups, 2);
}

#[test]
fn a_group_takes_no_more_than_its_bytes() {
    let stage = Stage::new();
    let mut waiting = vec![stage.put(1)];
    assert_eq!(stage.arrived.recv(), Ok(1));
    waiting.extend((0..4).map(|_| stage.put(GROUP_BYTES / 2)));
    for size in [2, 2] {
        stage.order(Order::Persist);
        assert_eq!(stage.arrived.recv(), Ok(size));
    }
    stage.order(Order::Persist);
    assert!(waiting.into_iter().all(|one| wait(one).is_ok()));
}

#[test]
fn nothing_is_counted_before_it_is_durable() {
    let stage = Stage::new();
    let one = stage.put(1);
    assert_eq!(stage.arrived.recv(), Ok(1));
    assert_eq!(stage.ledger.counter(Counter::Pending), 0);
    stage.order(Order::Persist);
    assert!(wait(one).is_ok());
    assert_eq!(stage.ledger.counter(Counter::Pending), 1);
}

#[test]
fn after_a_failure_nothing_is_acknowledged() {
    let stage = Stage::new();
    let failing = stage.put(1);
    assert_eq!(stage.arrived.recv(), Ok(1));
    let waiting = stage.put(1);
    stage.order(Order::Fail);
    for one in [failing, waiting, stage.put(1), stage.writer.commit(Batch::new())] {
        assert!(matches!(wait(one), Err(CommitError::Failed(error)) if error.is_full()));
    }
    assert!(stage.ledger.health().is_err_and(|error| error.is_full()));
    assert_eq!(stage.ledger.counter(Counter::Pending), 0);
    // The backend is not asked again, not even at the end.
    stage.writer.close();
    assert!(stage.arrived.try_recv().is_err());
}

#[test]
fn a_panic_of_the_engine_stops_the_store_and_not_the_process() {
    let stage = Stage::new();
    let one = stage.put(1);
    stage.order(Order::Panic);
    assert!(matches!(wait(one), Err(CommitError::Failed(error))
        if matches!(&*error, StoreError::Panicked(text) if text == "the engine broke")));
    assert!(matches!(wait(stage.put(1)), Err(CommitError::Failed(_))));
}

#[test]
fn more_than_the_queue_holds_waits_its_turn() {
    let mut stage = Stage::new();
    let mut waiting: Vec<_> = (0..QUEUE + 300).map(|_| stage.put(1)).collect();
    let last = waiting.pop().expect("some");
    stage.orders = None;
    // They are polled in turn, so that each gets its room.
    for one in waiting {
        assert!(wait(one).is_ok());
    }
    assert!(wait(last).is_ok());
    assert_eq!(stage.ledger.counter(Counter::Pending), QUEUE as i64 + 300);
}

#[test]
fn closing_commits_what_waits_and_can_be_done_twice() {
    let mut stage = Stage::new();
    let waiting: Vec<_> = (0..QUEUE).map(|_| stage.put(1)).collect();
    stage.orders = None;
    stage.writer.close();
    stage.writer.close();
    assert!(waiting.into_iter().all(|one| wait(one).is_ok()));
    assert!(matches!(wait(stage.put(1)), Err(CommitError::Closed)));
}
