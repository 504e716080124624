//! Fuzz targets for every decoder of the product. Each takes any bytes: it must not panic, and a record
//! of a stream must stay within what a record may cost. `corpus/TARGET` holds the inputs to begin with; templates
//! are those of other tests. No crate of the product may depend on it.

pub mod mutate;

use std::path::Path;
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use rightsizer::pipeline::Gate;
use rightsizer::settings::Settings;
use rightsizer_export::{Format, ModuleFile, Rules, Size, patch, patch_module, read_values};
use rightsizer_formats::{Channel, Delivery, Hints, read};
use rightsizer_records::{FunctionArn, Megabytes, Timestamp, decode, encode};
use rightsizer_rules::evidence::FunctionKey;

use self::mutate::{Chance, mutated};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a record may cost; a build without optimisation takes some ten times as long.
const MOST_BYTES: usize = 64 << 20;
const MOST_TIME: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });

/// A decoder under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    decoder: fn(&[u8]),
}

/// Every decoder.
pub const TARGETS: &[Target] = &[
    Target {
        name: "records",
        decoder: records,
    },
    Target {
        name: "telemetry",
        decoder: stream_record,
    },
    Target {
        name: "cloudwatch",
        decoder: stream_record,
    },
    Target {
        name: "insights",
        decoder: imported,
    },
    Target {
        name: "report-lines",
        decoder: imported,
    },
    Target {
        name: "comparisons",
        decoder: imported,
    },
    Target {
        name: "templates",
        decoder: templates,
    },
    Target {
        name: "settings",
        decoder: settings,
    },
    Target {
        name: "names",
        decoder: names,
    },
];

/// What came of fuzzing one target.
#[derive(Debug)]
pub struct Done {
    /// Inputs tried.
    pub executions: u64,
    /// The most memory and time that one took.
    pub most_bytes: usize,
    /// The longest that one took.
    pub longest: Duration,
}

/// Tries mutated inputs on `target` for the given time. Panics if the decoder does, or exceeds its
/// budget; then the input is in `failed-TARGET` in the working folder.
pub fn run(target: Target, time: Duration, seed: u64) -> std::io::Result<Done> {
    let corpus = corpus(target.name)?;
    let mut chance = Chance::new(seed);
    let began = Instant::now();
    let mut done = Done {
        executions: 0,
        most_bytes: 0,
        longest: Duration::ZERO,
    };
    while began.elapsed() < time {
        let known = usize::try_from(done.executions).unwrap_or(usize::MAX);
        let input = corpus.get(known).cloned();
        let input = input.unwrap_or_else(|| mutated(&corpus, &mut chance));
        let (before, at) = (MEMORY.current_usage(), cpu_time());
        MEMORY.reset_peak_usage();
        let outcome = std::panic::catch_unwind(|| (target.decoder)(&input));
        let took = cpu_time().saturating_sub(at);
        let bytes = MEMORY.peak_usage().saturating_sub(before);
        if outcome.is_err() || bytes > MOST_BYTES || took > MOST_TIME {
            std::fs::write(format!("failed-{}", target.name), &input)?;
            panic!(
                "{}: {} bytes of input took {bytes} bytes and {took:?}",
                target.name,
                input.len()
            );
        }
        done.executions += 1;
        done.most_bytes = done.most_bytes.max(bytes);
        done.longest = done.longest.max(took);
    }
    Ok(done)
}

/// CPU time of this process so far: what else the machine does hardly changes it.
fn cpu_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID;
    clock.now().map_or(Duration::ZERO, Duration::from)
}

/// Templates are those of other tests.
const TEMPLATES: [&str; 2] = [
    "../tests/export/templates",
    "../../aggregator/export/tests/fixtures",
];

fn corpus(name: &str) -> std::io::Result<Vec<Vec<u8>>> {
    let own = format!("corpus/{name}");
    let folders = match name {
        "templates" => TEMPLATES.to_vec(),
        _ => vec![own.as_str()],
    };
    let mut files = Vec::new();
    for folder in folders {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for file in std::fs::read_dir(folder)? {
            files.push(file?.path());
        }
    }
    files.sort();
    files.into_iter().map(std::fs::read).collect()
}

fn now() -> Timestamp {
    Timestamp::from_ms(1_769_904_000_000).unwrap_or(Timestamp::MIN)
}

/// What is a record is the same record again when it is written and read.
fn records(bytes: &[u8]) {
    if let Ok(record) = decode(bytes) {
        let again = decode(&encode(&record));
        assert_eq!(again.as_ref(), Ok(&record));
    }
    stream_record(bytes);
}

/// A record of any form on a stream, to the evidence that waits for the store.
fn stream_record(bytes: &[u8]) {
    let delivery = Delivery {
        origin: "embedded:reports".to_owned(),
        channel: Channel::Reports,
        payloads: vec![bytes.to_vec()],
        checkpoint: None,
        gaps: Vec::new(),
    };
    let prepared = Gate::default().prepare(delivery, now());
    for (_, why) in prepared.refusals() {
        assert!(why.chars().count() <= 500, "{why}");
    }
    assert!(prepared.refusals().count() <= 1);
}

/// A file, and the same bytes as a record.
fn imported(bytes: &[u8]) {
    // A result of another tool may be of no use without a function's name.
    let hints = Hints {
        function: FunctionKey::parse("checkout").ok(),
        date: None,
        fallback_date: now().day(),
        file_name: "export.txt".to_owned(),
        home: None,
        owners: std::sync::Arc::default(),
    };
    // A bomb in a file may take what a document may: only what is small is read as one.
    if bytes.len() < 64 << 10 && !bytes.starts_with(&[0x1f, 0x8b]) && !contains(bytes, b"H4sI") {
        let mut items = 0_u64;
        let read = read(bytes, &hints, &mut |_| -> Result<(), ()> {
            items += 1;
            Ok(())
        });
        if let Ok(summary) = read {
            assert_eq!(summary.read, items);
        }
    }
    stream_record(bytes);
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// A template is patched, or refused in words; what is patched is not damaged.
fn templates(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes.get(..8 << 10).unwrap_or(bytes));
    let size = Size {
        function: "arn:aws:lambda:eu-west-1:123456789012:function:checkout".to_owned(),
        name: "checkout".to_owned(),
        from_mb: Megabytes(1024),
        to_mb: Megabytes(512),
        target_mb: None,
        id: "1".to_owned(),
        status: "open".to_owned(),
        urgent: false,
        stack: None,
        logical_id: Some("Checkout".to_owned()),
    };
    let rules = Rules::default();
    for format in [
        Format::Terraform,
        Format::CloudFormation,
        Format::Sam,
        Format::Serverless,
        Format::Cdk,
    ] {
        let _ = patch(format, &text, std::slice::from_ref(&size), &rules);
        let _ = read_values(format, &text);
    }
    // A folder in which the text is cut into files of three kinds.
    let third = text.floor_char_boundary(text.len() / 3);
    let (head, rest) = text.split_at(third);
    let (middle, tail) = rest.split_at(rest.floor_char_boundary(rest.len() / 2));
    let named = |name: &str, text: &str| ModuleFile {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let files = [
        named("main.tf", &text),
        named("other.tf", head),
        named("third.tf.json", tail),
        named("values.auto.tfvars", middle),
    ];
    for files in [&files[..1], &files[1..2], &files] {
        let _ = patch_module(files, std::slice::from_ref(&size), &rules);
    }
}

fn settings(bytes: &[u8]) {
    let _ = Settings::parse(&String::from_utf8_lossy(
        bytes.get(..16 << 10).unwrap_or(bytes),
    ));
}

/// Names and times that stand in records, paths and commands.
fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(arn) = FunctionArn::parse(&text) {
        assert_eq!(arn.as_str(), text);
    }
    if let Ok(key) = FunctionKey::parse(&text) {
        assert_eq!(FunctionKey::parse(&key.to_string()), Ok(key));
    }
    if let Ok(time) = Timestamp::parse(&text) {
        assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A short look at each: `cargo run` looks for longer.
    #[test]
    fn no_decoder_panics_or_costs_too_much() {
        for target in TARGETS {
            let done = run(*target, Duration::from_secs(2), 1).unwrap();
            println!("{}: {done:?}", target.name);
        }
    }
}
