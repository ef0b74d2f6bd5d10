//! What Linux says of this process: a few small files of `/proc`, read when somebody asks.

use std::fs;

/// Ticks a second in `/proc`: Linux's interface has had 100 on every machine since 2.4, whatever the kernel's own.
const TICKS: f64 = 100.0;

/// What the process uses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Processor time of all threads, in seconds.
    pub cpu_seconds: f64,
    /// Memory that is really there.
    pub resident_bytes: f64,
    /// Address space.
    pub virtual_bytes: f64,
    /// Open files and sockets.
    pub open_fds: f64,
    /// As many as there may be.
    pub max_fds: f64,
    /// Threads.
    pub threads: f64,
    /// Since 1970.
    pub start_time_seconds: f64,
}

/// What the process uses now; none where there is no `/proc`.
pub fn usage() -> Option<Usage> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let open_fds = fs::read_dir("/proc/self/fd").ok()?.count();
    let page = rustix::param::page_size();
    read(&stat, &boot, &limits, page, open_fds)
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts below 2^52")]
fn read(stat: &str, boot: &str, limits: &str, page: usize, open_fds: usize) -> Option<Usage> {
    // The name, in parentheses, may hold anything: what follows begins after the last one. See proc_pid_stat(5).
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // The state is field 3.
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let word = |text: &str, name: &str, at: usize| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line[name.len()..]
            .split_ascii_whitespace()
            .nth(at)?
            .parse::<f64>()
            .ok()
    };
    Some(Usage {
        cpu_seconds: (field(14)? + field(15)?) / TICKS,
        threads: field(20)?,
        start_time_seconds: word(boot, "btime", 0)? + field(22)? / TICKS,
        virtual_bytes: field(23)?,
        resident_bytes: field(24)? * page as f64,
        open_fds: open_fds as f64,
        // `unlimited` is no number.
        max_fds: word(limits, "Max open files", 0).unwrap_or(f64::NAN),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_anything_in_it_hides_nothing() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 500 0 0 0 250 50 0 0 20 0 9 0 1000 4096000 25 184467";
        let boot = "cpu 1 2 3\nbtime 1700000000\n";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096       files\n";
        let usage = read(stat, boot, limits, 4096, 12).unwrap();
        assert_eq!((usage.cpu_seconds, usage.threads), (3.0, 9.0));
        assert_eq!(
            (usage.virtual_bytes, usage.resident_bytes),
            (4_096_000.0, 102_400.0)
        );
        assert_eq!(
            (usage.start_time_seconds, usage.max_fds),
            (1_700_000_010.0, 1024.0)
        );
        assert_eq!(read("nonsense", boot, limits, 4096, 1), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_uses_something() {
        let usage = usage().unwrap();
        assert!(
            usage.resident_bytes > 1e6 && usage.open_fds > 2.0 && usage.threads >= 1.0,
            "{usage:?}"
        );
    }
}
