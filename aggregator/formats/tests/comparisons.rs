//! What other tools found out about sizes: of which function, when, and which figures.
#![expect(
    clippy::unwrap_used,
    reason = "outside of test functions only on what a fixture or memory gives"
)]

use std::convert::Infallible;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rightsizer_formats::{Hints, Summary, WaitingStarts, read, read_record};
use rightsizer_records::Day;
use rightsizer_rules::comparison::{Comparison, Found};
use rightsizer_rules::evidence::{Evidence, FunctionKey, Item};

const MAILER: &str = "arn:aws:lambda:eu-north-1:210987654321:function:mailer";

fn hints(function: Option<&str>) -> Hints {
    Hints {
        function: function.map(|name| FunctionKey::parse(name).unwrap()),
        date: None,
        fallback_date: Day::parse("2026-11-29").unwrap(),
        file_name: "result.json".to_owned(),
        home: None,
        owners: std::sync::Arc::default(),
    }
}

/// What was found, why the rest was refused, and the summary.
fn taken(input: &[u8], function: Option<&str>) -> (Vec<Comparison>, Vec<String>, Summary) {
    let (mut found, mut reasons) = (Vec::new(), Vec::new());
    let summary = read::<Infallible>(input, &hints(function), &mut |item| {
        match item {
            Item::Evidence {
                evidence: Evidence::Comparison(comparison),
                ..
            } => found.push(*comparison),
            Item::Evidence { evidence, .. } => panic!("{evidence:?}"),
            Item::Refused { reason, .. } => reasons.push(reason),
            Item::Ignored => {}
        }
        Ok(())
    })
    .unwrap();
    (found, reasons, summary)
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/import");
    std::fs::read(folder.join(name)).unwrap()
}

/// Size, milliseconds and dollars a million invocations.
type Size = (u32, f64, Option<f64>);

/// Function, day and sizes of a result of Lambda Power Tuning.
fn measured(found: &Comparison) -> (String, String, Vec<Size>) {
    let Found::Measured(sizes) = &found.found else {
        panic!("{found:?}")
    };
    let cents = |usd: f64| (usd * 1e8).round() / 100.0;
    let sizes = sizes.iter();
    let sizes = sizes.map(|s| (s.memory_mb.0, s.duration.as_ms_f64(), s.usd.map(cents)));
    (
        found.function.to_string(),
        found.at.day().to_string(),
        sizes.collect(),
    )
}

/// Function, day, version, finding and the size that is held right.
fn advised(found: &Comparison) -> (String, String, String, &'static str, Option<u32>) {
    let Found::Advised(advice) = &found.found else {
        panic!("{found:?}")
    };
    (
        found.function.name().to_owned(),
        found.at.to_string(),
        advice.version.clone(),
        advice.finding.name(),
        advice.memory_mb().map(|mb| mb.0),
    )
}

#[test]
fn an_execution_names_its_function_and_its_time() {
    let (found, reasons, summary) = taken(&fixture("power_tuning_execution.json"), None);
    assert_eq!((summary.accepted, reasons.len()), (1, 0));
    // 512 MB is complete, the others come from the link alone: 8.4e-7 dollars are 0.84 a million.
    let sizes = vec![
        (256, 200.5, Some(0.84)),
        (512, 101.254, Some(0.85)),
        (1024, 60.0, Some(1.01)),
    ];
    let wanted = (MAILER.to_owned(), "2026-11-23".to_owned(), sizes);
    assert_eq!(measured(&found[0]), wanted);
    assert!(summary.notes[0].contains("rightsizer show"), "{summary:?}");
}

/// The ARN has an alias behind it. What stands in `stats` has more digits than the link.
#[test]
fn stats_go_before_the_link() {
    let (found, _, _) = taken(&fixture("power_tuning_stats.json"), Some("other"));
    let (function, day, sizes) = measured(&found[0]);
    assert_eq!(
        (function.as_str(), day.as_str()),
        (MAILER, "2026-11-29"),
        "the input goes before --function"
    );
    let durations: Vec<f64> = sizes.iter().map(|size| size.1).collect();
    assert_eq!(durations, [200.487, 101.254, 60.0]);
}

#[test]
fn what_names_no_function_asks_for_one() {
    for name in ["power_tuning_link.txt", "power_tuning.json"] {
        let (found, reasons, _) = taken(&fixture(name), None);
        assert!(found.is_empty());
        assert!(reasons[0].contains("--function NAME"), "{reasons:?}");
    }
    let (found, _, _) = taken(&fixture("power_tuning_link.txt"), Some("mailer"));
    let (function, _, sizes) = measured(&found[0]);
    assert_eq!((function.as_str(), sizes.len()), ("local:mailer", 3));
    // The link in it is damaged: the size beside it counts, and that is reported.
    let (found, _, summary) = taken(&fixture("power_tuning.json"), Some("mailer"));
    assert_eq!(measured(&found[0]).2, [(1024, 61.2, Some(1.2))]);
    assert!(summary.notes.iter().any(|note| note.contains("link")));
}

#[test]
fn steps_of_the_state_machine_are_results_too() {
    let arn = format!(r#""lambdaARN":"{MAILER}:7""#);
    let stats =
        r#"[{"averagePrice":1e-6,"averageDuration":12.5,"totalCost":1e-4,"value":"128"},null]"#;
    for text in [
        format!(r#"{{{arn},"num":5,"stats":{stats}}}"#),
        format!(
            r#"{{{arn},"analysis":{{"power":128,"cost":1e-6,"duration":12.5,"stateMachine":{{"visualization":""}}}}}}"#
        ),
        format!(r#"[{{{arn},"averagePrice":1e-6,"averageDuration":12.5,"value":128}}]"#),
    ] {
        let (found, reasons, _) = taken(text.as_bytes(), None);
        assert_eq!(reasons, [""; 0], "{text}");
        let wanted = vec![(128, 12.5, Some(1.0))];
        assert_eq!(
            measured(&found[0]),
            (MAILER.to_owned(), "2026-11-29".to_owned(), wanted)
        );
    }
}

#[test]
fn impossible_figures_are_refused() {
    let with = |size: &str, ms: &str, usd: &str| {
        format!(r#"{{"power":{size},"duration":{ms},"cost":{usd},"stateMachine":{{}}}}"#)
    };
    for (text, words) in [
        (with("0", "1", "0"), "a size in MB is 0"),
        (with("128.5", "1", "0"), "a size in MB is 128.5"),
        (with("128", "-1", "0"), "a duration in ms is -1"),
        (with("128", "0", "0"), "a duration in ms is 0"),
        (with("128", "1", "-2"), "a cost in dollars is -2"),
        (with("null", "1", "0"), "without a size"),
        (
            "https://lambda-power-tuning.show/#AAAA;AAAA".to_owned(),
            "cannot be read",
        ),
    ] {
        let (found, reasons, _) = taken(text.as_bytes(), Some("f"));
        assert!(found.is_empty(), "{text}");
        assert!(reasons[0].contains(words), "{reasons:?}");
    }
}

/// Three lists of equal length, each of whole numbers of its width.
#[test]
fn a_link_must_be_of_one_function_and_whole() {
    let sizes = STANDARD.encode([0, 1, 0, 2]); // 256 and 512, the low byte first
    let floats = STANDARD.encode([0, 0, 128, 63, 0, 0, 0, 64]); // 1.0 and 2.0
    let one = STANDARD.encode([0, 0, 128, 63]);
    let link = |lists: &[&str]| format!("https://charts.example/#{}", lists.join(";"));
    let good = link(&[&sizes, &floats, &floats]);
    let (found, _, _) = taken(good.as_bytes(), Some("f"));
    assert_eq!(
        measured(&found[0]).2,
        [(256, 1.0, Some(1e6)), (512, 2.0, Some(2e6))]
    );
    let escaped = good.replace(';', "%3B").replace('=', "%3D");
    assert_eq!(taken(escaped.as_bytes(), Some("f")).0, found);
    for bad in [
        link(&[&sizes, &floats, &one]),
        link(&[&sizes, &floats]),
        link(&[&sizes, &floats, &floats, &sizes, &floats, &floats]),
        link(&[&STANDARD.encode([0, 1, 0]), &one, &one]),
    ] {
        assert!(taken(bad.as_bytes(), Some("f")).0.is_empty(), "{bad}");
    }
}

#[test]
fn compute_optimizer_is_read_from_its_export_and_its_answer() {
    let of = |name: &str| {
        let (found, reasons, summary) = taken(&fixture(name), None);
        assert_eq!(reasons, [""; 0]);
        (found.iter().map(advised).collect::<Vec<_>>(), summary)
    };
    let line = |name: &str, at: &str, version: &str, finding, mb| {
        let at = format!("2026-11-23T06:41:09.{at}Z");
        (name.to_owned(), at, version.to_owned(), finding, mb)
    };
    let (found, summary) = of("compute_optimizer_export.csv");
    assert_eq!(
        found,
        [
            line("mailer", "000", "$LATEST", "NotOptimized", Some(320)),
            line("ledger", "000", "$LATEST", "Optimized", Some(256)),
            line("parcels", "000", "$LATEST", "Unavailable", None),
        ]
    );
    assert_eq!(summary.ignored, 1, "a row that only has an error");
    // By rank, not by place.
    let (found, _) = of("compute_optimizer.json");
    assert_eq!(
        found,
        [
            line("mailer", "150", "$LATEST", "NotOptimized", Some(320)),
            line("ledger", "150", "7", "Optimized", Some(256)),
        ]
    );
    let (found, _) = of("compute_optimizer.csv");
    assert_eq!(found[0].4, Some(320), "columns of the answer, flattened");
}

#[test]
fn a_recommendation_that_cannot_be_read_is_refused() {
    let with = |finding: &str, size: &str, at: &str| {
        format!(
            r#"{{"functionArn":"{MAILER}","finding":"{finding}","currentMemorySize":{size},"lastRefreshTimestamp":"{at}"}}"#
        )
    };
    let now = "2026-11-23T06:41:09Z";
    for (text, words) in [
        (with("OVER_PROVISIONED", "512", now), "not a finding"),
        (with("Optimized", "0", now), "not a size"),
        (with("Optimized", "1.5", now), "not a size"),
        (with("Optimized", "512", "11/10/26 6:41"), "ambiguous"),
    ] {
        let (found, reasons, _) = taken(text.as_bytes(), None);
        assert!(found.is_empty(), "{text}");
        assert!(reasons[0].contains(words), "{reasons:?}");
    }
    let other = "instanceArn,finding,recommendationOptions_1_instanceType\narn:x,OVER,m5.large\n";
    let (found, reasons, summary) = taken(other.as_bytes(), None);
    assert_eq!((found.len(), reasons.len(), summary.ignored), (0, 0, 1));
    assert!(summary.notes[0].contains("another resource"), "{summary:?}");
}

/// Rows of a query may hold any words.
#[test]
fn rows_of_logs_insights_are_not_a_tuning_result() {
    let text =
        r#"{"results":[[{"field":"@message","value":"a visualization of averageDuration"}]]}"#;
    let (_, reasons, summary) = taken(text.as_bytes(), None);
    assert_eq!((reasons.len(), summary.ignored), (0, 1), "{reasons:?}");
}

/// Live input is untrusted: results of other tools count only from a user's file.
#[test]
fn no_stream_record_may_hold_it() {
    for name in [
        "power_tuning_execution.json",
        "power_tuning_link.txt",
        "compute_optimizer.json",
        "compute_optimizer_export.csv",
    ] {
        let mut accepted = 0;
        let mut sink = |item| {
            accepted += u32::from(matches!(item, Item::Evidence { .. }));
            Ok(())
        };
        let (hints, waiting) = (hints(Some("f")), WaitingStarts::default());
        let read = read_record::<Infallible>(&fixture(name), &hints, &waiting, &mut sink);
        assert!(read.is_ok());
        assert_eq!(accepted, 0, "{name}");
    }
}
