//! Decides how many rows stay in memory after a commit, by the memory that this process may use and not by the
//! number of functions.

use std::sync::OnceLock;

/// The part of the memory for rows.
const SHARE: u64 = 8;
const LEAST_BYTES: u64 = 16 << 20;
const MOST_BYTES: u64 = 1 << 30;
/// Bytes of a day or an environment, and of a function with its newest peak.
const DAY_BYTES: u64 = 2048;
const FUNCTION_BYTES: u64 = 896;

/// The numbers of rows that stay in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Of `functions` and of `peaks`.
    pub(super) functions: usize,
    /// Of `days` and of `environments`.
    pub(super) days: usize,
    /// Days and environments that may wait to be written before the end of a unit.
    pub(super) waiting: usize,
}

impl Bounds {
    /// Returns the numbers for a process that may use `memory` bytes: half for functions, a quarter each for days
    /// and environments.
    fn of(memory: u64) -> Self {
        let bytes = (memory / SHARE).clamp(LEAST_BYTES, MOST_BYTES);
        let rows =
            |share: u64, size: u64| usize::try_from(bytes / share / size).unwrap_or(usize::MAX);
        let days = rows(4, DAY_BYTES);
        Self {
            functions: rows(2, FUNCTION_BYTES),
            days,
            waiting: days.saturating_mul(2),
        }
    }

    /// Returns the numbers for this process, computed once.
    pub(super) fn of_this_machine() -> Self {
        static BOUNDS: OnceLock<Bounds> = OnceLock::new();
        *BOUNDS.get_or_init(|| Self::of(memory()))
    }
}

/// Returns the bytes that this process may use: the limit of its control group, or the machine's memory.
fn memory() -> u64 {
    let read = |path| std::fs::read_to_string(path).ok();
    let number = |text: String| text.trim().parse::<u64>().ok();
    let groups = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let allowed = groups.into_iter().filter_map(|path| number(read(path)?));
    let machine = read("/proc/meminfo").and_then(|text| total(&text));
    allowed.chain(machine).min().unwrap_or(MOST_BYTES * SHARE)
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 512 MB leave 64 MB for rows: 32 MB for 37,449 functions, and 16 MB each for 8192 days and environments.
    #[test]
    fn a_small_task_keeps_few_rows_and_a_large_machine_as_many_as_are_of_use() {
        let small = Bounds::of(512 << 20);
        assert_eq!(
            (small.functions, small.days, small.waiting),
            (37_449, 8192, 16_384)
        );
        let large = Bounds::of(64 << 30);
        assert_eq!((large.functions, large.days), (599_186, 131_072));
        assert_eq!(Bounds::of(0), Bounds::of(100 << 20));
    }

    #[test]
    fn the_memory_of_a_machine_is_read() {
        let text = "MemTotal:       16384 kB\nMemFree: 1 kB\n";
        assert_eq!(total(text), Some(16 << 20));
        assert_eq!(total("nothing"), None);
        assert!(memory() > 0);
    }
}
