//! A fleet of any size with 14 days behind it: what it takes on disk and in memory, how long a start
//! and a day's close take, and how long what arrives meanwhile has to wait.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rightsizer::pipeline::{Accept, Digest, Pipeline};
use rightsizer::settings::Settings;
use rightsizer_formats::{Channel, Delivery};
use rightsizer_records::{Record, Timestamp, encode};
use rightsizer_rules::window::ClockMode;
use rightsizer_store::Store;

use crate::files::{at, record};
use rightsizer_tests::dice::Dice;

const DAY_MS: u64 = 86_400_000;
/// Records of one delivery while the fleet is made.
const DELIVERY: u64 = 20_000;
/// Records of one delivery while a day closes: what `PutRecords` carries.
const LIVE_DELIVERY: u64 = 500;

/// What a fleet came to.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Functions.
    pub functions: u64,
    /// Bytes of the store with 14 days.
    pub disk: u64,
    /// From the opening of the store to the first delivery committed.
    pub start: Duration,
    /// The close of a day, deliveries in between included.
    pub close: Duration,
    /// The part of it that was spent on deciding.
    pub deciding: Duration,
    /// Functions decided by it.
    pub decided: u64,
    /// Reports taken in while it went on.
    pub meanwhile: u64,
    /// The longest that a delivery waited for its commit meanwhile.
    pub longest_wait: Duration,
    /// Resident bytes after the close and a record of every function, over those at the start.
    pub resident: u64,
}

/// Measures the fleet that was made in `path`: in a process of its own, for what making it took stays
/// resident.
pub fn measure(functions: u64, path: &Path) -> Result<Measured> {
    let mut dice = Dice::new(4);
    let disk = std::fs::metadata(path)?.len();
    let before = resident()?;
    let started = Instant::now();
    let mut pipeline = open(path)?;
    let late = 14 * DAY_MS + 3_000_000;
    put(
        &mut pipeline,
        14,
        0..LIVE_DELIVERY.min(functions),
        functions,
        &mut dice,
        late,
    )?;
    let start = started.elapsed();
    let mut measured = close(&mut pipeline, functions, &mut dice)?;
    for from in (0..functions).step_by(usize::try_from(DELIVERY)?) {
        let range = from..functions.min(from + DELIVERY);
        put(
            &mut pipeline,
            14,
            range,
            functions * 3,
            &mut dice,
            late + 3_600_000,
        )?;
    }
    measured.resident = resident()?.saturating_sub(before);
    Ok(Measured {
        functions,
        disk,
        start,
        ..measured
    })
}

fn open(path: &Path) -> Result<Pipeline> {
    let store = Store::open(path, "the speed measurement")?;
    let settings = Settings::default();
    Ok(Pipeline::new(
        store,
        ClockMode::Wall,
        settings,
        Accept::default(),
    )?)
}

/// Makes a fleet in `path`: fourteen days, three invocations a function and day. No day closes
/// meanwhile. Calls `progress` with the progress.
pub fn make(path: &Path, functions: u64, progress: &dyn Fn(u64, u64)) -> Result<()> {
    let dice = &mut Dice::new(3);
    let mut pipeline = open(path)?.holding_days(true);
    for day in 0..14 {
        for from in (0..functions).step_by(usize::try_from(DELIVERY)?) {
            let range = from..functions.min(from + DELIVERY);
            progress(day * functions + from, 14 * functions);
            let now = day * DAY_MS + 43_200_000;
            put(&mut pipeline, day, range, functions * day, dice, now)?;
        }
    }
    Ok(())
}

/// Delivers a record of each of `range` on `day`, at `now` of the files' time.
fn put(
    pipeline: &mut Pipeline,
    day: u64,
    range: std::ops::Range<u64>,
    environments: u64,
    dice: &mut Dice,
    now: u64,
) -> Result<Digest> {
    let mut payloads = Vec::new();
    for n in range {
        let made = record(n, environments + n + 1, day * DAY_MS, 3, dice)?;
        payloads.push(encode(&Record::Reports(made)));
    }
    let delivery = Delivery {
        origin: "speed".to_owned(),
        channel: Channel::Reports,
        payloads,
        checkpoint: None,
        gaps: Vec::new(),
    };
    Ok(pipeline.ingest(vec![delivery], at(now)?)?)
}

/// One hour and a second after the midnight that ends the 14th day.
fn closing_time() -> Result<Timestamp> {
    at(14 * DAY_MS + 3_601_000)
}

/// Lets the 14th day close while records keep arriving, as the writer's thread does it.
fn close(pipeline: &mut Pipeline, functions: u64, dice: &mut Dice) -> Result<Measured> {
    let now = closing_time()?;
    let started = Instant::now();
    let mut digest = pipeline.tick(now)?;
    let (mut meanwhile, mut longest_wait) = (0, Duration::ZERO);
    let mut deciding = started.elapsed();
    let (mut decided, mut environment) = (digest.decided, functions * 20);
    while pipeline.is_closing() {
        let waiting = Instant::now();
        digest = pipeline.close_slice(now)?;
        decided += digest.decided;
        deciding += waiting.elapsed();
        let from = dice.below(functions.saturating_sub(LIVE_DELIVERY).max(1));
        let range = from..functions.min(from + LIVE_DELIVERY);
        environment += functions;
        let ms = 14 * DAY_MS + 3_601_000;
        meanwhile += put(pipeline, 14, range, environment, dice, ms)?.accepted;
        longest_wait = longest_wait.max(waiting.elapsed());
    }
    Ok(Measured {
        functions,
        disk: 0,
        start: Duration::ZERO,
        close: started.elapsed(),
        deciding,
        decided,
        meanwhile,
        longest_wait,
        resident: 0,
    })
}

/// Resident bytes of this process.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: u64 = kib.context("VmRSS in /proc/self/status")?.parse()?;
    Ok(kib * 1024)
}
