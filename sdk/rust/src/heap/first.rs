//! The room there is from the start.

use core::alloc::Layout;
use core::cell::{Cell, UnsafeCell};
use core::ptr::null_mut;

/// Its bytes: enough for a conflict of documents of some 10 KB.
pub const FIRST: usize = 128 << 10;

/// Handed out front to back, by one thread.
pub struct First {
    room: UnsafeCell<[u128; FIRST / 16]>,
    /// Where the next piece may begin.
    next: Cell<usize>,
    /// Pieces in use.
    live: Cell<usize>,
}

impl First {
    pub const fn new() -> Self {
        Self {
            room: UnsafeCell::new([0; FIRST / 16]),
            next: Cell::new(0),
            live: Cell::new(0),
        }
    }

    /// Whether the piece at this place is of here.
    pub fn holds(&self, place: *mut u8) -> bool {
        self.place_of(place) < FIRST
    }

    /// Null: there is no room.
    pub fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.base() as usize;
        let at = (base + self.next.get()).next_multiple_of(layout.align()) - base;
        match at.checked_add(layout.size()) {
            Some(end) if end <= FIRST => {
                self.next.set(end);
                self.live.set(self.live.get() + 1);
                self.base().wrapping_add(at)
            }
            _ => null_mut(),
        }
    }

    /// Takes a piece back.
    pub fn dealloc(&self, place: *mut u8, size: usize) {
        let live = self.live.get() - 1;
        self.live.set(live);
        let at = self.place_of(place);
        if live == 0 {
            self.next.set(0);
        } else if at + size == self.next.get() {
            self.next.set(at);
        }
    }

    /// Whether the piece has its new size where it is.
    pub fn resize(&self, place: *mut u8, from: usize, to: usize) -> bool {
        let at = self.place_of(place);
        if at + from == self.next.get() && to <= FIRST - at {
            self.next.set(at + to);
            return true;
        }
        to <= from
    }

    fn base(&self) -> *mut u8 {
        self.room.get().cast()
    }

    fn place_of(&self, place: *mut u8) -> usize {
        (place as usize).wrapping_sub(self.base() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Alloc(usize, u32),
        Dealloc(usize),
        Resize(usize, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (1..5_000_usize, 0..8_u32).prop_map(|(size, align)| Step::Alloc(size, align)),
            2 => any::<usize>().prop_map(Step::Dealloc),
            2 => (any::<usize>(), 1..9_000_usize).prop_map(|(which, size)| Step::Resize(which, size)),
        ]
    }

    /// A piece in use: its place, size, alignment, and what fills it.
    struct Piece {
        place: *mut u8,
        size: usize,
        align: usize,
        fill: u8,
    }

    impl Piece {
        fn write(&self) {
            // SAFETY: the piece was handed out with this size.
            unsafe { self.place.write_bytes(self.fill, self.size) }
        }

        fn is_whole(&self) -> bool {
            // SAFETY: the piece was handed out with this size and filled.
            let bytes = unsafe { core::slice::from_raw_parts(self.place, self.size) };
            bytes.iter().all(|byte| *byte == self.fill)
        }
    }

    proptest! {
        #[test]
        fn no_two_pieces_share_a_byte(steps in prop::collection::vec(step(), 1..200)) {
            let first = Box::new(First::new());
            let mut pieces: Vec<Piece> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                let fill = number as u8;
                match step {
                    Step::Alloc(size, align) => {
                        let align = 1 << align;
                        let place = first.alloc(Layout::from_size_align(size, align).unwrap());
                        if !place.is_null() {
                            prop_assert!(first.holds(place));
                            prop_assert_eq!(place as usize % align, 0);
                            pieces.push(Piece { place, size, align, fill });
                            pieces[pieces.len() - 1].write();
                        }
                    }
                    Step::Dealloc(which) if !pieces.is_empty() => {
                        let piece = pieces.swap_remove(which % pieces.len());
                        prop_assert!(piece.is_whole());
                        first.dealloc(piece.place, piece.size);
                    }
                    Step::Resize(which, size) if !pieces.is_empty() => {
                        let which = which % pieces.len();
                        let piece = &mut pieces[which];
                        if first.resize(piece.place, piece.size, size) {
                            piece.size = piece.size.min(size);
                            prop_assert!(piece.is_whole());
                            piece.size = size;
                            piece.write();
                            prop_assert_eq!(piece.place as usize % piece.align, 0);
                        }
                    }
                    Step::Dealloc(_) | Step::Resize(..) => {}
                }
                prop_assert!(pieces.iter().all(Piece::is_whole), "after step {}", number);
            }
            for piece in pieces.drain(..) {
                first.dealloc(piece.place, piece.size);
            }
            let all = first.alloc(Layout::from_size_align(FIRST, 16).unwrap());
            prop_assert!(!all.is_null(), "what is not in use is there again");
        }
    }
}
