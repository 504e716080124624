//! The plan of a run: what is made, what is invoked, what it costs, and what it may do.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_config::SdkConfig;
use rightsizer_aws::tune::{Original, TuneCalls, Unsuitable};
use rightsizer_formats::power_tuning::Payloads;
use rightsizer_records::Megabytes;
use rightsizer_records::limits::{LAMBDA_LEAST, LAMBDA_MOST};
use rightsizer_records::tags::ALIAS_TAG;
use rightsizer_rules::power::Effort;
use rightsizer_rules::power::tuning::{Invocations, Plan, adaptive_sizes};
use rightsizer_store::inspect::function_named;
use serde_json::{Value, json};

use super::TuneArgs;
use super::payload::payloads;
use super::wish::Wish;
use crate::cli::curve::dollars;
use crate::cli::out;
use crate::cli::text::counted;
use crate::settings::Settings;
use crate::tune::{Known, Order};

/// Of the concurrency that functions without a reservation share, a run takes at most this part: the rest is
/// production's.
pub(in crate::cli) const SHARE_OF_CONCURRENCY: u32 = 10;

/// A function that can be tuned, and how.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) wish: Wish,
    pub(super) original: Arc<Original>,
    pub(super) known: Known,
    pub(super) order: Order,
    pub(super) notes: Vec<String>,
}

/// Reads the function and plans the run. Changes nothing.
pub(super) async fn prepare(
    args: &TuneArgs,
    config: &SdkConfig,
    calls: &TuneCalls,
    settings: &Settings,
    wish: Wish,
) -> anyhow::Result<Prepared> {
    let given = payloads(&wish.payloads, config).await?;
    let original = calls.original(&wish.function, args.code.clone()).await;
    let original = match original {
        Ok(original) => original,
        Err(error) => {
            let why = error.to_string();
            let hint = "docs/TUNE.md lists the permissions that a run needs";
            let hint = args.place.hint(&why, hint).await;
            let hint = match &error {
                Unsuitable::TooLarge(_) => {
                    "\nhint: name the package in S3: --code s3://BUCKET/KEY".to_owned()
                }
                _ if why.starts_with("cannot read it") => hint,
                _ => String::new(),
            };
            anyhow::bail!(
                "{} cannot be tuned: {why}; nothing was created or invoked{hint}",
                wish.function
            );
        }
    };
    alias_may_move(args, calls, &wish, &original).await?;
    let mut notes = Vec::new();
    let known = known(args, settings, &original, &mut notes).await;
    let parallel = parallel(calls, &wish, &mut notes).await;
    let order =
        order(args, settings, &wish, &original, &known, &given, parallel).with_context(|| {
            format!(
                "{} cannot be tuned with these options; nothing was created or invoked",
                wish.function
            )
        })?;
    Ok(Prepared {
        wish,
        original: Arc::new(original),
        known,
        order,
        notes,
    })
}

/// Checks that the updater would move the alias that the input names: its tag is the consent of the function's owner.
async fn alias_may_move(
    args: &TuneArgs,
    calls: &TuneCalls,
    wish: &Wish,
    original: &Original,
) -> anyhow::Result<()> {
    let Some(alias) = &wish.alias else {
        return Ok(());
    };
    let function = &wish.function;
    anyhow::ensure!(
        function.qualifier.as_ref() == Some(alias),
        "autoOptimizeAlias is {alias}, but {function} is to be tuned; nothing was made or invoked\nhint: name the \
         function without a version"
    );
    let tag = match calls.alias_of_updater(&original.function).await {
        Ok(tag) => tag,
        Err(error) => {
            let error = error.to_string();
            let hint = args.place.hint(&error, "allow lambda:ListTags").await;
            anyhow::bail!(
                "cannot read the tags of {function}: {error}; nothing was made or invoked{hint}"
            );
        }
    };
    anyhow::ensure!(
        tag.as_ref() == Some(alias),
        "autoOptimizeAlias is {alias}, but the updater moves an alias only if the tag {ALIAS_TAG} of the function names \
         it; nothing was made or invoked\nhint: set {ALIAS_TAG}={alias} on {}",
        original.function.name()
    );
    Ok(())
}

fn order(
    args: &TuneArgs,
    settings: &Settings,
    wish: &Wish,
    original: &Original,
    known: &Known,
    given: &Payloads,
    parallel: u32,
) -> anyhow::Result<Order> {
    let least = known.safe_mb.unwrap_or(LAMBDA_LEAST).max(LAMBDA_LEAST);
    let usual = || adaptive_sizes(least, LAMBDA_MOST);
    let mut sizes = wish.sizes.clone().unwrap_or_else(usual);
    let mut invocations = match wish.num {
        Some(num) => Invocations::Each(num),
        None => Invocations::Adaptive(Effort::default()),
    };
    if wish.once {
        sizes = sizes.into_iter().max().into_iter().collect();
        let effort = Effort {
            invocations: 1,
            ..Effort::default()
        };
        invocations = Invocations::Adaptive(effort);
    }
    let plan = Plan::new(&sizes, invocations, given.shares().clone())?;
    #[expect(clippy::cast_precision_loss, reason = "at most 15 minutes")]
    let timeout_ms = original.timeout_ms() as f64;
    Ok(Order {
        plan,
        payloads: given.texts().to_vec(),
        strategy: wish.strategy,
        discard: wish.discard,
        parallel,
        pause: wish.pause,
        cold_only: wish.cold_only,
        allowed_exceptions: wish.allowed_exceptions.clone(),
        allowed_errors: wish.allowed_errors,
        max_usd: args.max_usd,
        timeout_ms,
        rates: settings.price.rates(Some(original.function.region())),
        arch: original.arch(),
    })
}

/// What the store or the server knows of it; nothing if neither has it.
async fn known(
    args: &TuneArgs,
    settings: &Settings,
    original: &Original,
    notes: &mut Vec<String>,
) -> Known {
    let arn = original.function.as_str();
    let detail = match (&args.store, args.server.named()) {
        (None, Some(server)) => {
            let detail = server.fetch(&format!("/{arn}")).await;
            detail
                .inspect_err(|error| {
                    notes.push(format!("the server's curve of it is not used: {error:#}"));
                })
                .ok()
        }
        _ => store(args).and_then(|path| function_named(&path, arn, &settings.price).ok()?.ok()),
    };
    detail.map_or_else(Known::default, |detail| {
        Known::of(&detail, original.version(), settings)
    })
}

/// Returns the store to read and write: the one that is named, else the usual one if it exists.
pub(super) fn store(args: &TuneArgs) -> Option<std::path::PathBuf> {
    let usual = || {
        let usual = std::path::PathBuf::from(crate::cli::DEFAULT_STORE);
        (args.server.named().is_none() && usual.exists()).then_some(usual)
    };
    args.store.clone().or_else(usual)
}

/// Returns the number of invocations at the same time that leaves production its concurrency.
async fn parallel(calls: &TuneCalls, wish: &Wish, notes: &mut Vec<String>) -> u32 {
    if wish.parallel <= 1 {
        return 1;
    }
    let Ok(Some(unreserved)) = calls.unreserved_concurrency().await else {
        notes.push(
            "one invocation at a time: the account's concurrency cannot be read \
             (lambda:GetAccountSettings)"
                .to_owned(),
        );
        return 1;
    };
    let most = (unreserved / SHARE_OF_CONCURRENCY).max(1);
    if wish.parallel > most {
        notes.push(format!(
            "{} at the same time instead of {}: the account has a concurrency of {unreserved} for all \
             functions without a reservation, and production needs it",
            counted(usize::try_from(most).unwrap_or(usize::MAX), "invocation"),
            wish.parallel
        ));
    }
    wish.parallel.min(most)
}

impl Prepared {
    /// The most that the invocations can cost, in dollars.
    pub(super) fn most_usd(&self) -> f64 {
        let most = self.order.plan.most_usd(
            self.order.timeout_ms,
            &self.order.rates,
            Some(self.order.arch),
        );
        self.order.max_usd.map_or(most, |max| most.min(max))
    }

    /// The expected cost, if the curve of the function is known.
    pub(super) fn expected_usd(&self) -> Option<f64> {
        let expected = |size: Megabytes| self.known.expected_ms(size);
        let (rates, arch) = (&self.order.rates, Some(self.order.arch));
        self.order.plan.expected_usd(expected, rates, arch)
    }

    fn invocations(&self) -> String {
        let sizes = self.order.plan.sizes().len();
        match self.order.plan.invocations() {
            Invocations::Each(number) => format!(
                "{number} at each of {}, {} in all",
                counted(sizes, "size"),
                self.order.plan.most_invocations()
            ),
            Invocations::Adaptive(effort) if effort.invocations == 1 => "1".to_owned(),
            Invocations::Adaptive(effort) => format!("about 30, at most {}", effort.invocations),
        }
    }

    fn cost(&self) -> String {
        let most = dollars(self.most_usd());
        match self.expected_usd() {
            Some(expected) => format!("about ${}, at most ${most}", dollars(expected)),
            None => format!("at most ${most}, if every invocation takes the whole timeout"),
        }
    }

    fn sizes(&self) -> String {
        let sizes = self
            .order
            .plan
            .sizes()
            .iter()
            .map(|size| size.0.to_string());
        let sizes: Vec<String> = sizes.collect();
        if sizes.len() > 12 {
            format!(
                "{} sizes from {} to {} MB",
                sizes.len(),
                sizes[0],
                sizes[sizes.len() - 1]
            )
        } else {
            format!("{} MB", sizes.join(", "))
        }
    }

    fn payloads(&self) -> String {
        let bytes = self
            .order
            .payloads
            .iter()
            .map(String::len)
            .max()
            .unwrap_or(0);
        let count = self.order.payloads.len();
        format!(
            "{}, at most {}",
            counted(count, "payload"),
            counted(bytes, "byte")
        )
    }

    /// The plan as text.
    pub(super) fn text(&self) -> String {
        let original = &self.original;
        let kind = original.runtime().unwrap_or("image");
        let vpc = if original.in_vpc() { ", in a VPC" } else { "" };
        let wait = if self.order.pause > Duration::ZERO {
            format!(", {} ms apart", self.order.pause.as_millis())
        } else {
            String::new()
        };
        let cold = if self.order.cold_only {
            ", each in a new environment"
        } else {
            ""
        };
        let together = if self.order.parallel > 1 {
            format!(", {} at the same time", self.order.parallel)
        } else {
            String::new()
        };
        let mut lines = vec![
            format!(
                "{} ({}, {} MB, {}, {kind}{vpc})",
                self.wish.function,
                original.version(),
                original.memory_mb().0,
                original.arch().name()
            ),
            format!("  sizes        {}", self.sizes()),
            format!(
                "  invocations  {}{together}{wait}{cold}",
                self.invocations()
            ),
            format!("  payload      {}", self.payloads()),
            format!("  cost         {}", self.cost()),
        ];
        let processors = [&self.wish.processors.before, &self.wish.processors.after];
        let processors = processors.into_iter().zip(["before", "after"]);
        for (function, when) in processors.filter_map(|(f, when)| Some((f.as_ref()?, when))) {
            lines.push(format!(
                "  {when:<12} invokes {function} each time; its cost is not included"
            ));
        }
        lines.extend(
            self.notes
                .iter()
                .map(|note| format!("  note         {note}")),
        );
        lines.join("\n")
    }

    /// The plan as JSON.
    pub(super) fn json(&self) -> Value {
        json!({
            "function": self.original.function,
            "version": self.original.version(),
            "now_mb": self.original.memory_mb(),
            "sizes": self.order.plan.sizes(),
            "invocations": self.invocations(),
            "most_invocations": self.order.plan.most_invocations(),
            "payloads": self.order.payloads.len(),
            "expected_usd": self.expected_usd(),
            "most_usd": self.most_usd(),
            "role": self.original.role(),
            "notes": self.notes,
        })
    }
}

/// Prints the plans, and what a run does.
pub(super) fn print(all: &[Prepared]) {
    for prepared in all {
        out::note(format_args!("{}", prepared.text()));
    }
    let roles: std::collections::BTreeSet<&str> = all.iter().map(|of| of.original.role()).collect();
    let roles: Vec<&str> = roles.into_iter().collect();
    out::note(format_args!(
        "\nA copy of each function is made, invoked and removed; the function itself is only read.\n\
         The copy runs the real code with the real role: what it writes, sends, charges or deletes is real.\n\
         Roles: {}",
        roles.join(", ")
    ));
}
