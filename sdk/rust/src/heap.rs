//! The heap of a plugin: first what its memory has from the start, then what it asks for.
//!
//! An outlet gives each conflict a fresh instance. A memory that grows in each of them is made accessible and taken away again
//! by the system each time, which costs more than most rules do; what is there from the start costs nothing.

#![expect(unsafe_code, reason = "an allocator hands out memory")]

use core::alloc::Layout;
use core::ptr::addr_of_mut;
use talc::locking::AssumeUnlockable;
use talc::{OomHandler, Span, Talc, Talck};

/// Bytes there are from the start: room for a conflict of documents of some 5 KB.
const FIRST: usize = 60 << 10;
/// Bytes of a page of WebAssembly.
const PAGE: usize = 64 << 10;
/// What the allocator itself needs of a claim.
const OVERHEAD: usize = 64;

static mut ROOM: [u8; FIRST] = [0; FIRST];

#[global_allocator]
static HEAP: Talck<AssumeUnlockable, Growing> = Talc::new(Growing {
    is_begun: false,
    grown: Span::empty(),
})
.lock();

/// Where more memory comes from.
struct Growing {
    /// What was there from the start is in use.
    is_begun: bool,
    /// What was asked for so far, in one piece.
    grown: Span,
}

// SAFETY: an instance has one thread.
unsafe impl Send for Growing {}

impl OomHandler for Growing {
    fn handle_oom(talc: &mut Talc<Self>, layout: Layout) -> Result<(), ()> {
        if !talc.oom_handler.is_begun {
            talc.oom_handler.is_begun = true;
            // SAFETY: nothing else refers to it, and it is given away once.
            unsafe { talc.claim(Span::from_array(addr_of_mut!(ROOM))) }?;
            return Ok(());
        }
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
