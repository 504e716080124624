//! What can be concluded: which differences there are, which there are not, and what is not known yet.

use std::collections::{BTreeMap, BTreeSet};

use rightsizer_records::Megabytes;
use serde::Serialize;

use super::compare::{Ratio, Stratum, ratio};
use super::{ColdSample, Package, Stage};

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum About {
    /// The largest size with the smallest, of one package.
    Size {
        /// The package.
        package: Package,
        /// The time since the deployment.
        stage: Stage,
        /// The largest size.
        large: Megabytes,
        /// The smallest size.
        small: Megabytes,
    },
    /// One package with another.
    Package {
        /// The time since the deployment.
        stage: Stage,
        /// The package.
        package: Package,
        /// The one that it is compared with.
        with: Package,
    },
    /// One runtime with another.
    Runtime {
        /// The runtime.
        runtime: String,
        /// The one that it is compared with.
        with: String,
    },
    /// Right after the deployment with later, of one package.
    Stage {
        /// The package.
        package: Package,
    },
}

/// What a comparison shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// One takes longer.
    Differs,
    /// They take equally long, within 10 %.
    Same,
    /// The interval holds no difference and a considerable one.
    Unknown,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What is compared.
    #[serde(flatten)]
    pub about: About,
    /// What it shows.
    pub verdict: Verdict,
    /// How many times as long it takes.
    #[serde(flatten)]
    pub ratio: Ratio,
}

/// A ratio whose interval ends within this share of 1 is that of equals.
const SAME: f64 = 0.10;
/// A smaller difference is none, however certain it is.
const LEAST: f64 = 0.03;
/// The chance that any interval of a run misses its ratio, shared by all of its comparisons (Bonferroni).
const MISS: f64 = 0.10;

/// A sample's group in a comparison: on which side it is, and with what it may be compared.
type Placed<'a> = Option<(Side, Vec<Key<'a>>)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Group,
    Other,
}

/// A part of what two samples have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Function(&'a str),
    Package(Package),
    Size(Megabytes),
    Round(u32),
}

/// Returns every comparison that the samples allow.
pub(super) fn findings(samples: &[ColdSample]) -> Vec<Finding> {
    let asked = questions(samples);
    #[expect(clippy::cast_precision_loss, reason = "some comparisons")]
    let miss = MISS / asked.len().max(1) as f64;
    let found = asked.into_iter().filter_map(|about| {
        let strata = strata(samples, &about);
        let ratio = ratio(&strata, miss)?;
        Some(Finding {
            verdict: verdict(&ratio),
            about,
            ratio,
        })
    });
    found.collect()
}

fn verdict(ratio: &Ratio) -> Verdict {
    let holds_one = ratio.low <= 1.0 && 1.0 <= ratio.high;
    let far = ratio.ratio.ln().abs() >= (1.0 + LEAST).ln();
    let reach = ratio.low.ln().abs().max(ratio.high.ln().abs());
    if !holds_one && far {
        Verdict::Differs
    } else if reach <= (1.0 + SAME).ln() {
        Verdict::Same
    } else {
        Verdict::Unknown
    }
}

/// What is compared: packages, sizes, times and runtimes, each with the first of its kind.
fn questions(samples: &[ColdSample]) -> Vec<About> {
    let stages: BTreeSet<Stage> = samples.iter().map(ColdSample::stage).collect();
    let packages: BTreeSet<Package> = samples.iter().map(|s| s.tested.package).collect();
    let runtimes: BTreeSet<&str> = samples
        .iter()
        .filter_map(|s| s.tested.runtime.as_deref())
        .collect();
    let mut about = Vec::new();
    for stage in stages.iter().copied() {
        let pairs = packages.iter().enumerate().flat_map(|(at, with)| {
            let others = packages.iter().skip(at + 1);
            others.map(|package| (*package, *with))
        });
        about.extend(pairs.map(|(package, with)| About::Package {
            stage,
            package,
            with,
        }));
    }
    if stages.len() > 1 {
        about.extend(
            packages
                .iter()
                .map(|package| About::Stage { package: *package }),
        );
    }
    for package in packages {
        for stage in stages.iter().copied() {
            let here = |s: &&ColdSample| s.tested.package == package && s.stage() == stage;
            let sizes = samples.iter().filter(here).map(|s| s.memory_mb);
            let (small, large) = (sizes.clone().min(), sizes.max());
            if let (Some(small), Some(large)) = (small, large)
                && small < large
            {
                about.push(About::Size {
                    package,
                    stage,
                    large,
                    small,
                });
            }
        }
    }
    let first = runtimes.first().copied().unwrap_or_default();
    about.extend(runtimes.iter().skip(1).map(|runtime| About::Runtime {
        runtime: (*runtime).to_owned(),
        with: first.to_owned(),
    }));
    about
}

fn strata(samples: &[ColdSample], about: &About) -> Vec<Stratum> {
    let mut strata: BTreeMap<Vec<Key<'_>>, Stratum> = BTreeMap::new();
    for sample in samples {
        if let Some((side, key)) = placed(sample, about) {
            let stratum = strata.entry(key).or_default();
            let values = match side {
                Side::Group => &mut stratum.group,
                Side::Other => &mut stratum.other,
            };
            values.push(sample.start_ms);
        }
    }
    let mut strata: Vec<Stratum> = strata.into_values().collect();
    strata.retain(|stratum| !stratum.group.is_empty() && !stratum.other.is_empty());
    strata
}

/// Places a sample in a comparison; `None` if it has no part in it.
fn placed<'a>(sample: &'a ColdSample, about: &About) -> Placed<'a> {
    let tested = &sample.tested;
    let runtime = tested.runtime.as_deref();
    let function = Key::Function(&tested.function);
    let (size, round) = (Key::Size(sample.memory_mb), Key::Round(sample.round));
    match about {
        About::Size {
            package,
            stage,
            large,
            small,
        } => {
            let here = tested.package == *package && sample.stage() == *stage;
            side(&sample.memory_mb, large, small)
                .filter(|_| here)
                .map(|side| (side, vec![function, round]))
        }
        About::Package {
            stage,
            package,
            with,
        } => side(&tested.package, package, with)
            .filter(|_| sample.stage() == *stage)
            .map(|side| (side, vec![size, round])),
        About::Runtime { runtime: of, with } => side(runtime?, of.as_str(), with.as_str())
            .map(|side| (side, vec![Key::Package(tested.package), size, round])),
        About::Stage { package } => side(&sample.stage(), &Stage::First, &Stage::Later)
            .filter(|_| tested.package == *package)
            .map(|side| (side, vec![function, size])),
    }
}

fn side<T: PartialEq + ?Sized>(of: &T, group: &T, other: &T) -> Option<Side> {
    if of == group {
        Some(Side::Group)
    } else {
        (of == other).then_some(Side::Other)
    }
}
