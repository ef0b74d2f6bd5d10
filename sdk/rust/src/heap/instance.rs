//! The allocator of an instance: the room there is from the start, then memory that is asked for.

use super::first::First;
use core::alloc::{GlobalAlloc, Layout};
use talc::locking::AssumeUnlockable;
use talc::{OomHandler, Span, Talc, Talck};

/// Bytes of a page of WebAssembly.
const PAGE: usize = 64 << 10;
/// What the allocator itself needs of a claim.
const OVERHEAD: usize = 64;

#[global_allocator]
static HEAP: Heap = Heap {
    first: First::new(),
    rest: Talc::new(Growing { grown: Span::empty() }).lock(),
};

struct Heap {
    first: First,
    rest: Talck<AssumeUnlockable, Growing>,
}

// SAFETY: an instance has one thread.
unsafe impl Sync for Heap {}

// SAFETY: what lies in the first room is its own, everything else is the other allocator's.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let place = self.first.alloc(layout);
        if place.is_null() {
            // SAFETY: as the caller promises.
            unsafe { self.rest.alloc(layout) }
        } else {
            place
        }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if self.first.holds(place) {
            self.first.dealloc(place, layout.size());
        } else {
            // SAFETY: it was not the first room's, so it is of there.
            unsafe { self.rest.dealloc(place, layout) }
        }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.first.holds(place) {
            // SAFETY: as the caller promises, and it is of there.
            return unsafe { self.rest.realloc(place, layout, size) };
        }
        if self.first.resize(place, layout.size(), size) {
            return place;
        }
        // SAFETY: the alignment is that of a layout, and the caller promises that the size is one; the old and the new
        // place are different, and as long as what is copied.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(place, layout.size().min(size));
                self.dealloc(place, layout);
            }
            moved
        }
    }
}

/// Where more memory comes from.
struct Growing {
    /// What was asked for so far, in one piece.
    grown: Span,
}

// SAFETY: an instance has one thread.
unsafe impl Send for Growing {}

impl OomHandler for Growing {
    fn handle_oom(talc: &mut Talc<Self>, layout: Layout) -> Result<(), ()> {
        let needed = layout
            .size()
            .max(layout.align())
            .checked_add(OVERHEAD)
            .ok_or(())?;
        let pages = needed.div_ceil(PAGE);
        let before = core::arch::wasm32::memory_grow::<0>(pages);
        if before == usize::MAX {
            return Err(());
        }
        let from = (before * PAGE) as *mut u8;
        let to = from.wrapping_add(pages * PAGE);
        // SAFETY: the pages are new and nobody else's. Where something else had grown the memory in between, they are a
        // piece of their own.
        let grown = unsafe {
            match talc.oom_handler.grown.get_base_acme() {
                Some((base, end)) if end == from => talc.extend(talc.oom_handler.grown, Span::new(base, to)),
                _ => talc.claim(Span::new(from, to))?,
            }
        };
        talc.oom_handler.grown = grown;
        Ok(())
    }
}
