//! Telling outlets what headquarters did: bodies, signatures and delivery. What to send is decided by whoever edits
//! (in the transaction of the edit); this is how it gets there.

pub mod body;
pub mod deliver;
pub mod sign;

pub use deliver::Postman;
