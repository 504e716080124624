//! Random histories: what functions report, what was sent to them and what became of it, and what the rules alone
//! propose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use rightsizer_flink::{Engine, Frames, Moment, Writer};
use rightsizer_formats::states::to_line;
use rightsizer_records::{
    Arch, Day, EnvId, FunctionArn, Listing, Megabytes, Millis, Mode, News, Notice, Outcome,
    OutcomeStatus, Proposal, Recommendation, Record, ReportRow, Reports, Status, Timestamp, decode,
    encode,
};
use rightsizer_rules::state::FunctionState;
use serde_json::Value;

use super::job::Job;

pub(crate) const SETTINGS: &str = "[policy]\nmax_step_down = 0.6\n";
const DAY_MS: i64 = 86_400_000;

/// Numbers that a seed decides.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1)
    }

    fn small(&mut self, most: u32) -> u32 {
        u32::try_from(self.below(most.into())).unwrap()
    }

    fn of_100(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            let other = usize::try_from(self.below(at as u64 + 1)).unwrap();
            list.swap(at, other);
        }
    }
}

/// A function of the world that is simulated.
struct Function {
    arn: FunctionArn,
    size: u32,
    base: u32,
    leaks: bool,
    /// Whether the inventory lists it.
    listed: bool,
    /// Whether a fifth of its reports, at each size, have no time of the day, so that hours are never matched.
    untimed: bool,
    state: Vec<u8>,
    /// The environment that runs: its number, next record, and invocations so far.
    running: (u64, u64, u64),
}

/// A history, and what the rules alone propose.
pub(crate) struct History {
    /// The records of each day.
    reports: Vec<Vec<Vec<u8>>>,
    /// The functions that a person had forgotten, and the day. Earlier evidence counts again if it is delivered again.
    forgotten: BTreeSet<(i64, String)>,
    decisions: Vec<Vec<u8>>,
    pub(crate) proposals: Vec<Value>,
    /// The state of each function at the end.
    pub(crate) states: BTreeMap<String, FunctionState>,
    /// The states at the end of each day.
    of_days: Vec<BTreeMap<String, FunctionState>>,
}

/// What may happen in a history.
#[derive(Clone, Copy, Default)]
struct Kind {
    /// A person has functions forgotten.
    forgets: bool,
    /// Reports without a time of the day.
    untimed: bool,
}

/// What was written on the decisions stream.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) sent: usize,
    pub(crate) answered: usize,
    pub(crate) listed: usize,
    pub(crate) cleared: usize,
    pub(crate) forgotten: usize,
}

/// The first close: windows begin here.
fn start() -> Timestamp {
    Timestamp::parse("2026-05-01T01:00:00Z").unwrap()
}

impl History {
    pub(crate) fn random(seed: u64, functions: u32, days: i64) -> Self {
        let kind = Kind {
            forgets: true,
            untimed: false,
        };
        Self::made(seed, functions, days, kind)
    }

    /// A history that gives the same proposals if states lose the hours of durations, as those of older versions do.
    pub(crate) fn without_hours(seed: u64, functions: u32, days: i64) -> Self {
        let kind = Kind {
            forgets: true,
            untimed: true,
        };
        Self::made(seed, functions, days, kind)
    }

    /// The same, in which no function is forgotten.
    pub(crate) fn that_forgets_nothing(seed: u64, functions: u32, days: i64) -> Self {
        let kind = Kind {
            forgets: false,
            untimed: true,
        };
        Self::made(seed, functions, days, kind)
    }

    fn made(seed: u64, functions: u32, days: i64, kind: Kind) -> Self {
        let engine = Engine::open(&format!("{SETTINGS}[flink]\nevent_clock = true")).unwrap();
        let mut dice = Dice::new(seed);
        let mut world: Vec<Function> = (0..functions)
            .map(|n| function(n, kind.untimed, &mut dice))
            .collect();
        let mut history = Self {
            reports: Vec::new(),
            forgotten: BTreeSet::new(),
            decisions: Vec::new(),
            proposals: Vec::new(),
            states: BTreeMap::new(),
            of_days: Vec::new(),
        };
        let mut sent: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        for day in 0..days {
            let begins = start().plus_ms(day * DAY_MS);
            let mut records = Vec::new();
            for (n, one) in world.iter_mut().enumerate() {
                if let Some(answers) = sent.remove(&n) {
                    history.advance(&engine, one, (1, &answers), moment(begins, false));
                    history.decisions.extend(answers);
                }
                let (news, is_forgotten) = news(one, day, begins, kind.forgets, &mut dice);
                history.advance(&engine, one, (1, &news), moment(begins, false));
                history.decisions.extend(news);
                // What comes on the day of the command may be of before it or after it.
                let its = if is_forgotten {
                    history.forgotten.insert((day, one.arn.to_string()));
                    Vec::new()
                } else {
                    reports(one, begins, &mut dice)
                };
                history.advance(&engine, one, (0, &its), moment(begins, false));
                records.extend(its);
            }
            history.reports.push(records);
            let over = begins.plus_ms(DAY_MS);
            for (n, one) in world.iter_mut().enumerate() {
                let before = history.proposals.len();
                history.advance(&engine, one, (0, &[]), moment(over, true));
                let proposal = history.proposals.get(before).cloned();
                if let Some(answers) = proposal.and_then(|p| answer(one, &p, over, &mut dice)) {
                    sent.insert(n, answers);
                }
            }
            let states = world.iter().filter(|one| !one.state.is_empty());
            let states = states.map(|one| FunctionState::from_bytes(&one.state).unwrap());
            history.of_days.push(by_name(states));
        }
        history.states = history.of_days.last().cloned().unwrap_or_default();
        history
    }

    /// What was written on the decisions stream.
    pub(crate) fn written(&self) -> Written {
        let mut written = Written::default();
        for record in &self.decisions {
            match decode(record) {
                Ok(Record::Recommendation(_)) => written.sent += 1,
                Ok(Record::Outcome(_)) => written.answered += 1,
                Ok(Record::Notice(notice)) => match notice.news {
                    News::Listed(_) => written.listed += 1,
                    News::Cleared { .. } => written.cleared += 1,
                    News::Forgotten => written.forgotten += 1,
                    News::Gone | News::Due => {}
                },
                other => panic!("{other:?} on the decisions stream"),
            }
        }
        written
    }

    fn is_forgotten_on(&self, day: i64, record: &[u8]) -> bool {
        let Ok(Record::Reports(reports)) = decode(record) else {
            panic!("not a record of reports");
        };
        let function = reports.function.to_string();
        self.forgotten.contains(&(day, function))
    }

    fn advance(
        &mut self,
        engine: &Engine,
        one: &mut Function,
        (stream, records): (u8, &[Vec<u8>]),
        moment: Moment,
    ) {
        let mut writer = Writer::default();
        for record in records {
            writer.byte(stream);
            writer.bytes(record);
        }
        let read = engine.read(&writer.0, moment.now).unwrap();
        let (mut frames, mut inputs) = (Frames(&read), Writer::default());
        while let Some(kind) = frames.byte() {
            assert_eq!(kind, 1, "nothing is refused");
            frames.bytes().unwrap();
            frames.0 = &frames.0[8..];
            inputs.bytes(frames.bytes().unwrap());
        }
        if inputs.0.is_empty() && (one.state.is_empty() || !moment.closes) {
            return;
        }
        let step = engine
            .advance(one.arn.as_str(), &one.state, &inputs.0, moment)
            .unwrap();
        one.state = step.state;
        for proposal in step.proposals {
            self.proposals
                .push(serde_json::from_slice(&proposal).unwrap());
        }
    }

    /// The same with every record `times` times, so that a run takes long enough to be disturbed.
    pub(crate) fn write_often(&self, job: &Job, files: usize, times: usize) {
        let often = |day: &Vec<Vec<u8>>| {
            day.iter()
                .cycle()
                .take(day.len() * times)
                .cloned()
                .collect()
        };
        let history = Self {
            reports: self.reports.iter().map(often).collect(),
            forgotten: self.forgotten.clone(),
            decisions: self.decisions.clone(),
            proposals: Vec::new(),
            states: BTreeMap::new(),
            of_days: Vec::new(),
        };
        history.write(job, files, 0);
        // The latest time of a reader that ended before a kill is lost with it.
        for file in 1..files {
            history.write_tick(job, file);
        }
    }

    /// Writes the records into `files` files of a run: each day in another order, some records twice. A last record, in
    /// one of the files, closes the last day.
    pub(crate) fn write(&self, job: &Job, files: usize, seed: u64) {
        self.write_from(0, job, files, seed);
    }

    /// Adds the record that closes the last day to a file.
    fn write_tick(&self, job: &Job, file: usize) {
        let days = i64::try_from(self.reports.len()).unwrap();
        let mut line = tick(start().plus_ms(days * DAY_MS + 60_000));
        line.push(b'\n');
        let path = job.reports().join(format!("{file}.jsonl"));
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(&line).unwrap();
    }

    /// Writes the states at the end of the day before `day`, as a system that moves brings them, and the records from
    /// that day on. Some of the day before come again.
    pub(crate) fn write_moved(&self, day: usize, job: &Job) {
        let lines = self.of_days[day - 1]
            .values()
            .map(|state| to_line(state) + "\n");
        let lines: String = lines.collect();
        std::fs::write(job.folder("initial").join("states-0.txt"), lines).unwrap();
        self.write_from(day, job, 2, 5);
    }

    fn write_from(&self, first: usize, job: &Job, files: usize, seed: u64) {
        let mut dice = Dice::new(seed + 100);
        let mut texts = vec![Vec::new(); files];
        let mut before: Vec<Vec<u8>> = match first.checked_sub(1) {
            Some(day) => self.reports[day].clone(),
            None => Vec::new(),
        };
        for (number, day) in (0_i64..).zip(&self.reports).skip(first) {
            before.retain(|record| !self.is_forgotten_on(number, record));
            let mut records = day.clone();
            let again = before.iter().chain(day).filter(|_| dice.of_100(15));
            records.extend(again.cloned().collect::<Vec<_>>());
            dice.shuffle(&mut records);
            for record in records {
                let file = usize::try_from(dice.below(files as u64)).unwrap();
                texts[file].extend(record);
                texts[file].push(b'\n');
            }
            before.clone_from(day);
        }
        for (n, text) in texts.into_iter().enumerate() {
            std::fs::write(job.reports().join(format!("{n}.jsonl")), text).unwrap();
        }
        self.write_tick(job, 0);
        write_lines(&job.decisions().join("0.jsonl"), &self.decisions);
    }
}

fn write_lines(path: &Path, records: &[Vec<u8>]) {
    let mut text = Vec::new();
    for record in records {
        text.extend(record);
        text.push(b'\n');
    }
    std::fs::write(path, text).unwrap();
}

fn moment(event: Timestamp, closes: bool) -> Moment {
    Moment {
        // The machine's clock is later than all of it, as it is for the job.
        now: Timestamp::parse("2026-12-01T00:00:00Z").unwrap(),
        event,
        closed: Some(Day::from_number(
            event.plus_ms(-3_600_000).day().number() - 1,
        )),
        closes,
    }
}

fn function(n: u32, untimed: bool, dice: &mut Dice) -> Function {
    let name = format!("f{n}");
    Function {
        arn: FunctionArn::new("aws", "eu-central-1", "123456789012", &name).unwrap(),
        size: [256, 512, 1024][usize::try_from(dice.below(3)).unwrap()],
        base: 60 + dice.small(250),
        leaks: dice.of_100(15),
        listed: dice.of_100(60),
        untimed,
        state: Vec::new(),
        running: (0, 0, 0),
    }
}

/// The newest state of each function.
pub(crate) fn by_name(
    states: impl Iterator<Item = FunctionState>,
) -> BTreeMap<String, FunctionState> {
    let mut newest: BTreeMap<String, FunctionState> = BTreeMap::new();
    let age = |state: &FunctionState| (state.closed(), state.newest(), state.counts().seen);
    for state in states {
        let name = state.function().to_string();
        if newest
            .get(&name)
            .is_none_or(|known| age(known) <= age(&state))
        {
            newest.insert(name, state);
        }
    }
    newest
}

/// What the aggregator writes about a function on a day: a refresh of the inventory, and commands; and whether the
/// function is forgotten by them.
fn news(
    one: &Function,
    day: i64,
    begins: Timestamp,
    forgets: bool,
    dice: &mut Dice,
) -> (Vec<Vec<u8>>, bool) {
    let notice = |at: Timestamp, news: News| {
        encode(&Record::Notice(Notice {
            function: one.arn.to_string(),
            at,
            news,
        }))
    };
    let mut records = Vec::new();
    if one.listed && day % 4 == 1 {
        let listing = Listing {
            memory_mb: Megabytes(one.size),
            timeout_s: 30,
            arch: Arch::Arm64,
            code_sha256: Some(format!("code{}", day / 12)),
            tags: Some(BTreeMap::from([("rightsizer:mode".into(), "auto".into())])),
            failures_only: false,
            snap_start: false,
            modified: dice.of_100(20).then(|| begins.plus_ms(-3_600_000)),
            alarm: dice.of_100(15).then(|| "errors".to_owned()),
            alarms_read: true,
        };
        records.push(notice(
            begins.plus_ms(900_000),
            News::Listed(Box::new(listing)),
        ));
    }
    if dice.of_100(4) {
        let through = begins.day().plus(-1);
        records.push(notice(begins.plus_ms(960_000), News::Cleared { through }));
    }
    let is_forgotten = forgets && day > 6 && dice.of_100(2);
    if is_forgotten {
        records.push(notice(begins.plus_ms(1_000_000), News::Forgotten));
    }
    (records, is_forgotten)
}

/// A record of one environment's first invocation, at `at`: it used all of 512 MB, and ran out of it or not.
pub(crate) fn one(name: &str, at: Timestamp, status: Status) -> Vec<u8> {
    let arn = FunctionArn::new("aws", "eu-central-1", "123456789012", name).unwrap();
    let used = if status == Status::Ok { 100 } else { 512 };
    encode(&Record::Reports(Reports {
        memory_mb: Megabytes(512),
        env: EnvId(at.as_ms().unsigned_abs()),
        reports: vec![ReportRow {
            max_used_mb: Some(Megabytes(used)),
            duration_ms: Some(Millis::from_ms(40)),
            billed_ms: Some(Millis::from_ms(40)),
            status,
            ..ReportRow::default()
        }],
        ..nothing(arn, at)
    }))
}

/// A day's records of a function.
fn reports(one: &mut Function, begins: Timestamp, dice: &mut Dice) -> Vec<Vec<u8>> {
    if dice.of_100(6) {
        return Vec::new();
    }
    let (mut records, mut all) = (Vec::new(), 0);
    for part in 0..=i64::try_from(dice.below(3)).unwrap() {
        if one.running.0 == 0 || dice.of_100(30) {
            one.running = (dice.below(1 << 40) + 1, 0, 0);
        }
        let t0 =
            begins.plus_ms(part * 5 * 3_600_000 + i64::try_from(dice.below(9_000_000)).unwrap());
        let rows = 1 + dice.below(if one.leaks { 200 } else { 30 });
        let rows: Vec<_> = (0..rows).map(|n| row(one, n, dice)).collect();
        all += rows.len();
        records.push(record(one, t0, rows));
    }
    if one.untimed {
        // A time of midnight is none.
        let midnight = begins.plus_ms(DAY_MS).day().start();
        let rows = 0..=all as u64 / 4;
        let rows = rows.map(|n| ReportRow {
            at_ms: 0,
            ..row(one, n, dice)
        });
        let rows = rows.collect();
        records.push(record(one, midnight, rows));
    }
    records
}

/// The next record of the environment that runs.
fn record(one: &mut Function, t0: Timestamp, reports: Vec<ReportRow>) -> Vec<u8> {
    let (env, seq, served) = one.running;
    let rows = reports.len() as u64;
    one.running = (env, seq + 1, served + rows);
    encode(&Record::Reports(Reports {
        function: one.arn.clone(),
        version: "$LATEST".into(),
        env: EnvId(env),
        seq,
        total: served + rows,
        memory_mb: Megabytes(one.size),
        arch: None,
        runtime: None,
        init: None,
        t0,
        reports,
        errors: Vec::new(),
        cpu_ms: Some(4 * rows),
        cores: Some(2),
        self_kib: Some(3000),
        folded: None,
        events_dropped: 0,
    }))
}

/// The row after `n` others of a record.
fn row(one: &Function, n: u64, dice: &mut Dice) -> ReportRow {
    let served = one.running.2 + n;
    let mut used = one.base + dice.small(40);
    if one.leaks {
        used += u32::try_from(served / 8).unwrap();
    } else if dice.below(300) == 0 {
        used += 300;
    }
    let status = match dice.below(200) {
        _ if used > one.size => Status::OutOfMemory,
        0 => Status::Timeout,
        1..4 => Status::Error,
        _ => Status::Ok,
    };
    ReportRow {
        at_ms: i64::try_from(dice.below(60_000)).unwrap(),
        max_used_mb: Some(Megabytes(used.min(one.size))),
        duration_ms: Some(Millis::from_ms(40 + dice.below(200))),
        billed_ms: Some(Millis::from_ms(240)),
        status,
        init_ms: (served == 0).then(|| Millis::from_ms(300 + dice.below(90))),
    }
}

/// What a person approves and the updater makes of it.
fn answer(
    one: &mut Function,
    proposal: &Value,
    over: Timestamp,
    dice: &mut Dice,
) -> Option<Vec<Vec<u8>>> {
    let bytes = serde_json::to_vec(proposal).unwrap();
    let Ok(Record::Proposal(proposal)) = decode(&bytes) else {
        panic!("not a proposal");
    };
    let sent = recommendation(&one.arn, &proposal, over)?;
    let status = match dice.below(8) {
        0 => OutcomeStatus::Skipped,
        1 => OutcomeStatus::RolledBack,
        _ => OutcomeStatus::Applied,
    };
    if status == OutcomeStatus::Applied {
        one.size = sent.to_mb.0;
        one.running = (0, 0, 0);
    }
    let outcome = Outcome {
        id: sent.id.clone(),
        function: one.arn.clone(),
        status,
        from_mb: sent.from_mb,
        to_mb: sent.to_mb,
        reason: String::new(),
        detail: String::new(),
        at: over.plus_ms(600_000),
    };
    Some(vec![
        encode(&Record::Recommendation(sent)),
        encode(&Record::Outcome(outcome)),
    ])
}

fn recommendation(
    arn: &FunctionArn,
    proposal: &Proposal,
    over: Timestamp,
) -> Option<Recommendation> {
    let decision = proposal.decision.as_ref()?;
    let issued_at = over.plus_ms(300_000);
    Some(Recommendation {
        id: decision.id.clone()?,
        function: arn.clone(),
        version: proposal.version.clone(),
        from_mb: proposal.current_mb,
        to_mb: decision.to_mb?,
        target_mb: decision.target_mb,
        policy: decision.policy.clone(),
        reasons: Vec::new(),
        window: decision.window,
        p99_ms: None,
        confidence: decision.confidence,
        monthly_usd: decision.monthly_usd,
        mode: if decision.auto {
            Mode::Auto
        } else {
            Mode::Approved
        },
        by: (!decision.auto).then(|| "reviewer".to_owned()),
        urgent: decision.urgent,
        issued_at,
        expires_at: issued_at.plus_ms(DAY_MS),
        rollback_of: decision.rollback_of.clone(),
        code_sha256: None,
    })
}

/// A record that only moves the clock on.
fn tick(at: Timestamp) -> Vec<u8> {
    let arn = FunctionArn::new("aws", "eu-central-1", "123456789012", "tick").unwrap();
    encode(&Record::Reports(nothing(arn, at)))
}

/// A record with one invocation and no figures.
fn nothing(function: FunctionArn, at: Timestamp) -> Reports {
    Reports {
        function,
        version: "$LATEST".into(),
        env: EnvId(1),
        seq: 0,
        total: 1,
        memory_mb: Megabytes(128),
        arch: None,
        runtime: None,
        init: None,
        t0: at,
        reports: vec![ReportRow::default()],
        errors: Vec::new(),
        cpu_ms: None,
        cores: None,
        self_kib: None,
        folded: None,
        events_dropped: 0,
    }
}
