//! A fleet of sixty functions over three weeks, up to yesterday, and a server that has it.

use std::path::{Path, PathBuf};

use rightsizer_records::{
    Arch, Day, EnvId, FunctionArn, Megabytes, Millis, Record, ReportRow, Reports, Status,
    Timestamp, encode,
};
use rightsizer_tests::aggregator::{Aggregator, rightsizer};
use rightsizer_tests::dice::Dice;
use rusqlite::{Connection, params};
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "review-token-of-the-test";
/// A name that would run if it were not text everywhere.
pub(crate) const HOSTILE: &str = "local:<script>document.title='run'</script>";
const DAYS: i32 = 21;
const SIZES: [u32; 6] = [256, 512, 1024, 1536, 2048, 3008];
const TEAMS: [&str; 6] = ["checkout", "search", "billing", "media", "mail", "report"];
const JOBS: [&str; 10] = [
    "api", "worker", "webhook", "export", "resize", "index", "cleanup", "sync", "alerts", "audit",
];

pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) server: Aggregator,
}

/// The kind of life that a function has.
struct Life {
    name: String,
    size: u32,
    /// Its size before the change on the twelfth day.
    before: u32,
    used: u32,
    ms: u64,
    calls: u64,
    runs_out: bool,
}

impl Scene {
    /// A server with the fleet.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path()).await;
        Self::of(folder, &[], &[]).await
    }

    /// A server with the fleet of a folder, with these arguments and environment variables.
    pub(crate) async fn of(
        folder: TempDir,
        more: &[&str],
        environment: &[(String, String)],
    ) -> Self {
        let log = folder.path().join("serve.log");
        let arguments = [&["--clock", "event", "--review-token", TOKEN], more].concat();
        let store = folder.path().join("rightsizer.db");
        let server = Aggregator::start(&store, &arguments, environment, Some(&log))
            .await
            .unwrap();
        Self { folder, server }
    }

    /// Up to `most` functions whose decrease waits for a person.
    pub(crate) fn waiting(&self, most: u32) -> Vec<String> {
        let names = format!(
            "SELECT group_concat(f.function) FROM (SELECT f.function FROM recommendations r
             JOIN functions f ON f.id = r.function_id
             WHERE r.status = 'open' AND r.to_mb < r.from_mb AND NOT r.urgent AND f.function LIKE 'arn:%'
             ORDER BY f.function LIMIT {most}) f"
        );
        let names = self.asked(&names).unwrap();
        names.split(',').map(str::to_owned).collect()
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("rightsizer.db")
    }

    /// The only text that a query of the store gives.
    pub(crate) fn asked(&self, sql: &str) -> Option<String> {
        asked(&self.store(), sql)
    }
}

/// The only text that a query of a store gives.
pub(crate) fn asked(store: &Path, sql: &str) -> Option<String> {
    let connection = Connection::open(store).unwrap();
    connection
        .query_row(sql, [], |row| row.get(0))
        .unwrap_or_default()
}

/// Today, by this machine's clock.
pub(crate) fn today() -> Day {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_ms(i64::try_from(now.as_millis()).unwrap())
        .unwrap()
        .day()
}

/// Makes a store of the fleet in `folder`.
pub(crate) async fn make(folder: &Path) {
    let file = folder.join("records.jsonl");
    let mut text = Vec::new();
    let mut dice = Dice::new(7);
    for (n, life) in lives(&mut dice).into_iter().enumerate() {
        for day in 0..DAYS {
            for record in lived(&life, n, day, &mut dice) {
                text.extend(encode(&Record::Reports(record)));
                text.push(b'\n');
            }
        }
    }
    std::fs::write(&file, text).unwrap();
    let store = folder.join("rightsizer.db");
    let path = store.to_str().unwrap();
    run(&["import", "--store", path, file.to_str().unwrap()]).await;
    let logs = folder.join("logs.txt");
    let report = "REPORT RequestId: 0b1e\tDuration: 12.00 ms\tBilled Duration: 12 ms\tMemory Size: 512 MB\t\
                  Max Memory Used: 90 MB\t\n";
    std::fs::write(&logs, report).unwrap();
    run(&[
        "import",
        "--store",
        path,
        "--function",
        HOSTILE,
        logs.to_str().unwrap(),
    ])
    .await;
    changes(&store);
}

async fn run(arguments: &[&str]) {
    let done = rightsizer(arguments).await.unwrap();
    let output_text = [done.stdout, done.stderr].concat();
    let output_text = String::from_utf8_lossy(&output_text);
    assert!(
        done.status.success() && output_text.contains(" 0 refused"),
        "{output_text}"
    );
}

fn lives(dice: &mut Dice) -> Vec<Life> {
    let mut lives = Vec::new();
    for (n, (team, job)) in TEAMS
        .iter()
        .flat_map(|team| JOBS.iter().map(move |job| (team, job)))
        .enumerate()
    {
        let size = SIZES[usize::try_from(dice.below(6)).unwrap()];
        let share = 8 + u32::try_from(dice.below(dice_share(n))).unwrap();
        lives.push(Life {
            name: format!("{team}-{job}"),
            size,
            before: if n % 7 == 3 { size * 2 } else { size },
            used: (size * share / 100).max(40),
            ms: 900 + dice.below(40) * dice.below(600),
            calls: 4 + dice.below(5),
            runs_out: n == 12,
        });
    }
    lives
}

/// Most functions use little of their memory, every eighth nearly all.
const fn dice_share(n: usize) -> u64 {
    if n % 8 == 5 { 91 } else { 55 }
}

/// The records of a day.
fn lived(life: &Life, n: usize, day: i32, dice: &mut Dice) -> Vec<Reports> {
    let size = if day < 12 { life.before } else { life.size };
    let start = today().plus(day - DAYS).start();
    let mut records = Vec::new();
    for turn in 0..2_u64 {
        let env = u64::try_from(n).unwrap() * 1000 + u64::try_from(day).unwrap() * 4 + turn + 1;
        let rows = (0..life.calls * 6)
            .map(|call| row(life, size, day, call, dice))
            .collect::<Vec<_>>();
        records.push(Reports {
            function: FunctionArn::new("aws", "eu-west-1", "123456789012", &life.name).unwrap(),
            version: "$LATEST".to_owned(),
            env: EnvId(env),
            seq: 0,
            total: rows.len() as u64,
            memory_mb: Megabytes(size),
            arch: Some(if n.is_multiple_of(3) {
                Arch::X86_64
            } else {
                Arch::Arm64
            }),
            runtime: Some(["nodejs22.x", "python3.13", "java21"][n % 3].to_owned()),
            init: None,
            t0: start.plus_ms(8 * 3_600_000 + i64::try_from(turn).unwrap() * 3_600_000),
            reports: rows,
            errors: Vec::new(),
            cpu_ms: Some(life.ms * 3),
            cores: Some(2),
            self_kib: Some(4300),
            folded: None,
            events_dropped: 0,
        });
    }
    records
}

fn row(life: &Life, size: u32, day: i32, call: u64, dice: &mut Dice) -> ReportRow {
    let out = life.runs_out && day == DAYS - 2 && call == 3;
    let wobble = u32::try_from(dice.below(u64::from(life.used / 8 + 2))).unwrap();
    let used = if out {
        size
    } else {
        (life.used + wobble).min(size)
    };
    let ms = life.ms + dice.below(life.ms + 5);
    ReportRow {
        at_ms: i64::try_from(call).unwrap() * 60_000,
        max_used_mb: Some(Megabytes(used)),
        duration_ms: Some(Millis::from_ms(ms)),
        billed_ms: Some(Millis::from_ms(ms)),
        status: if out { Status::OutOfMemory } else { Status::Ok },
        init_ms: (call == 0).then(|| Millis::from_ms(180 + dice.below(400))),
    }
}

/// Five changes of this week, in every state that a change can have.
fn changes(store: &Path) {
    let connection = Connection::open(store).unwrap();
    let now = today().start().as_ms();
    let ended = [
        (
            "verified",
            "no harm found; 0.52 times the GB-seconds an invocation",
        ),
        (
            "verified",
            "no harm found; 0.61 times the GB-seconds an invocation",
        ),
        ("rolled-back", "slower: 95 % within 840 ms, 410 ms before"),
        ("applied", ""),
    ];
    for (n, (status, why)) in ended.into_iter().enumerate() {
        let day = i64::try_from(n).unwrap() + 1;
        let sql = "INSERT INTO recommendations (function_id, id, day, from_mb, to_mb, urgent, auto, issued_ms, expires_ms,
                status, sent_ms, applied_ms, closed_ms, closed_reason, record)
            SELECT f.id, ?1, ?2, 2048, 1024, 0, 1, ?3, ?3, ?4, ?3, ?3, ?3, nullif(?5, ''),
                json_object('monthly_usd', json_object('before', 30.0 + ?6, 'after', 14.5))
            FROM functions f WHERE f.function LIKE '%:' || ?7";
        let at = now - day * 86_400_000;
        let name = ["media-resize", "media-export", "search-index", "mail-sync"][n];
        let id = format!("{:016x}", n + 1);
        let done = connection.execute(
            sql,
            params![
                id,
                at / 86_400_000,
                at,
                status,
                why,
                10.0 * f64::from(u32::try_from(n).unwrap()),
                name
            ],
        );
        assert_eq!(done.unwrap(), 1, "{name}");
    }
}
