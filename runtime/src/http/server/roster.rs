//! Who is connected: how many in all and from each address, and what each connection is at. When there is no room for a
//! newcomer, whoever waits longest without a request makes place. It closes nothing itself; it tells the connection to go.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;

/// A head, body or handshake that stood still for less than this may well be on its way, and is not sent off.
const PATIENCE_MS: u64 = 1000;

/// Tells the ms since some moment of the past.
pub(in crate::http) type MonoMs = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What a connection is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// TLS is being agreed on.
    Handshake,
    /// Nothing is asked.
    Idle,
    /// A request has begun, its head is not all here.
    Head,
    /// The head is here, the body is on its way.
    Body,
    /// The request is here, the answer is not all sent.
    Busy,
    /// All is said; what the peer still sends is thrown away.
    Leaving,
}

const PHASES: [Phase; 6] = [
    Phase::Handshake,
    Phase::Idle,
    Phase::Head,
    Phase::Body,
    Phase::Busy,
    Phase::Leaving,
];

/// One connection's place, shared by whoever knows something of it.
pub(super) struct Seat {
    mono_ms: MonoMs,
    /// The phase in the low three bits, above them when it began or last moved on.
    at: AtomicU64,
    /// A request's body was not read to its end.
    unread: AtomicBool,
    /// Cancelled: the place is given to another.
    sent_off: CancellationToken,
}

impl Seat {
    fn new(mono_ms: MonoMs) -> Self {
        let seat = Self {
            mono_ms,
            at: AtomicU64::new(0),
            unread: AtomicBool::new(false),
            sent_off: CancellationToken::new(),
        };
        seat.enter(Phase::Idle);
        seat
    }

    /// Begins a phase, or notes that it moved on.
    pub(super) fn enter(&self, phase: Phase) {
        self.at
            .store(self.now_ms() << 3 | phase as u64, Ordering::Relaxed);
    }

    /// The phase, and since when.
    pub(super) fn phase(&self) -> (Phase, u64) {
        let at = self.at.load(Ordering::Relaxed);
        (PHASES[(at & 7) as usize], at >> 3)
    }

    /// Now, as the seat counts.
    pub(super) fn now_ms(&self) -> u64 {
        (self.mono_ms)()
    }

    /// Bytes came: what was idle has begun a request.
    pub(super) fn heard(&self) {
        if self.phase().0 == Phase::Idle {
            self.enter(Phase::Head);
        }
    }

    /// A request's body was left unread, so that its sender may still be sending.
    pub(super) fn leave_unread(&self) {
        self.unread.store(true, Ordering::Relaxed);
    }

    /// Whether one was.
    pub(super) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    /// Resolves when the place is given to another.
    pub(super) async fn sent_off(&self) {
        self.sent_off.cancelled().await;
    }

    /// How readily it makes place; smaller goes first. None: it stays.
    fn rank(&self, now_ms: u64) -> Option<(u8, u64)> {
        let (phase, since_ms) = self.phase();
        let stands_still = now_ms.saturating_sub(since_ms) >= PATIENCE_MS;
        let rank = match phase {
            Phase::Leaving => 0,
            Phase::Idle => 1,
            Phase::Handshake | Phase::Head if stands_still => 2,
            Phase::Body if stands_still => 3,
            Phase::Handshake | Phase::Head | Phase::Body | Phase::Busy => return None,
        };
        Some((rank, since_ms))
    }
}

/// What counts as one address: an IPv6 host has a whole /64 to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Origin(IpAddr);

impl Origin {
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(ip) if !ip.is_loopback() => {
                Self(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into())
            }
            ip => Self(ip),
        }
    }
}

#[derive(Default)]
struct Seats {
    by_origin: HashMap<Origin, HashMap<u64, Arc<Seat>>>,
    count: usize,
    next: u64,
}

/// All connections there are.
pub(super) struct Roster {
    seats: Mutex<Seats>,
    most: usize,
    most_per_address: usize,
    mono_ms: MonoMs,
}

impl Roster {
    /// Room for so many, and for so many of one address.
    pub(super) fn new(most: usize, most_per_address: usize, mono_ms: MonoMs) -> Arc<Self> {
        Arc::new(Self {
            seats: Mutex::default(),
            most,
            most_per_address,
            mono_ms,
        })
    }

    /// A place for a newcomer, if need be of one who waits without a request: of its own address where that has its
    /// share, else of the address that has most. None: all who could go are being served.
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr) -> Option<Ticket> {
        let origin = Origin::of(ip);
        let now_ms = (self.mono_ms)();
        let mut seats = self.seats.lock();
        let of_its_own = seats.by_origin.get(&origin).map_or(0, HashMap::len);
        if of_its_own >= self.most_per_address {
            seats.send_one_off(origin, now_ms)?;
        } else if seats.count >= self.most {
            let mut origins: Vec<_> = seats.by_origin.iter().map(|(o, s)| (s.len(), *o)).collect();
            origins.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
            origins
                .into_iter()
                .find_map(|(_, origin)| seats.send_one_off(origin, now_ms))?;
        }
        let id = seats.next;
        seats.next += 1;
        seats.count += 1;
        let seat = Arc::new(Seat::new(self.mono_ms.clone()));
        seats
            .by_origin
            .entry(origin)
            .or_default()
            .insert(id, seat.clone());
        Some(Ticket {
            roster: self.clone(),
            origin,
            id,
            seat,
        })
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.seats.lock().count
    }
}

impl Seats {
    fn send_one_off(&mut self, origin: Origin, now_ms: u64) -> Option<()> {
        let of_origin = self.by_origin.get(&origin)?;
        let (_, id) = of_origin
            .iter()
            .filter_map(|(id, seat)| Some((seat.rank(now_ms)?, *id)))
            .min()?;
        let seat = self.remove(origin, id)?;
        seat.sent_off.cancel();
        Some(())
    }

    fn remove(&mut self, origin: Origin, id: u64) -> Option<Arc<Seat>> {
        let of_origin = self.by_origin.get_mut(&origin)?;
        let seat = of_origin.remove(&id)?;
        if of_origin.is_empty() {
            self.by_origin.remove(&origin);
        }
        self.count -= 1;
        Some(seat)
    }
}

/// A connection's place; dropping it makes room.
pub(super) struct Ticket {
    roster: Arc<Roster>,
    origin: Origin,
    id: u64,
    /// What it is at.
    pub(super) seat: Arc<Seat>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Who was sent off is not there any more.
        self.roster.seats.lock().remove(self.origin, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "127.0.0.1";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn gone(ticket: &Ticket) -> bool {
        ticket.seat.sent_off.is_cancelled()
    }

    /// Room, and its time, which goes when it is told to.
    fn room(most: usize, most_per_address: usize) -> (Arc<Roster>, impl Fn(u64)) {
        let time = Arc::new(AtomicU64::new(0));
        let read = time.clone();
        let roster = Roster::new(
            most,
            most_per_address,
            Arc::new(move || read.load(Ordering::Relaxed)),
        );
        (roster, move |ms| {
            time.fetch_add(ms, Ordering::Relaxed);
        })
    }

    #[test]
    fn the_longest_idle_makes_place_and_nobody_who_is_served() {
        let (roster, pass) = room(8, 3);
        let [served, old, young] = [(); 3].map(|()| roster.admit(ip(HERE)).unwrap());
        served.seat.enter(Phase::Busy);
        pass(5);
        young.seat.enter(Phase::Idle);
        let newcomer = roster.admit(ip(HERE)).unwrap();
        assert_eq!([gone(&served), gone(&old), gone(&young)], [false, true, false]);
        assert_eq!(roster.count(), 3);
        for ticket in [&young, &newcomer] {
            ticket.seat.enter(Phase::Busy);
        }
        assert!(roster.admit(ip(HERE)).is_none());
        assert!(roster.admit(ip("127.0.0.2")).is_some());
        drop((served, old));
        assert!(roster.admit(ip(HERE)).is_some());
    }

    #[test]
    fn a_request_that_stands_still_makes_place_and_one_that_moves_does_not() {
        for phase in [Phase::Head, Phase::Body, Phase::Handshake] {
            let (roster, pass) = room(8, 1);
            let slow = roster.admit(ip(HERE)).unwrap();
            slow.seat.enter(phase);
            pass(999);
            assert!(roster.admit(ip(HERE)).is_none(), "{phase:?}");
            pass(1);
            assert!(roster.admit(ip(HERE)).is_some(), "{phase:?}");
            assert!(gone(&slow));
        }
    }

    #[test]
    fn when_all_is_full_the_address_with_most_gives_way() {
        let (roster, pass) = room(4, 3);
        let app = roster.admit(ip("10.0.0.7")).unwrap();
        pass(10);
        let crowd = [(); 3].map(|()| roster.admit(ip(HERE)).unwrap());
        let newcomer = roster.admit(ip("10.0.0.8")).unwrap();
        assert!(!gone(&app) && !gone(&newcomer));
        assert_eq!(crowd.iter().filter(|ticket| gone(ticket)).count(), 1);
        assert_eq!(roster.count(), 4);
        drop((app, crowd, newcomer));
        assert_eq!(roster.count(), 0);
    }

    #[test]
    fn a_network_of_ipv6_and_an_ipv4_address_in_ipv6_are_one_address() {
        assert_eq!(
            Origin::of(ip("2001:db8::1")),
            Origin::of(ip("2001:db8::ffff:0:0:1"))
        );
        assert_ne!(Origin::of(ip("2001:db8::1")), Origin::of(ip("2001:db8:0:1::1")));
        assert_eq!(Origin::of(ip("::ffff:10.0.0.1")), Origin::of(ip("10.0.0.1")));
    }
}
