//! Inputs as people have them, each with what is right: prints a table, and fails if anything is wrong.
//!
//! The fixtures of this crate are always read. The field cases beside the workspace (or in the folder
//! that `RIGHTSIZER_CASES` names) are read if they are there.
#![expect(
    clippy::unwrap_used,
    reason = "outside of test functions only on what a fixture or memory gives"
)]

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use rightsizer_formats::{Hints, Summary, read};
use rightsizer_records::Day;
use rightsizer_rules::evidence::{Evidence, Item, Observation};

/// What is right about one file.
#[derive(Debug, Clone, Copy, Default)]
struct Right {
    file: &'static str,
    accepted: u64,
    ignored: Option<u64>,
    refused: u64,
    /// All functions, as they are shown; of `FILE` only its name is known.
    functions: &'static [&'static str],
    /// All days.
    days: &'static [&'static str],
    /// The most used, and the size then, of each function in the same order.
    memory: &'static [(u32, u32)],
    /// All that stands in a reason or a note.
    notes: &'static [&'static str],
    wrapped: bool,
}

const NONE: Right = Right {
    file: "",
    accepted: 0,
    ignored: None,
    refused: 0,
    functions: &[],
    days: &[],
    memory: &[],
    notes: &[],
    wrapped: false,
};

/// The day on which the file was last changed, from the hints.
const CHANGED: &str = "2026-11-29";
const NORTH: &str = "arn:aws:lambda:eu-north-1:210987654321:function:mailer";
const TWO_DAYS: &[&str] = &["2026-11-23", "2026-11-24"];
const EMULATOR: &str = "printed by a local emulator";

const fn of(file: &'static str, accepted: u64, refused: u64) -> Right {
    Right {
        file,
        accepted,
        refused,
        ..NONE
    }
}

impl Right {
    const fn ignored(mut self, ignored: u64) -> Self {
        self.ignored = Some(ignored);
        self
    }

    const fn whose(mut self, functions: &'static [&'static str]) -> Self {
        self.functions = functions;
        self
    }

    const fn on(mut self, days: &'static [&'static str]) -> Self {
        self.days = days;
        self
    }

    const fn with(mut self, memory: &'static [(u32, u32)]) -> Self {
        self.memory = memory;
        self
    }

    const fn notes(mut self, notes: &'static [&'static str]) -> Self {
        self.notes = notes;
        self
    }

    const fn wrapped(mut self) -> Self {
        self.wrapped = true;
        self
    }
}

const OWN: &[Right] = &[
    of("console_download.csv", 3, 0)
        .ignored(3)
        .whose(&["FILE"])
        .with(&[(402, 512)]),
    of("insights_markdown.md", 3, 0)
        .ignored(18)
        .whose(&["local:eu-north-1/parcels"])
        .with(&[(613, 1024)]),
    of("console_table.txt", 2, 0)
        .ignored(4)
        .whose(&["FILE"])
        .on(TWO_DAYS)
        .with(&[(121, 128)]),
    of("insights_flattened.json", 2, 0)
        .whose(&["arn:aws:lambda:eu-north-1:210987654321:function:thumbnails"])
        .on(TWO_DAYS)
        .with(&[(202, 512)]),
    of("insights_entity.json", 2, 0)
        .whose(&["arn:aws:lambda:eu-north-1:210987654321:function:thumbnails"])
        .with(&[(201, 512)]),
    of("two_accounts.csv", 4, 0)
        .whose(&["local:210987654321/ledger", "local:345678901234/ledger"])
        .with(&[(244, 256), (310, 2048)]),
    of("otel_two_accounts.json", 4, 0)
        .whose(&[
            "arn:aws:lambda:eu-north-1:210987654321:function:ledger",
            "arn:aws:lambda:eu-north-1:345678901234:function:ledger",
        ])
        .on(TWO_DAYS)
        .with(&[(244, 256), (310, 2048)])
        .wrapped(),
    of("elastic_cloud.ndjson", 4, 0)
        .whose(&[
            "arn:aws:lambda:eu-north-1:210987654321:function:ledger",
            "arn:aws:lambda:eu-north-1:345678901234:function:ledger",
        ])
        .on(TWO_DAYS)
        .with(&[(243, 256), (309, 2048)])
        .wrapped(),
    of("opensearch_hits.json", 4, 0)
        .whose(&["local:210987654321/ledger", "local:345678901234/ledger"])
        .on(TWO_DAYS)
        .with(&[(244, 256), (310, 2048)])
        .wrapped(),
    of("opensearch_dump.ndjson", 4, 0)
        .whose(&["local:210987654321/ledger", "local:345678901234/ledger"])
        .on(TWO_DAYS)
        .with(&[(244, 256), (310, 2048)])
        .wrapped(),
    of("opensearch_sources.ndjson", 4, 0)
        .whose(&["local:210987654321/ledger", "local:345678901234/ledger"])
        .on(TWO_DAYS)
        .with(&[(244, 256), (310, 2048)]),
    of("datadog_tags.jsonl", 4, 0)
        .whose(&[
            "arn:aws:lambda:eu-north-1:210987654321:function:ledger",
            "arn:aws:lambda:eu-north-1:345678901234:function:ledger",
        ])
        .on(TWO_DAYS)
        .with(&[(244, 256), (310, 2048)])
        .wrapped(),
    of("loki_two_accounts.json", 4, 0)
        .whose(&["local:210987654321/ledger", "local:345678901234/ledger"])
        .on(TWO_DAYS)
        .with(&[(244, 256), (310, 2048)])
        .wrapped(),
    of("sumologic.csv", 2, 0)
        .whose(&["local:210987654321/ledger"])
        .on(TWO_DAYS)
        .with(&[(244, 256)])
        .wrapped(),
    of("serverless_v3.txt", 2, 0)
        .whose(&["FILE"])
        .on(&[CHANGED])
        .with(&[(470, 512)]),
    // 00:30 at +02:00 is the day before in UTC.
    of("serverless_zone.txt", 1, 0)
        .whose(&["FILE"])
        .on(&["2026-11-23"])
        .with(&[(250, 256)]),
    of("serverless_mixed.txt", 1, 0)
        .ignored(3)
        .whose(&["FILE"])
        .on(&[CHANGED]),
    of("bracketed_times.txt", 2, 0)
        .ignored(2)
        .whose(&["FILE"])
        .on(TWO_DAYS),
    of("pulumi.txt", 2, 0)
        .whose(&["local:ledger-77aa01", "local:mailer-4f2a91"])
        .on(&["2026-11-23"])
        .with(&[(188, 512), (99, 256)])
        .wrapped(),
    of("cw.txt", 2, 0)
        .whose(&["local:mailer"])
        .on(TWO_DAYS)
        .with(&[(91, 256)]),
    of("awslogs.txt", 2, 0)
        .whose(&["local:mailer"])
        .on(TWO_DAYS)
        .notes(&["each counts for the day in the name of its log stream"]),
    of("emulator.txt", 0, 3).ignored(1).notes(&[EMULATOR]),
    of("emulator_compose.txt", 0, 2)
        .ignored(1)
        .notes(&[EMULATOR]),
    of("telemetry_floats.jsonl", 2, 0)
        .whose(&["FILE"])
        .with(&[(131, 256)]),
    of("edge_replica.json", 0, 0)
        .ignored(1)
        .notes(&["a Lambda@Edge replica"]),
    of("firehose.json", 2, 0)
        .ignored(1)
        .whose(&["local:210987654321/parcels"])
        .on(TWO_DAYS)
        .with(&[(301, 1024)]),
    of("tail_json.txt", 2, 0)
        .whose(&["FILE"])
        .on(TWO_DAYS)
        .with(&[(288, 512)]),
    of("steampipe.json", 4, 0)
        .whose(&["local:ledger", "local:mailer"])
        .on(TWO_DAYS)
        .with(&[(310, 2048), (250, 256)])
        .wrapped(),
    of("datadog.jsonl", 2, 0)
        .whose(&[NORTH])
        .on(TWO_DAYS)
        .with(&[(141, 256)])
        .wrapped(),
    of("datadog.csv", 2, 0)
        .whose(&[NORTH])
        .on(TWO_DAYS)
        .with(&[(141, 256)])
        .wrapped(),
    of("splunk.jsonl", 2, 0)
        .whose(&["local:eu-north-1/mailer"])
        .on(TWO_DAYS)
        .wrapped(),
    of("elastic.jsonl", 2, 0)
        .whose(&["local:210987654321/mailer"])
        .on(TWO_DAYS)
        .wrapped(),
    of("kibana.csv", 2, 0)
        .whose(&["local:mailer"])
        .on(TWO_DAYS)
        .wrapped(),
    of("loki.txt", 2, 0)
        .whose(&["local:mailer"])
        .on(TWO_DAYS)
        .wrapped(),
    of("loki.jsonl", 2, 0)
        .whose(&["local:mailer"])
        .on(TWO_DAYS)
        .wrapped(),
    of("loki_api.json", 2, 0)
        .whose(&["local:mailer"])
        .on(TWO_DAYS)
        .wrapped(),
    of("newrelic.jsonl", 2, 0)
        .whose(&[NORTH])
        .on(TWO_DAYS)
        .wrapped(),
    of("newrelic.csv", 2, 0)
        .whose(&["local:mailer"])
        .on(TWO_DAYS)
        .wrapped(),
    of("otlp.json", 2, 0)
        .whose(&["local:eu-north-1/mailer"])
        .on(TWO_DAYS)
        .wrapped(),
    of("unknown_wrapper.json", 2, 0)
        .whose(&[NORTH])
        .on(TWO_DAYS)
        .with(&[(141, 256)])
        .wrapped(),
    of("power_tuning.json", 0, 1).notes(&["import it with --function NAME"]),
    of("power_tuning_execution.json", 1, 0).notes(&["it contains no memory use"]),
    of("power_tuning_stats.json", 1, 0),
    of("power_tuning_link.txt", 0, 1),
    of("compute_optimizer.csv", 1, 0).notes(&["Compute Optimizer"]),
    of("compute_optimizer_export.csv", 3, 0).ignored(1),
    of("compute_optimizer.json", 2, 0),
    of("spreadsheet_semicolon.csv", 0, 1).notes(&["a spreadsheet rewrites times"]),
    of("spreadsheet_comma.csv", 1, 0)
        .whose(&["local:210987654321/mailer"])
        .notes(&["figures that a spreadsheet rounded"]),
    of("quoted.txt", 0, 4).ignored(0).notes(&[
        "an application wrote this line",
        "stands inside a line's own text",
        "the time \"11/23/2026\" before REPORT is not understood",
    ]),
    of("insights_computed.csv", 0, 1).notes(&["figures about memory that the query computed"]),
    of("lambda_insights.json", 2, 0)
        .whose(&["local:mailer"])
        .on(TWO_DAYS)
        .with(&[(141, 256)]),
    of("init_report.txt", 1, 0)
        .ignored(3)
        .whose(&["FILE"])
        .with(&[(90, 128)]),
];

const THREE: &[&str] = &["2026-11-10", "2026-11-11", "2026-11-12"];

/// The field cases for which formats decide the result.
const FIELD: &[Right] = &[
    of("c01_console_download.csv", 3, 0)
        .with(&[(240, 512)])
        .whose(&["FILE"]),
    of("c02_insights_markdown.md", 4, 0)
        .whose(&["local:eu-central-1/indexer"])
        .with(&[(703, 1024)]),
    of("c04_console_ascii_table.txt", 3, 0)
        .whose(&["FILE"])
        .on(THREE)
        .with(&[(124, 128)]),
    of("c05_insights_flattened.json", 3, 0)
        .whose(&["arn:aws:lambda:us-east-1:123456789012:function:invoker"]),
    of("c06_insights_entity_fields.json", 3, 0)
        .whose(&["arn:aws:lambda:us-east-1:123456789012:function:invoker"]),
    of("c06c_two_accounts_danger_hidden.csv", 150, 0)
        .whose(&["local:111111111111/checkout", "local:222222222222/checkout"])
        .with(&[(250, 256), (300, 3008)]),
    of("c07_sls_logs_v3.txt", 2, 0)
        .whose(&["FILE"])
        .with(&[(980, 1024)]),
    of("c08_sls_logs_zone.txt", 2, 0)
        .whose(&["FILE"])
        .on(&["2026-11-09"])
        .with(&[(127, 128)]),
    of("c08b_sls_logs_v1_mixed.txt", 2, 0)
        .on(&[CHANGED])
        .whose(&["FILE"]),
    of("c09_zappa_tail.txt", 3, 0)
        .on(THREE)
        .whose(&["FILE"])
        .with(&[(432, 512)]),
    of("c11_rie_warm.txt", 0, 7).notes(&[EMULATOR]),
    of("c11b_rie_compose.txt", 0, 2).notes(&[EMULATOR]),
    of("c12_report_floats.jsonl", 3, 0)
        .whose(&["FILE"])
        .on(THREE),
    of("c13_oom_as_timeout.txt", 2, 0)
        .whose(&["FILE"])
        .with(&[(192, 192)]),
    of("c14b_killed_below_limit.txt", 2, 0)
        .whose(&["FILE"])
        .with(&[(2581, 2688)]),
    of("c15_exit_137.txt", 1, 0)
        .whose(&["FILE"])
        .with(&[(18, 256)]),
    of("c15b_node_heap.txt", 1, 0)
        .whose(&["FILE"])
        .with(&[(2210, 3008)]),
    of("c16_edge_replica.json", 0, 0)
        .ignored(3)
        .notes(&["Lambda@Edge"]),
    of("c17_firehose_members.gz", 3, 0)
        .whose(&["local:123456789012/orders"])
        .on(THREE),
    of("c17c_firehose_plain.json", 3, 0)
        .whose(&["local:123456789012/orders"])
        .on(THREE),
    of("c18_tail_format_json.txt", 3, 0)
        .whose(&["FILE"])
        .on(THREE),
    of("c18b_tail_format_short.txt", 3, 0)
        .whose(&["FILE"])
        .on(THREE),
    of("c19_steampipe.json", 3, 0)
        .whose(&["local:billing"])
        .on(THREE)
        .wrapped(),
    of("c19c_steampipe_two_functions.json", 8, 0)
        .whose(&["local:large", "local:small"])
        .with(&[(300, 3008), (252, 256)])
        .wrapped(),
    of("c20b_datadog.jsonl", 3, 0)
        .whose(&["arn:aws:lambda:eu-west-1:123456789012:function:pay"])
        .on(THREE)
        .wrapped(),
    of("c20d_elastic.jsonl", 3, 0)
        .whose(&["local:123456789012/pay"])
        .on(THREE)
        .wrapped(),
    of("c20e_loki.txt", 3, 0)
        .whose(&["local:pay"])
        .on(THREE)
        .wrapped(),
    of("c20f_loki.jsonl", 3, 0)
        .whose(&["local:pay"])
        .on(THREE)
        .wrapped(),
    of("c21_awslogs.txt", 3, 0).whose(&["local:pay"]).on(THREE),
    of("c21b_cw.txt", 3, 0).whose(&["local:pay"]).on(THREE),
    of("c22_power_tuning.json", 0, 1).notes(&["Lambda Power Tuning", "--function NAME"]),
    of("c22b_compute_optimizer.csv", 1, 0).notes(&["Compute Optimizer"]),
    of("c23_excel_semicolon.csv", 0, 2).notes(&["spreadsheet"]),
    of("c23b_excel_comma.csv", 2, 0)
        .whose(&["local:123456789012/pay"])
        .with(&[(120, 1020)])
        .notes(&["spreadsheet rounded"]),
    of("c24_quoted_in_debug.txt", 0, 1).ignored(0),
    of("c25_filter_events_pretty.json", 3, 0)
        .whose(&["local:invoicing"])
        .on(THREE),
    of("c27_leak_logs.json", 210, 0).whose(&["local:browser"]),
    of("c28b_insights_parsed_fields.csv", 0, 1).notes(&["the query computed"]),
    of("c28c_insights_stats.csv", 0, 1).notes(&["the query computed"]),
    of("c29_lambda_insights_emf.json", 3, 0)
        .whose(&["local:audit"])
        .on(THREE)
        .with(&[(154, 512)]),
    of("c30_init_report_bare.txt", 1, 0)
        .ignored(3)
        .whose(&["FILE"])
        .with(&[(127, 128)]),
    of("c32_bracket_time.txt", 1, 0)
        .whose(&["FILE"])
        .on(&["2026-11-10"])
        .with(&[(719, 1769)]),
    of("c34_managed_instance.jsonl", 1, 0)
        .ignored(1)
        .whose(&["FILE"])
        .notes(&["managed instances"]),
];

fn hints(file: &str) -> Hints {
    Hints {
        function: None,
        date: None,
        fallback_date: Day::parse(CHANGED).unwrap(),
        file_name: file.to_owned(),
        home: None,
        owners: std::sync::Arc::default(),
    }
}

/// What a file came to: evidence, reasons, and the summary.
fn taken(path: &Path) -> (Vec<Observation>, Vec<String>, Summary) {
    let (mut seen, mut reasons) = (Vec::new(), Vec::new());
    let input = BufReader::new(std::fs::File::open(path).unwrap());
    let name = path.file_name().unwrap().to_string_lossy();
    let summary = read::<Infallible>(input, &hints(&name), &mut |item| {
        match item {
            Item::Evidence {
                evidence: Evidence::Observation(o),
                ..
            } => seen.push(o),
            Item::Refused { reason, .. } => reasons.push(reason),
            Item::Evidence { .. } | Item::Ignored => {}
        }
        Ok(())
    });
    (seen, reasons, summary.unwrap())
}

/// What a file came to, in the words of [`Right`].
struct Found {
    functions: Vec<String>,
    days: BTreeSet<String>,
    memory: Vec<(u32, u32)>,
    wrapped: usize,
    all: usize,
    notes: Vec<String>,
    summary: Summary,
}

impl Found {
    fn of(right: &Right, path: &Path) -> Self {
        let (seen, mut notes, summary) = taken(path);
        notes.extend(summary.notes.iter().cloned());
        let own = format!("local:{}", right.file);
        let functions: BTreeSet<String> = seen.iter().map(|o| o.function.to_string()).collect();
        let most = |f: &String| {
            let of = seen.iter().filter(|o| o.function.to_string() == *f);
            let most = of.max_by_key(|o| o.max_used_mb).unwrap();
            (most.max_used_mb.unwrap().0, most.memory_mb.0)
        };
        Self {
            memory: functions.iter().map(most).collect(),
            functions: functions
                .into_iter()
                .map(|f| if f == own { "FILE".to_owned() } else { f })
                .collect(),
            days: seen.iter().map(|o| o.at.day().to_string()).collect(),
            wrapped: seen.iter().filter(|o| o.wrapped).count(),
            all: seen.len(),
            notes,
            summary,
        }
    }

    fn row(&self, file: &str) -> String {
        format!(
            "{file:<38} {:>4} accepted {:>3} ignored {:>2} refused  {} {:?}",
            self.summary.accepted,
            self.summary.ignored,
            self.summary.refused,
            self.functions.join(" "),
            self.memory
        )
    }
}

/// All that is not as it should be, one a line.
fn wrong(right: &Right, path: &Path, table: &mut String) -> String {
    let found = Found::of(right, path);
    writeln!(table, "{}", found.row(right.file)).unwrap();
    let mut wrong = String::new();
    let mut check = |what: &str, found: String, wanted: String| {
        if found != wanted {
            writeln!(wrong, "{}: {what}: {found}, right: {wanted}", right.file).unwrap();
        }
    };
    let counts = (found.summary.accepted, found.summary.refused);
    let wanted = (right.accepted, right.refused);
    check(
        "accepted, refused",
        format!("{counts:?}"),
        format!("{wanted:?}"),
    );
    if let Some(ignored) = right.ignored {
        check(
            "ignored",
            found.summary.ignored.to_string(),
            ignored.to_string(),
        );
    }
    let functions = format!("{:?}", found.functions);
    check("functions", functions, format!("{:?}", right.functions));
    if !right.days.is_empty() {
        let days: Vec<&String> = found.days.iter().collect();
        check("days", format!("{days:?}"), format!("{:?}", right.days));
    }
    if !right.memory.is_empty() {
        check(
            "memory",
            format!("{:?}", found.memory),
            format!("{:?}", right.memory),
        );
    }
    let wrapped = if right.wrapped { found.all } else { 0 };
    check("wrapped", found.wrapped.to_string(), wrapped.to_string());
    for words in right.notes {
        if !found.notes.iter().any(|notes| notes.contains(words)) {
            check("notes", format!("{:?}", found.notes), (*words).to_owned());
        }
    }
    wrong
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/import")
}

/// The folder of the field cases, if it is there.
fn field_cases() -> Option<PathBuf> {
    let named = std::env::var_os("RIGHTSIZER_CASES").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    Some(named.unwrap_or(beside)).filter(|folder| folder.is_dir())
}

fn compared(cases: &[Right], folder: &Path) {
    let mut table = String::new();
    let wrong: String = cases
        .iter()
        .filter(|right| folder.join(right.file).exists())
        .map(|right| wrong(right, &folder.join(right.file), &mut table))
        .collect();
    println!("{table}");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn inputs_as_people_have_them() {
    for right in OWN {
        assert!(fixtures().join(right.file).exists(), "{}", right.file);
    }
    compared(OWN, &fixtures());
}

#[test]
fn field_cases_if_they_are_there() {
    match field_cases() {
        Some(folder) => compared(FIELD, &folder),
        None => println!("no field cases here"),
    }
}

#[test]
fn lambda_insights_gives_cpu_time() {
    let (seen, _, _) = taken(&fixtures().join("lambda_insights.json"));
    let cpu: Vec<u64> = seen.iter().map(|o| o.cpu_ms.unwrap().ceil_ms()).collect();
    assert_eq!(cpu, [88, 88]);
}
