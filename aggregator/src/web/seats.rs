//! Which client has a connection, and which is closed when all are used: the one that has kept the
//! server waiting longest. A few connections are reserved for health checks and reviewers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// Connections served at once. Few enough to leave the store its files where a process may open 1024.
const PLACES: usize = 480;
/// Connections beyond these, which may not put records: taken when every other one waits for a commit.
const RESERVED: usize = 32;

/// All places.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    taken: Mutex<Taken>,
    left: Notify,
    start: Instant,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            taken: Mutex::default(),
            left: Notify::new(),
            start: Instant::now(),
        }
    }
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    ordinary: HashMap<u64, Arc<Seat>>,
    reserved: usize,
}

/// The place of one connection.
#[derive(Debug)]
pub(super) struct Seat {
    number: u64,
    reserved: bool,
    start: Instant,
    /// Since when the server waits for the client, in milliseconds since `start`.
    since: AtomicU64,
    /// Whether the client waits for the server instead.
    busy: AtomicBool,
    evicted: Notify,
}

/// A place that is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    seats: Seats,
    pub(super) seat: Arc<Seat>,
}

impl Seats {
    /// A place, as soon as there is one.
    pub(super) async fn take(&self) -> Held {
        loop {
            let left = self.0.left.notified();
            if let Some(seat) = self.seat() {
                let seats = self.clone();
                return Held { seats, seat };
            }
            left.await;
        }
    }

    fn seat(&self) -> Option<Arc<Seat>> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = taken.ordinary.len() >= PLACES;
        let free = !full || evict(&mut taken.ordinary);
        if !free && taken.reserved >= RESERVED {
            return None;
        }
        taken.next += 1;
        let seat = Arc::new(Seat {
            number: taken.next,
            reserved: !free,
            start: self.0.start,
            since: AtomicU64::new(millis(self.0.start)),
            busy: AtomicBool::new(false),
            evicted: Notify::new(),
        });
        if free {
            taken.ordinary.insert(seat.number, seat.clone());
        } else {
            taken.reserved += 1;
        }
        Some(seat)
    }
}

/// Ends the connection whose client has kept us waiting longest.
fn evict(seats: &mut HashMap<u64, Arc<Seat>>) -> bool {
    let waiting = seats.values().filter(|seat| !seat.is_busy());
    let oldest = waiting.min_by_key(|seat| (seat.since.load(Ordering::Relaxed), seat.number));
    let Some(number) = oldest.map(|seat| seat.number) else {
        return false;
    };
    if let Some(seat) = seats.remove(&number) {
        seat.evicted.notify_one();
    }
    true
}

impl Seat {
    /// The response is being sent. Only a served client counts as new: unauthenticated requests
    /// gain no time.
    pub(super) fn is_answered(&self) {
        if self.busy.swap(false, Ordering::Relaxed) {
            self.moved();
        }
    }

    /// The client took or sent much: the waiting begins again.
    pub(super) fn moved(&self) {
        self.since.store(millis(self.start), Ordering::Relaxed);
    }

    /// The client waits for the server: it keeps its place.
    pub(super) fn is_served(&self) {
        self.busy.store(true, Ordering::Relaxed);
    }

    /// Completes when another connection takes this place.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Whether it is one of those kept for other things than records.
    pub(super) const fn is_reserved(&self) -> bool {
        self.reserved
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let shared = &self.seats.0;
        let mut taken = shared.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if self.seat.reserved {
            taken.reserved -= 1;
        } else {
            taken.ordinary.remove(&self.seat.number);
        }
        drop(taken);
        shared.left.notify_one();
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_newcomer_takes_the_place_of_who_keeps_us_waiting_longest() {
        let seats = Seats::default();
        let mut held = Vec::new();
        for _ in 0..PLACES {
            held.push(seats.take().await);
        }
        held[0].seat.is_served();
        let newcomer = seats.take().await;
        assert!(!newcomer.seat.is_reserved());
        held[1].seat.evicted().await;
        held.iter()
            .chain([&newcomer])
            .for_each(|held| held.seat.is_served());
        let reserved = seats.take().await;
        assert!(reserved.seat.is_reserved());
    }

    #[tokio::test]
    async fn a_place_that_is_given_back_is_taken_again() {
        let seats = Seats::default();
        let mut held = Vec::new();
        for _ in 0..PLACES + RESERVED {
            let one = seats.take().await;
            one.seat.is_served();
            held.push(one);
        }
        let waiting = tokio::spawn({
            let seats = seats.clone();
            async move { seats.take().await.seat.is_reserved() }
        });
        tokio::task::yield_now().await;
        held.swap_remove(0);
        assert!(!waiting.await.unwrap());
    }
}
