//! The copies of a bench: what is planned, made, and removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rightsizer_aws::clock::now;
use rightsizer_aws::tune::{Marks, Original, Scratch, TuneCalls, Wanted};
use rightsizer_records::limits::ONE_VCPU;
use rightsizer_records::{Arch, FunctionArn, Megabytes};
use rightsizer_rules::power::bench::{Package, Tested};
use rightsizer_rules::price::Rates;
use serde_json::{Value, json};

use crate::bench::{BenchOrder, Copy, Versions};
use crate::cli::curve::dollars;
use crate::cli::out;
use crate::cli::tune::SHARE_OF_CONCURRENCY;
use crate::settings::Settings;

/// Sizes with one and two vCPUs, beside the present one.
const USUAL: [u32; 2] = [ONE_VCPU.0, 2 * ONE_VCPU.0];

/// What is copied.
pub(super) struct Copies {
    planned: Vec<Planned>,
}

struct Planned {
    wanted: Wanted,
    original: Arc<Original>,
    package: Package,
    rates: Rates,
}

impl Copies {
    /// Reads the functions; nothing is made.
    pub(super) async fn planned(
        calls: &TuneCalls,
        settings: &Settings,
        functions: &[Wanted],
        snap_start: bool,
    ) -> anyhow::Result<Self> {
        let mut planned = Vec::new();
        for wanted in functions {
            let original = calls.original(wanted, None).await;
            let original = match original {
                Ok(original) => Arc::new(original),
                Err(error) => {
                    bail!("{wanted} cannot be copied: {error}; nothing was created or invoked")
                }
            };
            let snapshots = (snap_start && !original.is_image()).then_some(Package::SnapStart);
            for package in [Some(original.package()), snapshots].into_iter().flatten() {
                planned.push(Planned {
                    wanted: wanted.clone(),
                    original: original.clone(),
                    package,
                    rates: settings.price.rates(Some(original.function.region())),
                });
            }
        }
        Ok(Self { planned })
    }

    /// The ARN of each function, by its name as the samples have it.
    pub(super) fn functions(&self) -> BTreeMap<String, FunctionArn> {
        let named = self.planned.iter();
        named
            .map(|of| (of.wanted.to_string(), of.original.function.clone()))
            .collect()
    }

    /// The largest present size, and those with one and two vCPUs above it.
    pub(super) fn usual_sizes(&self) -> Vec<Megabytes> {
        let present = self.planned.iter().map(|of| of.original.memory_mb());
        let present = present.max().unwrap_or(Megabytes(1024));
        let larger = USUAL.map(Megabytes).into_iter();
        let larger = larger.filter(|size| *size > present);
        [present].into_iter().chain(larger).collect()
    }

    /// The plan as text.
    pub(super) fn plan(&self, order: &BenchOrder) -> String {
        let sizes: Vec<String> = order.sizes.iter().map(|size| size.0.to_string()).collect();
        let copies = self.planned.iter().map(|of| {
            let kind = of.original.runtime().unwrap_or("image");
            format!("{} ({}, {kind})", of.wanted, of.package.name())
        });
        let mut lines: Vec<String> = copies.collect();
        let every = order.every.as_secs() / 60;
        let rounds = match order.rounds {
            1 => "right after the copies are made".to_owned(),
            rounds => format!("in each of {rounds} rounds, {every} minutes apart"),
        };
        let all = order.starts_of_each() * self.planned.len() as u64;
        lines.push(format!("  sizes   {} MB", sizes.join(", ")));
        lines.push(format!(
            "  starts  {} at each size {rounds}, {} at the same time, {all} in all",
            order.starts, order.parallel
        ));
        lines.push(format!(
            "  cost    at most ${}, if every start takes the whole timeout",
            dollars(self.most_usd(order))
        ));
        lines.push(String::new());
        lines.push(
            "A copy of each function is made, started and removed; the function itself is only read.\n\
             The copy runs the real code with the real role: what it writes, sends, charges or deletes is real."
                .to_owned(),
        );
        lines.join("\n")
    }

    /// The plan as JSON.
    pub(super) fn json(&self, order: &BenchOrder) -> Value {
        let copies = self.planned.iter().map(|of| {
            json!({"function": of.original.function, "package": of.package, "role": of.original.role()})
        });
        json!({
            "dry_run": true,
            "copies": copies.collect::<Vec<_>>(),
            "sizes": order.sizes,
            "starts": order.starts_of_each() * self.planned.len() as u64,
            "most_usd": self.most_usd(order),
        })
    }

    fn most_usd(&self, order: &BenchOrder) -> f64 {
        let each = f64::from(order.starts) * f64::from(order.rounds);
        let of = |planned: &Planned| {
            let copy = planned.copy((), String::new());
            let sizes = order.sizes.iter();
            each * sizes.map(|size| copy.most_usd_each(*size)).sum::<f64>()
        };
        let most: f64 = self.planned.iter().map(of).sum();
        order.max_usd.map_or(most, |max| most.min(max))
    }

    /// Names the copies; nothing is made.
    pub(super) fn copies(
        self,
        calls: &TuneCalls,
        order: &BenchOrder,
        payload: &str,
    ) -> Vec<Copy<Versions>> {
        let planned = self.planned.iter();
        let timeouts = planned.map(|of| of.copy((), String::new()).timeout_ms);
        let long = order.longest(timeouts).as_millis();
        let until = now().plus_ms(i64::try_from(long).unwrap_or(i64::MAX));
        let name = |of: Planned| {
            let marks = Marks {
                run: format!("{:08x}", fastrand::u32(..)),
                until,
                snap_start: of.package == Package::SnapStart,
            };
            let scratch = Scratch::new(calls.clone(), of.original.clone(), marks);
            of.copy(Versions::new(scratch), payload.to_owned())
        };
        self.planned.into_iter().map(name).collect()
    }
}

impl Planned {
    fn copy<S>(&self, starter: S, payload: String) -> Copy<S> {
        let original = &self.original;
        #[expect(clippy::cast_precision_loss, reason = "at most 15 minutes")]
        let timeout_ms = original.timeout_ms() as f64;
        Copy {
            tested: Tested {
                function: self.wanted.to_string(),
                region: Some(original.function.region().to_owned()),
                arm64: original.arch() == Arch::Arm64,
                runtime: original.runtime().map(str::to_owned),
                package: self.package,
            },
            starter,
            payload,
            timeout_ms,
            rates: self.rates,
            arch: original.arch(),
        }
    }
}

/// Makes the copies, one after the other: all tools of an account share few calls a second.
pub(super) async fn make(copies: &[Copy<Versions>], order: &BenchOrder) -> anyhow::Result<()> {
    let first = order.sizes.last().copied().unwrap_or(Megabytes(1024));
    for copy in copies {
        let made = copy.starter.scratch().create(first).await;
        made.with_context(|| {
            format!(
                "{} cannot be copied; nothing was invoked",
                copy.tested.function
            )
        })?;
    }
    Ok(())
}

/// Removes every copy that may exist.
pub(super) async fn remove(copies: &mut Vec<Copy<Versions>>) -> anyhow::Result<()> {
    let mut left = Vec::new();
    for copy in copies.drain(..) {
        let scratch = copy.starter.scratch();
        match scratch.remove().await {
            Ok(removed) => {
                if let Some(why) = removed.log_group_left {
                    out::note(format_args!(
                        "rightsizer: the log group of a copy may be left: {why}"
                    ));
                }
            }
            Err(error) => left.push(format!("{}: {error}", scratch.name())),
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    bail!(
        "copies could not be removed: {}\nhint: rightsizer tune --cleanup --yes removes them",
        left.join("; ")
    )
}

/// Returns the number of starts at the same time that leaves production its concurrency.
pub(super) async fn parallel(calls: &TuneCalls, wanted: u32) -> u32 {
    match calls.unreserved_concurrency().await {
        Ok(Some(unreserved)) => wanted.min((unreserved / SHARE_OF_CONCURRENCY).max(1)),
        _ => 1,
    }
}
