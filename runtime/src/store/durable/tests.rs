//! The store that keeps itself.
