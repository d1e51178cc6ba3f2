//! What the system says of another process (Linux, `proc(5)`).

use std::time::Duration;

const PAGE_BYTES: u64 = 4_096;
/// `USER_HZ`: the kernel counts a process's time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);
/// How long a process is looked at, how often at most, and how little it may do then.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS_MAX: u32 = 60;
const REST: Duration = Duration::from_millis(30);
/// What a process opens besides its connections.
const FILES_BESIDES: usize = 300;

/// Resident memory.
pub(crate) fn resident_bytes(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * PAGE_BYTES
}

/// … at its highest, since the process began.
pub(crate) fn peak_bytes(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1_024
}

/// `utime + stime`.
pub(crate) fn cpu(process: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The program's name stands in brackets and may hold anything.
    let (_, fields) = text.rsplit_once(") ").unwrap();
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u32>().unwrap();
    TICK * (ticks(11) + ticks(12))
}

/// Waits until a process has next to nothing to do.
///
/// # Errors
/// When it always has, in a sentence.
pub(crate) async fn at_rest(process: u32) -> Result<(), String> {
    for _ in 0..LOOKS_MAX {
        let before = cpu(process);
        tokio::time::sleep(LOOK).await;
        if cpu(process) - before <= REST {
            return Ok(());
        }
    }
    Err(format!("the center is still busy after {LOOKS_MAX} s"))
}

/// How many connections a process may hold here, by its limit of open files.
pub(crate) fn connections_max() -> usize {
    let text = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = text.lines().find(|line| line.starts_with("Max open files"));
    let soft = line.unwrap().split_whitespace().nth(3).unwrap();
    let files: usize = soft.parse().unwrap_or(usize::MAX);
    files.saturating_sub(FILES_BESIDES)
}
