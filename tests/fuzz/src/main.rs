//! `rightsizer-fuzz [SECONDS] [TARGET]`: mutates inputs of every decoder, or of one, for this time
//! each.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rightsizer_fuzz::{TARGETS, run};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(60);
    let only = arguments.next();
    let seed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |d| d.as_secs());
    for target in TARGETS {
        if only.as_ref().is_some_and(|name| name != target.name) {
            continue;
        }
        match run(*target, Duration::from_secs(seconds), seed) {
            Ok(done) => println!(
                "{}: {} executions in {seconds} s (seed {seed}), at most {} KiB and {:?}",
                target.name,
                done.executions,
                done.most_bytes >> 10,
                done.longest
            ),
            Err(error) => {
                eprintln!("{}: {error}", target.name);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
