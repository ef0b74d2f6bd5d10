//! The rungs, each with a store that needs it.
