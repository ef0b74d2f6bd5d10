//! What a clock is to everyone who is handed one. There is none here: the rules are told the time, and only the
//! runtime's `clock.rs` asks the system for it.

/// Where time and randomness come from.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch by this machine's clock, which may be wrong, and may jump either way.
    fn wall_ms(&self) -> i64;

    /// Milliseconds since some moment of this boot; never goes back.
    fn mono_ms(&self) -> u64;

    /// Names the stretch of time in which readings of [`Clock::mono_ms`] can be compared.
    fn boot(&self) -> u64;

    /// A random number.
    fn random(&self) -> u64;

    /// Fills `bytes` with randomness that is good enough for keys.
    fn fill(&self, bytes: &mut [u8]);
}
