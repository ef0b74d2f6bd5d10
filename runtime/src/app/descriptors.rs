//! Room for connections: each is a file to the system, and the usual limit of 1,024 is less than an outlet may need.

use crate::http::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files for everything but connections: the store, plugins, backups, the cloud, what is being accepted.
const OTHERS: u64 = 256;

/// Raises this process's own limit as far as it is needed and may be; takes fewer connections where that is too little.
pub fn make_room(mut limits: Limits) -> Limits {
    let wanted = limits.max_connections as u64 + OTHERS;
    let there = raised(wanted);
    if there < wanted {
        let most = usize::try_from(there.saturating_sub(OTHERS).max(16)).unwrap_or(16);
        tracing::warn!(
            open_files = there,
            max_connections = most,
            "the system allows fewer open files than MAX_CONNECTIONS needs: fewer connections are taken (ulimit -n)"
        );
        limits.max_connections = most;
        limits.max_per_address = limits.max_per_address.min(Limits::share_of(most));
    }
    limits
}

/// The limit there is in the end.
fn raised(wanted: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None: no limit.
    let Some(now) = current.filter(|now| *now < wanted) else {
        return current.unwrap_or(u64::MAX);
    };
    let within = maximum.map_or(wanted, |maximum| wanted.min(maximum));
    let raised = Rlimit {
        current: Some(within),
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => within,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            now
        }
    }
}
