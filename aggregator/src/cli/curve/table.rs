//! A curve as numbers: one line for each size, and the best size for each objective. Pure.

use std::fmt::Write as _;

use rightsizer_records::Megabytes;
use rightsizer_rules::power::{Advice, Basis, Drawn, HoursMatched, Offer, Point};

use crate::cli::function_report::wrapped;
use crate::cli::text::short;

/// Returns a line for each size, and the objectives.
pub(super) fn table(curve: &Drawn) -> String {
    let mut text = format!(
        "{}, version {}: {} MB now, safe from {} MB\n\n",
        rightsizer_records::shown::shown(short(&curve.function)),
        rightsizer_records::shown::shown(&curve.version),
        curve.now_mb.0,
        curve.safe_mb.0
    );
    if curve.refusal().is_some() {
        text.push_str(&objectives(curve));
        return text;
    }
    text.push_str("     MB       P50          90 % INTERVAL       P95    $/MONTH  BASIS\n");
    for point in &curve.points {
        text.push_str(&line(point, curve));
        text.push('\n');
    }
    let model = &curve.model;
    let _ = writeln!(
        text,
        "\nOn one core it waits about {} and computes {}, on up to {:.1} cores.\n",
        milliseconds(model.wait_ms),
        milliseconds(model.cpu_ms),
        model.cores
    );
    text.push_str(&hours(&curve.hours));
    text.push_str(&objectives(curve));
    text
}

/// Returns by how much the medians are not those that were measured; empty if no difference would be seen.
fn hours(matched: &[HoursMatched]) -> String {
    let seen = |size: &&HoursMatched| (size.factor - 1.0).abs() >= LEAST_SHIFT;
    let seen = matched.iter().filter(seen).map(|size| {
        let percent = (size.factor - 1.0) * 100.0;
        format!("{} MB {percent:+.1} %", size.memory_mb.0)
    });
    let seen: Vec<String> = seen.collect();
    if seen.is_empty() {
        return seen.concat();
    }
    let shifts = seen.join(", ");
    let what = format!(
        "All sizes are compared at the same hours, so durations differ from those measured: {shifts}."
    );
    wrapped("", "", &what) + "\n"
}

/// A smaller shift of a median by its hours is not shown.
const LEAST_SHIFT: f64 = 0.005;

fn line(point: &Point, curve: &Drawn) -> String {
    let ms = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), milliseconds);
    let interval = match (point.p50_low, point.p50_high) {
        (Some(low), Some(high)) => format!("{} to {}", milliseconds(low), milliseconds(high)),
        _ => "-".to_owned(),
    };
    let usd = point.monthly_usd.map_or_else(|| "-".to_owned(), dollars);
    let size = point.memory_mb;
    let mut notes = vec![basis(point.basis)];
    if size == curve.now_mb {
        notes.push("now");
    }
    if size < curve.safe_mb {
        notes.push("not safe");
    }
    let line = format!(
        "{:>7} {:>9}  {interval:>20} {:>9} {usd:>10}  {}",
        size.0,
        ms(point.p50_ms),
        ms(point.p95_ms),
        notes.join(", ")
    );
    line.trim_end().to_owned()
}

const fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Measured => "measured",
        Basis::Between => "between",
        Basis::Cpu => "cpu",
        Basis::Prior => "prior",
        Basis::Unknown => "unknown",
    }
}

/// Returns the best size for each objective side by side, and what the function could have; or why no size has an
/// estimate.
pub(in crate::cli) fn objectives(curve: &Drawn) -> String {
    if let Some(why) = curve.refusal() {
        return wrapped("  ", "    ", &format!("no size has an estimate: {why}"));
    }
    let mut text = String::new();
    let best = curve.best;
    let rows = [
        ("now", Some(curve.now_mb)),
        ("memory", Some(curve.safe_mb)),
        ("cost", best.cost),
        ("balanced", best.balanced),
        ("speed", best.speed),
    ];
    let _ = writeln!(
        text,
        "  {:<9} {:>8} {:>10} {:>10}  BASIS",
        "OBJECTIVE", "MB", "P50", "$/MONTH"
    );
    for (name, size) in rows {
        let point = size.and_then(|size| at(curve, size));
        let (Some(size), Some(point)) = (size, point) else {
            let _ = writeln!(text, "  {name:<9} {:>8}", "-");
            continue;
        };
        let ms = point.p50_ms.map_or_else(|| "-".to_owned(), milliseconds);
        let usd = point.monthly_usd.map_or_else(|| "-".to_owned(), dollars);
        let _ = writeln!(
            text,
            "  {name:<9} {:>8} {ms:>10} {usd:>10}  {}",
            size.0,
            basis(point.basis)
        );
    }
    if let Some(free) = curve.offers.free {
        // Costs that differ by half a percent are the same money.
        let usd_more = free.usd_more.min(0.0);
        let free = Offer { usd_more, ..free };
        let _ = writeln!(text, "  free speed: {}", offered(free));
    }
    if let Some(cheap) = curve.offers.cheap {
        let _ = writeln!(text, "  cheap speed: {}", offered(cheap));
    }
    text
}

/// Returns advice that is shown and never applied; empty if there is none.
pub(in crate::cli) fn advised(advice: &[Advice]) -> String {
    let lines = advice
        .iter()
        .map(|one| format!("  advice: {}\n", words(one)));
    lines.collect()
}

fn words(advice: &Advice) -> String {
    match advice {
        Advice::TimeoutNear {
            p99_ms,
            timeout_ms,
            better_ms,
        } => near(*p99_ms, *timeout_ms, *better_ms),
        Advice::TimeoutLong {
            p99_ms,
            timeout_ms,
            better_ms,
        } => format!(
            "99 % end within {}; a timeout of {} instead of {} would end hanging calls sooner",
            milliseconds(*p99_ms),
            milliseconds(*better_ms),
            milliseconds(*timeout_ms)
        ),
        Advice::Arm64 {
            saved_usd,
            slower_at_most,
        } => format!(
            "arm64 costs ${} a month less if it is as fast, up to {slower_at_most:.2}× as slow",
            dollars(*saved_usd)
        ),
        Advice::Architectures {
            memory_mb,
            x86_version,
            x86_ms,
            arm64_version,
            arm64_ms,
            cost_times,
            ..
        } => format!(
            "at {memory_mb} version {arm64_version} on arm64 took {}, version {x86_version} on x86_64 {}: {cost_times:.2}× \
             the cost, if the versions differ in nothing else",
            milliseconds(*arm64_ms),
            milliseconds(*x86_ms)
        ),
        Advice::Provisioned {
            share,
            p95_ms,
            added_usd,
        } => format!(
            "{:.1} % wait up to {} for a start; provisioned concurrency avoids that for ${} a month {}",
            100.0 * share,
            milliseconds(*p95_ms),
            dollars(added_usd.abs()),
            if *added_usd < 0.0 { "less" } else { "more" }
        ),
        Advice::StartsFail {
            failed,
            attempts,
            p50_ms,
        } => failing(*failed, *attempts, *p50_ms),
    }
}

/// A timeout may already be the longest.
fn near(p99_ms: f64, timeout_ms: f64, better_ms: f64) -> String {
    let [p99, timeout, better] = [p99_ms, timeout_ms, better_ms].map(milliseconds);
    let near = format!("1 % take over {p99}, near the timeout of {timeout}");
    if better_ms > timeout_ms {
        format!("{near}; {better} leaves room")
    } else {
        format!("{near}, the longest that Lambda has; split the work")
    }
}

fn failing(failed: u64, attempts: u64, p50_ms: f64) -> String {
    format!(
        "{failed} of {attempts} starts failed, half of them after {} or more; a failed start is repeated within an \
         invocation",
        milliseconds(p50_ms)
    )
}

/// Returns an offer such as `1.9× faster for the same money at 1024 MB (at least 1.7×)`.
pub(in crate::cli) fn offered(offer: Offer) -> String {
    let money = if offer.usd_more >= 0.005 {
        format!("${} a month more", dollars(offer.usd_more))
    } else if offer.usd_more <= -0.005 {
        format!("${} a month less", dollars(-offer.usd_more))
    } else {
        "the same money".to_owned()
    };
    format!(
        "{:.1}× faster for {money} at {} MB (at least {:.1}×)",
        offer.faster, offer.memory_mb.0, offer.faster_at_least
    )
}

fn at(curve: &Drawn, size: Megabytes) -> Option<&Point> {
    curve.points.iter().find(|point| point.memory_mb == size)
}

/// Returns a duration with up to three digits, for tables that compare sizes: `1.3 ms`, `120 ms`, `4.23 s`, `20 min`.
pub(in crate::cli) fn milliseconds(ms: f64) -> String {
    if ms < 9.95 {
        format!("{ms:.1} ms")
    } else if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if ms < 9_995.0 {
        format!("{:.2} s", ms / 1000.0)
    } else if ms < 99_950.0 {
        format!("{:.1} s", ms / 1000.0)
    } else if ms < 999_500.0 {
        format!("{:.0} s", ms / 1000.0)
    } else {
        format!("{:.0} min", ms / 60_000.0)
    }
}

/// Returns dollars with two decimals, with four below ten cents, and with none from $10,000 on.
pub(in crate::cli) fn dollars(usd: f64) -> String {
    if usd.abs() < 0.1 && usd != 0.0 {
        format!("{usd:.4}")
    } else if usd < 9_999.5 {
        format!("{usd:.2}")
    } else {
        format!("{usd:.0}")
    }
}

#[cfg(test)]
pub(in crate::cli) mod tests {
    use rightsizer_rules::power::{Durations, Prior, SizeUse, Subject, Workload, draw};
    use rightsizer_rules::price::PriceTable;

    use super::*;

    /// A function that computes for 300 ms and waits 60, measured at 256 and 512 MB.
    pub(in crate::cli) fn curve() -> Drawn {
        let work = Workload::serial(60.0, 300.0, 1.0);
        let day = rightsizer_records::Day::parse("2026-01-31").unwrap();
        let size = |mb: u32| {
            let p50_ms = work.duration_ms(Megabytes(mb));
            SizeUse {
                version: "$LATEST".to_owned(),
                memory_mb: Megabytes(mb),
                first_day: day.plus(-13),
                last_day: day,
                invocations: 700_000,
                failures: 0,
                timeouts: 0,
                ooms: 0,
                billed_ms: 0,
                durations: Some(Durations {
                    count: 700_000,
                    mean_ms: p50_ms * 1.1,
                    p50_ms,
                    p95_ms: p50_ms * 2.0,
                    p99_ms: p50_ms * 3.0,
                    spread: 0.2,
                }),
                cores_used: Some(300.0 / p50_ms),
                used_mb: Some(140.0),
                peak_mb: Megabytes(180),
                starts: None,
                inits: None,
                restores: None,
                failed_inits: None,
                failed_restores: None,
                deployment: None,
                first_hours: None,
                hours_factor: None,
                firsts: None,
                arch: None,
            }
        };
        let sizes = [size(256), size(512)];
        let subject = Subject {
            version: "$LATEST",
            now_mb: Megabytes(512),
            before_mb: None,
            safe_mb: Megabytes(256),
            max_mb: Megabytes(3008),
            sizes: &sizes,
            elsewhere: &[],
            monthly_usd: None,
            rates: PriceTable::default().rates(None),
            arch: None,
            weight: 0.5,
            speed_budget: 1.0,
        };
        draw(
            "arn:aws:lambda:eu-west-1:123456789012:function:checkout",
            &subject,
            &Prior::flat(),
        )
        .unwrap()
    }

    #[test]
    fn a_curve_as_numbers() {
        insta::assert_snapshot!(table(&curve()));
    }

    /// Sizes that contradict each other.
    #[test]
    fn no_estimate_has_a_reason_instead_of_numbers() {
        let mut curve = curve();
        for point in &mut curve.points {
            (point.p50_ms, point.monthly_usd) = (None, None);
            point.why = Some("1024 MB took over ten times as long as 256 MB".to_owned());
        }
        insta::assert_snapshot!(table(&curve), @r"
        checkout, version $LATEST: 512 MB now, safe from 256 MB

          no size has an estimate: 1024 MB took over ten times as long as 256 MB
        ");
    }

    #[test]
    fn numbers_as_people_read_them() {
        let ms = [1.26, 9.96, 1234.4, 12_340.0, 100_000.0, 1_200_000.0].map(milliseconds);
        assert_eq!(
            ms,
            ["1.3 ms", "10 ms", "1.23 s", "12.3 s", "100 s", "20 min"]
        );
        let usd = [0.0123, 0.0, 1.234, 123_456.7].map(dollars);
        assert_eq!(usd, ["0.0123", "0.00", "1.23", "123457"]);
    }

    #[test]
    fn advice_in_words() {
        let (p99_ms, timeout_ms, better_ms) = (2_400.0, 3_000.0, 8_000.0);
        insta::assert_snapshot!(advised(&[
            Advice::TimeoutNear {
                p99_ms,
                timeout_ms,
                better_ms
            },
            Advice::TimeoutNear {
                p99_ms: 700_000.0,
                timeout_ms: 900_000.0,
                better_ms: 900_000.0
            },
            Advice::TimeoutLong {
                p99_ms: 800.0,
                timeout_ms: 900_000.0,
                better_ms: 3_000.0
            },
            Advice::Arm64 {
                saved_usd: 6.15,
                slower_at_most: 1.25
            },
            Advice::Architectures {
                memory_mb: Megabytes(512),
                x86_version: "3".to_owned(),
                x86_ms: 200.0,
                arm64_version: "5".to_owned(),
                arm64_ms: 180.0,
                times: 0.9,
                cost_times: 0.72
            },
            Advice::Provisioned {
                share: 0.034,
                p95_ms: 2_310.0,
                added_usd: 18.2
            },
            Advice::Provisioned {
                share: 0.034,
                p95_ms: 2_310.0,
                added_usd: -3.2
            },
            Advice::StartsFail {
                failed: 12,
                attempts: 494,
                p50_ms: 10_009.0
            },
        ]));
    }

    #[test]
    fn offers_in_words() {
        let offer = |usd_more| Offer {
            memory_mb: Megabytes(1024),
            faster: 1.93,
            faster_at_least: 1.71,
            usd_more,
        };
        let words = [0.001, 0.42, -1.5].map(|more| offered(offer(more)));
        assert_eq!(
            words[0],
            "1.9× faster for the same money at 1024 MB (at least 1.7×)"
        );
        assert!(
            words[1].contains("for $0.42 a month more at"),
            "{}",
            words[1]
        );
        assert!(
            words[2].contains("for $1.50 a month less at"),
            "{}",
            words[2]
        );
    }

    /// 0.4 % would not be seen.
    #[test]
    fn medians_that_were_shifted_are_named() {
        let mut curve = curve();
        let matched = |memory_mb, factor| HoursMatched {
            memory_mb: Megabytes(memory_mb),
            factor,
        };
        curve.hours = vec![matched(256, 1.0), matched(512, 1.004)];
        assert!(!table(&curve).contains("hours"));
        curve.hours = vec![matched(256, 1.004), matched(512, 0.92)];
        let text = table(&curve);
        let lines: Vec<&str> = text.lines().collect();
        let from = lines
            .iter()
            .position(|line| line.contains("hours"))
            .unwrap();
        let shown = lines[from..from + 2].join("\n");
        insta::assert_snapshot!(shown, @"
        All sizes are compared at the same hours, so durations differ from those
        measured: 512 MB -8.0 %.
        ");
    }
}
