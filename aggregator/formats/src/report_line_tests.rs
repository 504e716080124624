//! Every variant of a `REPORT` line, with the figures it stands for.

use proptest::prelude::*;
use rightsizer_records::Megabytes;

use super::*;

const ID: &str = "0f4b6c1e-1111-4222-8333-abcdefabcdef";

fn line(size: u32, used: u32, duration: f64) -> Invocation {
    Invocation {
        memory_mb: Megabytes(size),
        max_used_mb: Megabytes(used),
        duration_ms: Millis::from_ms_f64(duration),
        billed_ms: Some(Millis::from_ms(
            Millis::from_ms_f64(duration).unwrap().ceil_ms(),
        )),
        init_ms: None,
        restore_ms: None,
        status: Status::Ok,
        error: None,
        cpu_ms: None,
    }
}

fn init(mut line: Invocation, ms: f64) -> Invocation {
    line.init_ms = Millis::from_ms_f64(ms);
    line
}

fn restored(mut line: Invocation, ms: f64) -> Invocation {
    line.restore_ms = Millis::from_ms_f64(ms);
    line
}

fn ended(mut line: Invocation, status: Status) -> Invocation {
    line.status = status;
    line
}

fn crashed(line: Invocation, status: Status) -> Invocation {
    Invocation {
        error: Some(ErrorKind::Crash),
        ..ended(line, status)
    }
}

/// The line up to and with the memory figures, 512 MB of which 90 are used.
fn base() -> String {
    format!(
        "REPORT RequestId: {ID}\tDuration: 12.34 ms\tBilled Duration: 13 ms\t\
         Memory Size: 512 MB\tMax Memory Used: 90 MB"
    )
}

#[test]
fn lines_as_the_platform_and_pipelines_write_them() {
    let plain = line(512, 90, 12.34);
    for (rest, want) in [
        ("", plain),
        ("\t", plain),
        ("\tInit Duration: 250.01 ms", init(plain, 250.01)),
        (
            "\tInit Duration: 250.01 ms\t\nXRAY TraceId: 1-2-3\tSegmentId: ab\tSampled: true\t\n",
            init(plain, 250.01),
        ),
        ("\tXRAY TraceId: 1-6a4a", plain),
        (
            "\tInit Duration: 9.5 ms\t | XRAY TraceId: 1-6a\tSampled: true\t |",
            init(plain, 9.5),
        ),
        ("\tStatus: timeout", ended(plain, Status::Timeout)),
        (
            "\tStatus: error\tError Type: Runtime.ImportModuleError",
            crashed(plain, Status::Error),
        ),
        (
            "\tStatus: error\tError Type: Runtime.ImportModuleError\\nXRAY TraceId: 1-2",
            crashed(plain, Status::Error),
        ),
        ("\tStatus: failure", ended(plain, Status::Error)),
        (
            "\tStatus: error\tError Type: Runtime.OutOfMemory",
            crashed(plain, Status::OutOfMemory),
        ),
        (
            "\tStatus: error\tError Type: Runtime.OutOfMem",
            crashed(plain, Status::OutOfMemory),
        ),
        // 90 of 512 MB is far from the limit: a process that ended itself.
        (
            "\tStatus: error\tError Type: Runtime.ExitError",
            crashed(plain, Status::Error),
        ),
        ("\tStatus: success", plain),
        // Cut off behind the memory figures.
        ("\tI", plain),
        ("\tInit Durat", plain),
        ("\tInit Duration:", plain),
        ("\tInit Duration: 497.8", plain),
        ("\tInit Duration: 497.85 m", plain),
        ("\tInit... |", plain),
        ("\tS", plain),
        ("\tStat", ended(plain, Status::Error)),
        ("\tStatus: ", ended(plain, Status::Error)),
        ("\tStatus: ti", ended(plain, Status::Timeout)),
        ("\tStatus: timeou", ended(plain, Status::Timeout)),
        (
            "\tNew Field: 12 ns\tInit Duration: 9.5 ms",
            init(plain, 9.5),
        ),
        ("\\n", plain),
    ] {
        assert_eq!(parse(&(base() + rest)), Ok(want), "{rest:?}");
    }
}

#[test]
fn init_and_restores_are_kept_apart() {
    let plain = line(512, 90, 12.34);
    for (rest, want) in [
        (
            "\tRestore Duration: 398.97 ms\tBilled Restore Duration: 182 ms\t",
            restored(plain, 398.97),
        ),
        (
            "\tInit Duration: 250.01 ms\tRestore Duration: 398.97 ms",
            restored(init(plain, 250.01), 398.97),
        ),
    ] {
        assert_eq!(parse(&(base() + rest)), Ok(want), "{rest:?}");
    }
}

#[test]
fn separators_may_be_spaces_or_literal_escapes() {
    let want = init(line(512, 90, 12.34), 250.0);
    let tabs = base() + "\tInit Duration: 250 ms";
    for separator in [" ", "    ", "\\t", " \t", " | ", "\n"] {
        assert_eq!(
            parse(&tabs.replace('\t', separator)),
            Ok(want),
            "{separator:?}"
        );
    }
}

#[test]
fn at_the_limit() {
    let exit = "\tStatus: error\tError Type: Runtime.ExitError";
    let at_limit = base().replace("Used: 90", "Used: 511") + exit;
    assert_eq!(parse(&at_limit).unwrap().status, Status::OutOfMemory);
    let over = base().replace("Used: 90", "Used: 513");
    assert_eq!(parse(&over).unwrap().max_used_mb, Megabytes(513));
    // A successful invocation may use all of its memory.
    let all = base().replace("Used: 90", "Used: 512");
    assert_eq!(parse(&all).unwrap().status, Status::Ok);
}

/// What is replaced in the line, by what, and why it is then refused.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "\tMax Memory Used: 90 MB",
        "",
        "cut off: Max Memory Used is missing",
    ),
    ("Used: 90 MB", "", "cut off: Max Memory Used is missing"),
    (
        "Used: 90 MB",
        "Used:",
        "cut off: Max Memory Used is missing",
    ),
    (
        "Used: 90 MB",
        "Used: 9",
        "cut off: Max Memory Used is missing",
    ),
    (
        "Used: 90 MB",
        "Used: 90 M",
        "cut off: Max Memory Used is missing",
    ),
    (
        "\tMax Memory Used: 90 MB",
        " | x |",
        "cut off: Max Memory Used is missing",
    ),
    (
        "512 MB\tMax Memory Used: 90 MB",
        "51",
        "cut off: Memory Size and Max Memory Used are missing",
    ),
    (
        "512 MB\tMax Memory Used: 90 MB",
        "1024 M | x |",
        "cut off: Memory Size and Max Memory Used are missing",
    ),
    (
        "Memory Size: 512 MB\tMax Memory Used: 90 MB",
        "",
        "cut off: Memory Size and Max Memory Used are missing",
    ),
    ("Memory Size: 512 MB\t", "", "Memory Size is missing"),
    (
        "\tMax Memory Used: 90 MB",
        "\tInit Duration: 3 ms",
        "Max Memory Used is missing",
    ),
    (
        "Used: 90 MB",
        "Used: 90 GB",
        "wrong unit: Max Memory Used is in \"GB\", expected MB",
    ),
    (
        "Used: 90 MB",
        "Used: 90 MiB",
        "wrong unit: Max Memory Used is in \"MiB\", expected MB",
    ),
    (
        "Used: 90 MB",
        "Used: 90 kB",
        "wrong unit: Max Memory Used is in \"kB\", expected MB",
    ),
    (
        "Size: 512 MB",
        "Size: 512",
        "wrong unit: Memory Size is in \"\", expected MB",
    ),
    (
        "12.34 ms",
        "12.34 s",
        "wrong unit: Duration is in \"s\", expected ms",
    ),
    (
        "12.34 ms",
        "-12.34 ms",
        "Duration is -12.34 ms, expected 0 to 30 days",
    ),
    (
        "12.34 ms",
        "99999999999 ms",
        "Duration is 99999999999 ms, expected 0 to 30 days",
    ),
    (
        "12.34 ms",
        "NaN ms",
        "Duration is not a number the platform writes: \"NaN\"",
    ),
    (
        "12.34 ms",
        "1.2.3 ms",
        "Duration is not a number the platform writes: \"1.2.3\"",
    ),
    (
        "Used: 90 MB",
        "Used: -90 MB",
        "Max Memory Used is not a number the platform writes: \"-90\"",
    ),
    (
        "Used: 90 MB",
        "Used: 90.5 MB",
        "Max Memory Used is not a number the platform writes: \"90.5\"",
    ),
    (
        "Used: 90 MB",
        "Used: MB",
        "Max Memory Used is not a number the platform writes: \"MB\"",
    ),
    (
        "Used: 90 MB",
        "Used: 5121 MB",
        "memory used is 5121 MB at a size of 512 MB: more than 10 times the size",
    ),
    (
        "Size: 512 MB",
        "Size: 32769 MB",
        "memory size is 32769 MB, expected 1 to 32768",
    ),
    (
        "Used: 90 MB",
        "Used: 0 MB",
        "memory used is 0 MB: nothing was measured",
    ),
    (
        "Used: 90 MB",
        "Used: 90 MB\tMax Memory Used: 91 MB",
        "Max Memory Used is given twice with different figures",
    ),
    (
        "512 MB\tMax Memory Used: 90 MB",
        "128 MBMax Memory Used: 128 MB\t",
        "printed by a local emulator, which reports used = size: no evidence",
    ),
];

#[test]
fn refused_lines_have_a_reason() {
    for (from, to, why) in REFUSED {
        let text = base().replace(from, to);
        assert_ne!(text, base(), "{from}");
        assert_eq!(parse(&text).unwrap_err().to_string(), *why, "{text:?}");
    }
}

#[test]
fn an_emulator_puts_the_init_duration_first() {
    let text = format!(
        "REPORT RequestId: {ID}\tInit Duration: 0.82 ms\tDuration: 6.2 ms\tBilled Duration: 7 ms\t\
         Memory Size: 128 MB\tMax Memory Used: 128 MB\t"
    );
    assert_eq!(parse(&text), Err(ReportLineError::Emulator));
    // An emulator never reports anything but the size.
    assert!(parse(&text.replace("Used: 128", "Used: 90")).is_ok());
}

#[test]
fn what_begins_like_a_report_line() {
    for (text, is) in [
        (base().as_str(), true),
        ("REPORT Requ", true),
        ("REPORT Duration: 1 ms", true),
        ("REPORT", false),
        ("REPORT generation took 5 ms", false),
        ("REPORTRequestId: a", false),
        ("INIT_REPORT Init Duration: 87.28 ms", false),
        ("START RequestId: a", false),
    ] {
        assert_eq!(is_report(text), is, "{text}");
    }
}

#[test]
fn glued_lines_are_separated() {
    let two = base() + &base().replace("Used: 90", "Used: 91");
    let used: Vec<u32> = split_glued(&two)
        .map(|l| parse(l).unwrap().max_used_mb.0)
        .collect();
    assert_eq!(used, [90, 91]);
    let damaged = base().replace(" Used: 90 MB", "") + &base();
    let results: Vec<bool> = split_glued(&damaged).map(|l| parse(l).is_ok()).collect();
    assert_eq!(results, [false, true]);
}

prop_compose! {
    fn fields()(
        duration in 0_u64..90_000_000, billed in 0_u64..900_000, size in 128_u32..=10_240,
        share in 1_u32..=102, start in 0_u64..90_000_000, kind in 0_usize..3,
        status in prop::sample::select(vec![None, Some("timeout"), Some("error")]),
        xray in any::<bool>(),
    ) -> (Vec<String>, Invocation) {
        // Hundredths of a millisecond, as the platform prints them.
        let used = (size * share / 100).max(1);
        let print = |n: u64| format!("{}.{:02} ms", n / 100, n % 100);
        #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
        let millis = |n: u64| Millis::from_ms_f64(n as f64 / 100.0);
        let mut fields = vec![
            format!("Duration: {}", print(duration)),
            format!("Billed Duration: {billed} ms"),
            format!("Memory Size: {size} MB"),
            format!("Max Memory Used: {used} MB"),
        ];
        let first = ["Init Duration", "Restore Duration"].get(kind);
        fields.extend(first.map(|name| format!("{name}: {}", print(start))));
        fields.extend(status.map(|s| format!("Status: {s}")));
        fields.extend(xray.then(|| "XRAY TraceId: 1-2-3".to_owned()));
        let line = Invocation {
                memory_mb: Megabytes(size),
            max_used_mb: Megabytes(used),
            duration_ms: millis(duration),
            billed_ms: Some(Millis::from_ms(billed)),
            init_ms: (kind == 0).then(|| millis(start)).flatten(),
            restore_ms: (kind == 1).then(|| millis(start)).flatten(),
            status: Status::classify(status, None, None),
            error: None,
            cpu_ms: None,
        };
        (fields, line)
    }
}

proptest! {
    #[test]
    fn figures_survive_any_order_and_separators(
        (fields, want, seps) in fields()
            .prop_flat_map(|(f, line)| {
                let n = f.len();
                (Just(f).prop_shuffle(), Just(line),
                 prop::collection::vec(prop::sample::select(vec!["\t", " ", "  ", "\t\n", "\\n", "\\t", " | ", "\r\n"]), n))
            })
            // Init before Duration with used = size is how emulators are known.
            .prop_filter("not an emulator's", |(_, line, _)| line.memory_mb != line.max_used_mb)
    ) {
        let mut text = format!("REPORT RequestId: {ID}");
        for (field, separator) in fields.iter().zip(&seps) {
            text.push_str(separator);
            text.push_str(field);
        }
        prop_assert!(is_report(&text));
        prop_assert_eq!(parse(&text), Ok(want), "{:?}", text);
    }

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        let _ = is_report(&text);
        let _ = parse(&text);
        let whole: String = split_glued(&text).collect();
        prop_assert_eq!(whole, text);
    }

    /// Cut anywhere, a line gives its own memory figures or none, never others.
    #[test]
    fn a_cut_line_never_gives_other_memory_figures((fields, want) in fields(), cut in 0_usize..400) {
        let text = format!("REPORT RequestId: {ID}\t{}", fields.join("\t"));
        let text = &text[..cut.min(text.len())];
        if let Ok(line) = parse(text) {
            prop_assert_eq!((line.memory_mb, line.max_used_mb), (want.memory_mb, want.max_used_mb));
            prop_assert!(line.init_ms.is_none() || line.init_ms == want.init_ms);
            prop_assert!(line.restore_ms.is_none() || line.restore_ms == want.restore_ms);
        }
    }

    #[test]
    fn a_damaged_line_is_answered((fields, _) in fields(), at in 0_usize..300, with in any::<char>()) {
        let mut chars: Vec<char> = format!("REPORT RequestId: {ID}\t{}", fields.join("\t")).chars().collect();
        let at = at % chars.len();
        chars[at] = with;
        let _ = parse(&chars.into_iter().collect::<String>());
    }
}
