//! The results of a run, for people and programs.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use rightsizer_formats::power_tuning::{TuningOutput, chart_url};
use rightsizer_records::{FunctionArn, Megabytes};
use rightsizer_rules::power::tuning::{
    Choice, SizeStatistics, TunedFunction, Unfit, best, statistics, unfit,
};
use serde::Serialize;

use super::TuneArgs;
use super::apply::Applied;
use super::plan::Prepared;
use super::table;
use super::wish::Wish;
use crate::cli::curve::milliseconds;
use crate::cli::text::counted;
use crate::tune::{Measured, Stop};

/// A size and why it is never chosen, if it is not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Size {
    #[serde(flatten)]
    pub(super) figures: SizeStatistics,
    pub(super) unfit: Option<Unfit>,
}

/// The results of one function.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) function: FunctionArn,
    pub(super) version: String,
    pub(super) now_mb: Megabytes,
    /// `cost`, `speed` or `balanced`.
    pub(super) strategy: &'static str,
    pub(super) best: Option<Choice>,
    pub(super) sizes: Vec<Size>,
    pub(super) invocations: u64,
    pub(super) spent_usd: f64,
    pub(super) seconds: f64,
    /// Failed invocations by the type of their error.
    pub(super) errors: BTreeMap<String, u64>,
    /// Invocations without a report.
    pub(super) unclear: u64,
    /// Invocations that had to wait, by Lambda's reason.
    pub(super) throttled: BTreeMap<String, u64>,
    /// Why the run ended early.
    pub(super) stopped: Option<String>,
    pub(super) code_changed: bool,
    /// Whether the results are in the store.
    pub(super) stored: bool,
    pub(super) applied: Option<Applied>,
    pub(super) notes: Vec<String>,
    /// The result as the ranking of many functions takes it.
    #[serde(skip)]
    pub(super) tuned_function: Option<TunedFunction>,
    #[serde(skip)]
    once: bool,
}

impl Report {
    pub(super) fn new(prepared: &Prepared, measured: Measured, took: Duration) -> Self {
        let order = &prepared.order;
        let figures = statistics(&measured.samples, &order.measure());
        let ok = |size: Megabytes| {
            let at = figures.iter().position(|figures| figures.memory_mb == size);
            at.is_some_and(|at| unfit(&figures, at).is_none())
        };
        // The sampler knows more than the samples: the curve and what production has shown.
        let sampled = measured.sampled.filter(|size| ok(*size));
        let measured_best = best(&figures, order.strategy);
        let best = match (sampled, measured_best) {
            (Some(size), Some(choice)) if size != choice.memory_mb => {
                let mut as_good = vec![choice.memory_mb];
                as_good.extend(choice.as_good.into_iter().filter(|other| *other != size));
                as_good.sort_unstable();
                Some(Choice {
                    memory_mb: size,
                    as_good,
                })
            }
            (_, choice) => choice,
        };
        let once = prepared.wish.once;
        let sizes = (0..figures.len()).map(|at| Size {
            unfit: unfit(&figures, at),
            figures: figures[at].clone(),
        });
        Self {
            function: prepared.original.function.clone(),
            version: prepared.original.version().to_owned(),
            now_mb: prepared.original.memory_mb(),
            strategy: table::strategy(order.strategy),
            best: best.filter(|_| !once && !decides_nothing(measured.stopped.as_ref())),
            sizes: sizes.collect(),
            invocations: measured.invocations,
            spent_usd: measured.spent_usd,
            seconds: took.as_secs_f64(),
            errors: measured.errors,
            unclear: measured.unclear,
            throttled: BTreeMap::new(),
            stopped: measured.stopped.as_ref().map(ToString::to_string),
            code_changed: false,
            stored: false,
            applied: None,
            notes: Vec::new(),
            tuned_function: None,
            once,
        }
    }

    /// Whether the run did all that it was to do.
    pub(super) fn is_complete(&self) -> bool {
        let applied = self.applied.as_ref().is_none_or(|applied| applied.done);
        self.stopped.is_none() && (self.once || self.best.is_some()) && applied
    }

    fn figures(&self) -> Vec<SizeStatistics> {
        self.sizes.iter().map(|size| size.figures.clone()).collect()
    }

    pub(super) fn print(
        &self,
        args: &TuneArgs,
        wish: Option<&Wish>,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        if args.format.is_some() {
            let include = wish.is_none_or(|wish| wish.include_results);
            let output = self
                .best
                .as_ref()
                .and_then(|best| TuningOutput::of(&self.figures(), best, include));
            let stopped = || {
                self.stopped
                    .clone()
                    .unwrap_or_else(|| "no size can be chosen".to_owned())
            };
            let output =
                output.ok_or_else(|| anyhow::anyhow!("{}: {}", self.function.name(), stopped()))?;
            return crate::cli::write_json(&output, out);
        }
        if args.chart_url {
            let figures = self.figures();
            let points = figures.iter().filter_map(|size| {
                let typical = size.typical?;
                Some((size.memory_mb, typical.mean_ms, typical.usd))
            });
            writeln!(out, "{}", chart_url(&points.collect::<Vec<_>>()))?;
            return Ok(());
        }
        if !self.sizes.is_empty() {
            writeln!(
                out,
                "{}\n{}\n",
                table::picture(&self.sizes),
                table::table(&self.sizes).trim_fmt()
            )?;
        }
        writeln!(out, "{}", self.summary())?;
        Ok(())
    }

    /// What a person should know, one sentence a line.
    fn summary(&self) -> String {
        let name = self.function.name();
        let mut lines = Vec::new();
        lines.push(match &self.best {
            Some(best) if best.memory_mb == self.now_mb => format!(
                "{name}: {} is the best size for {}, as now",
                best.memory_mb, self.strategy
            ),
            Some(best) => format!(
                "{name}: {} is the best size for {} (now {}){}",
                best.memory_mb,
                self.strategy,
                self.now_mb,
                self.compared(best.memory_mb)
            ),
            None => self.without_choice(name),
        });
        let as_good = self.best.iter().flat_map(|best| &best.as_good);
        let as_good: Vec<String> = as_good.map(|size| size.0.to_string()).collect();
        if !as_good.is_empty() {
            lines.push(format!(
                "within the 90 % interval, the run cannot distinguish it from: {} MB",
                as_good.join(", ")
            ));
        }
        for (why, sizes) in self.unfit() {
            lines.push(format!("not chosen: {sizes} MB: {why}"));
        }
        lines.extend(
            self.stopped
                .as_ref()
                .map(|why| format!("ended early: {why}")),
        );
        if self.code_changed {
            lines.push("the code of the function changed during the run: the results are those of the code before".to_owned());
        }
        for (reason, count) in &self.throttled {
            let count = counted(usize::try_from(*count).unwrap_or(usize::MAX), "invocation");
            lines.push(format!("{count} had to wait: {reason}"));
        }
        for (error, count) in &self.errors {
            let count = counted(usize::try_from(*count).unwrap_or(usize::MAX), "invocation");
            lines.push(format!(
                "{count} failed with {error} and are in no duration"
            ));
        }
        lines.extend(self.applied.as_ref().map(|applied| applied.words.clone()));
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        let invocations = usize::try_from(self.invocations).unwrap_or(usize::MAX);
        lines.push(format!(
            "{}, ${} in {}; the copy is removed{}",
            counted(invocations, "invocation"),
            table::small_dollars(self.spent_usd),
            milliseconds(self.seconds * 1000.0),
            if self.stored {
                "; the results are in the store"
            } else {
                ""
            }
        ));
        lines.join("\n")
    }

    /// The sizes that are not chosen, by their reasons.
    fn unfit(&self) -> BTreeMap<&'static str, String> {
        let mut all: BTreeMap<&'static str, String> = BTreeMap::new();
        for size in &self.sizes {
            let Some(why) = size.unfit else { continue };
            let sizes = all.entry(table::sentence(why)).or_default();
            if !sizes.is_empty() {
                sizes.push_str(", ");
            }
            sizes.push_str(&size.figures.memory_mb.0.to_string());
        }
        all
    }

    fn without_choice(&self, name: &str) -> String {
        let returned = self.sizes.iter().any(|size| size.figures.typical.is_some());
        match (self.once, returned) {
            (true, true) => format!("{name}: the invocation returned"),
            (true, false) => format!("{name}: the invocation did not return"),
            (false, _) => format!("{name}: no size can be chosen"),
        }
    }

    /// How much faster and cheaper the best size is than the present one, if both were measured.
    fn compared(&self, best: Megabytes) -> String {
        let typical = |size: Megabytes| {
            let mut sizes = self.sizes.iter();
            sizes
                .find(|of| of.figures.memory_mb == size)
                .and_then(|of| of.figures.typical)
        };
        let Some((best, now)) = typical(best).zip(typical(self.now_mb)) else {
            return String::new();
        };
        let change = |best: f64, now: f64| (best / now.max(f64::MIN_POSITIVE) - 1.0) * 100.0;
        format!(
            ": {:+.0} % duration, {:+.0} % cost",
            change(best.mean_ms, now.mean_ms),
            change(best.usd, now.usd)
        )
    }
}

/// Whether a run that ended so shows nothing about the best size.
fn decides_nothing(stopped: Option<&Stop>) -> bool {
    !matches!(stopped, None | Some(Stop::Budget { .. }))
}

#[cfg(test)]
mod tests {
    use rightsizer_records::Status;
    use rightsizer_rules::power::tuning::{Measure, Sample};
    use rightsizer_rules::price::PriceTable;

    use super::*;

    /// Ten invocations at each of four sizes; 128 MB run out of memory at once.
    fn report() -> Report {
        let sample = |memory_mb, ms: f64, n: u32| Sample {
            memory_mb: Megabytes(memory_mb),
            status: Status::Ok,
            duration_ms: ms * (1.0 + f64::from(n) * 0.01),
            billed_ms: (ms * (1.0 + f64::from(n) * 0.01)).ceil() + if n == 0 { 200.0 } else { 0.0 },
            init_ms: (n == 0).then_some(200.0),
            restore_ms: None,
            used_mb: Some(Megabytes(71)),
        };
        let sizes = [(512, 1420.0), (1024, 731.0), (1769, 440.0), (3008, 439.0)];
        let mut samples: Vec<Sample> = sizes
            .iter()
            .flat_map(|(mb, ms)| (0..10).map(move |n| sample(*mb, *ms, n)))
            .collect();
        samples.push(Sample {
            status: Status::OutOfMemory,
            ..sample(128, 900.0, 0)
        });
        let measure = Measure {
            discard: 0.2,
            with_starts: false,
            rates: PriceTable::default().rates(None),
            arch: None,
        };
        let figures = statistics(&samples, &measure);
        Report {
            function: FunctionArn::new("aws", "eu-central-1", "123456789012", "checkout").unwrap(),
            version: "$LATEST".to_owned(),
            now_mb: Megabytes(1024),
            strategy: "speed",
            best: best(&figures, rightsizer_rules::power::Strategy::Speed),
            sizes: (0..figures.len())
                .map(|at| Size {
                    unfit: unfit(&figures, at),
                    figures: figures[at].clone(),
                })
                .collect(),
            invocations: 41,
            spent_usd: 0.000_48,
            seconds: 41.5,
            errors: BTreeMap::new(),
            unclear: 0,
            throttled: BTreeMap::from([("ConcurrentInvocationLimitExceeded".to_owned(), 2)]),
            stopped: None,
            code_changed: false,
            stored: true,
            applied: None,
            notes: Vec::new(),
            tuned_function: None,
            once: false,
        }
    }

    fn text(report: &Report) -> String {
        let picture = table::picture(&report.sizes);
        let table = table::table(&report.sizes).trim_fmt();
        format!("{picture}\n{table}\n\n{}", report.summary())
    }

    #[test]
    fn the_results_are_shown_as_picture_table_and_sentences() {
        insta::assert_snapshot!(text(&report()));
    }

    #[test]
    fn the_results_are_at_most_eighty_columns_wide() {
        let text = text(&report());
        for line in text
            .lines()
            .take_while(|line| !line.starts_with("checkout"))
        {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn what_went_wrong_is_shown() {
        let stopped = Stop::Failing {
            memory_mb: Megabytes(3008),
            error: "KeyError".to_owned(),
            message: "'order'".to_owned(),
        };
        let report = Report {
            best: None,
            stopped: Some(stopped.to_string()),
            errors: BTreeMap::from([("KeyError".to_owned(), 1)]),
            code_changed: true,
            notes: vec!["the log group of the copy may be left: denied".to_owned()],
            stored: false,
            ..report()
        };
        insta::assert_snapshot!(report.summary());
        assert!(!report.is_complete());
    }
}
