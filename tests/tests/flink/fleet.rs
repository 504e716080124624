//! A random fleet: what its functions report on each day, and what becomes of their recommendations.

use rightsizer_records::{
    EnvId, Megabytes, Millis, Mode, Outcome, OutcomeStatus, Recommendation, Record, ReportRow,
    Reports, Status, Timestamp, encode,
};
use rightsizer_tests::dice::Dice;
use rightsizer_tests::sample;

const DAY_MS: i64 = 86_400_000;
/// The function whose reports close days.
pub(crate) const TICK: &str = "tick";

pub(crate) struct Fleet {
    dice: Dice,
    functions: Vec<Function>,
}

struct Function {
    name: String,
    size: u32,
    base: u32,
    leaks: bool,
    /// The environment that runs: its number, next record, and invocations so far.
    running: (u64, u64, u64),
}

/// The time at which day `n` begins: the day before it closes then.
pub(crate) fn begin(n: i64) -> Timestamp {
    let first = Timestamp::parse("2026-05-01T01:00:00Z").unwrap();
    first.plus_ms(n * DAY_MS)
}

impl Fleet {
    pub(crate) fn new(seed: u64, count: u32) -> Self {
        let mut dice = Dice::new(seed);
        let functions = (0..count).map(|n| Function {
            name: format!("f{n}"),
            size: [256, 512, 1024][usize::try_from(dice.below(3)).unwrap()],
            base: 60 + below(&mut dice, 250),
            leaks: dice.below(100) < 20,
            running: (0, 0, 0),
        });
        let functions = functions.collect();
        Self { dice, functions }
    }

    /// The records of a day. Of some functions there are none.
    pub(crate) fn reports(&mut self, day: i64) -> Vec<Vec<u8>> {
        let Self { dice, functions } = self;
        let mut records = Vec::new();
        for one in functions {
            if dice.below(100) < 6 {
                continue;
            }
            for part in 0..=dice.below(3) {
                let after = 5 * 3_600_000 * part + dice.below(9_000_000);
                let at = begin(day).plus_ms(i64::try_from(after).unwrap());
                records.push(one.record(at, dice));
            }
        }
        records
    }

    /// What is sent of what is open when a day is over, and what the updater makes of it at once: outcomes do not move the
    /// clock of an engine, so later ones would be later for one engine only.
    pub(crate) fn answers(&mut self, open: Vec<Recommendation>, over: Timestamp) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let is_ours = |open: &Recommendation| open.function.name() != TICK;
        for open in open.into_iter().filter(is_ours) {
            if self.dice.below(4) == 0 {
                continue;
            }
            let sent = Recommendation {
                mode: Mode::Approved,
                by: Some("reviewer".to_owned()),
                issued_at: over,
                expires_at: over.plus_ms(DAY_MS),
                ..open
            };
            let (status, reason) = match self.dice.below(8) {
                0 => (OutcomeStatus::Skipped, "mode-recommend"),
                1 => (OutcomeStatus::RolledBack, ""),
                _ => (OutcomeStatus::Applied, ""),
            };
            if status == OutcomeStatus::Applied {
                let mut its = self.functions.iter_mut();
                let its = its.find(|one| one.name == sent.function.name()).unwrap();
                its.size = sent.to_mb.0;
                its.running = (0, 0, 0);
            }
            let outcome = Outcome {
                id: sent.id.clone(),
                function: sent.function.clone(),
                status,
                from_mb: sent.from_mb,
                to_mb: sent.to_mb,
                reason: reason.to_owned(),
                detail: String::new(),
                at: over,
            };
            records.push(encode(&Record::Recommendation(sent)));
            records.push(encode(&Record::Outcome(outcome)));
        }
        records
    }
}

impl Function {
    fn record(&mut self, t0: Timestamp, dice: &mut Dice) -> Vec<u8> {
        if self.running.0 == 0 || dice.below(100) < 30 {
            self.running = (dice.below(1 << 40) + 1, 0, 0);
        }
        let (env, seq, served) = self.running;
        let rows = 1 + dice.below(if self.leaks { 200 } else { 30 });
        self.running = (env, seq + 1, served + rows);
        sample::bytes(Reports {
            env: EnvId(env),
            seq,
            total: served + rows,
            memory_mb: Megabytes(self.size),
            t0,
            reports: (0..rows).map(|n| self.row(served + n, dice)).collect(),
            cpu_ms: Some(4 * rows),
            cores: Some(2),
            ..sample::reports(&self.name).unwrap()
        })
    }

    fn row(&self, served: u64, dice: &mut Dice) -> ReportRow {
        let mut used = self.base + below(dice, 40);
        if self.leaks {
            used += u32::try_from(served / 8).unwrap();
        } else if dice.below(300) == 0 {
            used += 300;
        }
        let status = match dice.below(200) {
            _ if used > self.size => Status::OutOfMemory,
            0 => Status::Timeout,
            1..4 => Status::Error,
            _ => Status::Ok,
        };
        ReportRow {
            at_ms: i64::try_from(dice.below(60_000)).unwrap(),
            max_used_mb: Some(Megabytes(used.min(self.size))),
            duration_ms: Some(Millis::from_ms(40 + dice.below(200))),
            billed_ms: Some(Millis::from_ms(240)),
            status,
            init_ms: (served == 0).then(|| Millis::from_ms(300 + dice.below(90))),
        }
    }
}

fn below(dice: &mut Dice, end: u32) -> u32 {
    u32::try_from(dice.below(end.into())).unwrap()
}

/// A record of another function, which closes the day before `at`.
pub(crate) fn tick(at: Timestamp) -> Vec<u8> {
    sample::bytes(Reports {
        env: EnvId(at.as_ms().unsigned_abs()),
        t0: at,
        ..sample::reports(TICK).unwrap()
    })
}
