//! What is wanted of each function: from the command line, a file of functions, or the input of Power Tuning.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use rightsizer_aws::tune::Wanted;
use rightsizer_formats::power_tuning::{PayloadSource, TuningInput};
use rightsizer_formats::tuning::{MOST_FUNCTIONS, Task, tasks};
use rightsizer_records::Megabytes;
use rightsizer_rules::evidence::first_64_bits;
use rightsizer_rules::power::Strategy;

use super::TuneArgs;
use super::payload::{source, text_of};
use crate::cli::out;
use crate::tune::Processors;

/// Invocations of each size if every one starts cold: the sampler's curve is one of warm environments.
const COLD_NUM: u32 = 10;

/// What is wanted of one function.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the command line")]
pub(super) struct Wish {
    pub(super) function: Wanted,
    /// The alias that the input wants to be moved.
    pub(super) alias: Option<String>,
    pub(super) sizes: Option<Vec<Megabytes>>,
    /// Invocations at each size; `None`: as the sampler decides.
    pub(super) num: Option<u32>,
    pub(super) payloads: PayloadSource,
    pub(super) strategy: Strategy,
    pub(super) discard: f64,
    pub(super) parallel: u32,
    pub(super) pause: Duration,
    pub(super) cold_only: bool,
    pub(super) allowed_exceptions: Vec<String>,
    pub(super) allowed_errors: u64,
    pub(super) processors: Processors,
    pub(super) apply: bool,
    pub(super) once: bool,
    /// Whether Power Tuning's output has the figures of each size.
    pub(super) include_results: bool,
}

impl Wish {
    /// Returns a hash of the function, its payloads and the options.
    pub(super) fn fingerprint(&self) -> String {
        format!("{:016x}", first_64_bits(&format!("{self:?}")))
    }
}

/// Returns what is wanted of each function. Input that cannot be used is found here, before any call.
pub(super) fn wishes(args: &TuneArgs) -> anyhow::Result<Vec<Wish>> {
    if let Some(file) = &args.power_tuning {
        let input = TuningInput::read(&text_of(file)?);
        let input = input.with_context(|| {
            format!(
                "cannot run {}; nothing was created or invoked",
                file.display()
            )
        })?;
        let own = || -> anyhow::Result<_> { Ok(vec![input.function.parse()?]) };
        let functions = Some(args.functions.clone()).filter(|functions| !functions.is_empty());
        let functions: Vec<Wanted> = functions.map_or_else(own, Ok)?;
        let wish = of_power_tuning(args, input);
        let wishes = functions.into_iter().map(wish);
        return Ok(wishes.collect());
    }
    let wishes = match &args.file {
        None => {
            let payloads = source(&args.what)?;
            let functions = args.functions.iter().cloned();
            functions
                .map(|function| of_flags(args, function, payloads.clone()))
                .collect()
        }
        Some(file) => {
            let text = text_of(file)?;
            let wishes = of_list(args, &text);
            wishes.with_context(|| {
                format!(
                    "cannot use {}; nothing was created or invoked",
                    file.display()
                )
            })?
        }
    };
    ensure!(
        (1..=MOST_FUNCTIONS).contains(&wishes.len()),
        "{} functions; a run takes 1 to {MOST_FUNCTIONS}",
        wishes.len()
    );
    Ok(wishes)
}

fn of_list(args: &TuneArgs, text: &str) -> anyhow::Result<Vec<Wish>> {
    let wish = |task: Task| {
        let function: Wanted = task.function.parse()?;
        Ok(of_flags(args, function, task.payload))
    };
    tasks(text)?.into_iter().map(wish).collect()
}

fn of_flags(args: &TuneArgs, function: Wanted, payloads: PayloadSource) -> Wish {
    let what = &args.what;
    Wish {
        function,
        alias: None,
        sizes: what.sizes.as_ref().map(|sizes| sizes.0.clone()),
        num: what.num.or(what.cold_starts.then_some(COLD_NUM)),
        payloads,
        strategy: what.strategy.strategy(what.weight),
        discard: if what.cold_starts {
            0.0
        } else {
            what.trim.min(0.4)
        },
        parallel: what.parallel,
        pause: Duration::from_millis(what.pause),
        cold_only: what.cold_starts,
        allowed_exceptions: what.allowed_exception.clone(),
        allowed_errors: what.allowed_errors,
        processors: Processors {
            before: what.pre_processor.clone(),
            after: what.post_processor.clone(),
        },
        apply: args.apply,
        once: what.once,
        include_results: true,
    }
}

/// Returns what makes the wish of a function from the input.
fn of_power_tuning(args: &TuneArgs, input: TuningInput) -> impl Fn(Wanted) -> Wish {
    for field in &input.unknown {
        out::note(format_args!(
            "rightsizer: the field {field} of the input is not known and has no effect"
        ));
    }
    let alias = input.auto_optimize_alias.clone();
    let (apply, once) = (
        args.apply || input.auto_optimize || alias.is_some(),
        args.what.once || input.dry_run,
    );
    move |function: Wanted| Wish {
        // What the alias serves is what its version will be made from.
        function: Wanted {
            qualifier: function.qualifier.clone().or_else(|| alias.clone()),
            ..function
        },
        alias: alias.clone(),
        sizes: Some(input.sizes.clone()),
        num: Some(input.invocations),
        payloads: input.payload.clone(),
        strategy: input.strategy,
        discard: input.discard,
        parallel: if input.parallel { input.invocations } else { 1 },
        pause: Duration::from_millis(if input.parallel { 0 } else { input.pause_ms }),
        cold_only: input.only_cold_starts,
        allowed_exceptions: input.allowed_exceptions.clone(),
        allowed_errors: 0,
        processors: Processors {
            before: input.pre_processor.clone(),
            after: input.post_processor.clone(),
        },
        apply,
        once,
        include_results: input.include_results,
    }
}
