//! The prior as a file, and the one that the program contains: `prior.csv`, learnt from public curves by
//! `rightsizer simulate --power FILE --learn`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use super::likelihood::{components, parts};
use super::noise::NOISES;
use super::prior::Prior;
use super::shape::shapes;

/// The columns: a shape's parameters, the deviation that is independent for each size and that of the model, and the
/// weight.
const HEADER: &str = "cpu_share,cores,overlap,burst,deviation,model_deviation,weight";
/// Weights are written with six decimals, so each may be this much too large.
const ROUNDING: f64 = 5e-7;
/// Smaller weights are not written: all components without a row share the rest.
const LEAST: f64 = 1e-4;
/// All 3,008 components without a row can weigh 0.3008 together, so the rows of a whole file weigh this or more.
const LEAST_SUM: f64 = 0.69;

/// A prior that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the prior: {reason}")]
pub struct PriorError {
    /// The line, from 1.
    line: usize,
    /// What is wrong with it.
    reason: &'static str,
}

static SHIPPED: LazyLock<Prior> = LazyLock::new(|| {
    // A test reads the file, so a build with a broken one is not released.
    Prior::from_csv(include_str!("prior.csv")).unwrap_or_else(|_| Prior::flat())
});

impl Prior {
    /// Returns the prior that was learnt from public curves.
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Writes the components that stand out, and their weights.
    pub fn to_csv(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (component, weight) in self.weights().iter().enumerate() {
            if *weight >= LEAST {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{},{weight:.6}", key(component));
            }
        }
        text
    }

    /// Reads what [`Prior::to_csv`] wrote. Lines that begin with `#` are comments.
    ///
    /// # Errors
    /// If a line is not a component with its weight, if the weights exceed one, or if they are so small that lines are
    /// missing.
    pub fn from_csv(text: &str) -> Result<Self, PriorError> {
        let known: HashMap<String, usize> = (0..components()).map(|at| (key(at), at)).collect();
        let mut weights = vec![None; components()];
        for (at, line) in text.lines().enumerate() {
            let error = |reason| PriorError {
                line: at + 1,
                reason,
            };
            let line = line.trim().trim_start_matches('\u{feff}');
            if line.is_empty() || line.starts_with('#') || line == HEADER {
                continue;
            }
            let (component, weight) = line
                .rsplit_once(',')
                .ok_or_else(|| error("it has no weight"))?;
            let component = known
                .get(component)
                .ok_or_else(|| error("no component has these parameters"))?;
            let weight = weight
                .parse()
                .ok()
                .filter(|weight| (0.0..=1.0).contains(weight));
            let weight = weight.ok_or_else(|| error("the weight is not between 0 and 1"))?;
            if weights[*component].replace(weight).is_some() {
                return Err(error("an earlier line has the same parameters"));
            }
        }
        let given: f64 = weights.iter().flatten().sum();
        let without = weights.iter().filter(|weight| weight.is_none()).count();
        #[expect(clippy::cast_precision_loss, reason = "some thousand components")]
        let rounding = ROUNDING * (components() - without) as f64;
        if given > 1.0 + 1e-6 + rounding {
            return Err(PriorError {
                line: 1,
                reason: "the weights add up to more than one",
            });
        }
        if given < LEAST_SUM {
            return Err(PriorError {
                line: text.lines().count().max(1),
                reason: "the weights add up to less than 0.69, so lines are missing after this one",
            });
        }
        #[expect(clippy::cast_precision_loss, reason = "some thousand components")]
        let each = (1.0 - given).max(0.0) / without.max(1) as f64;
        let weights = weights.into_iter().map(|weight| weight.unwrap_or(each));
        let weights: Vec<f64> = weights.collect();
        let sum: f64 = weights.iter().sum();
        Ok(Self::of(
            weights.iter().map(|weight| weight / sum).collect(),
        ))
    }
}

fn key(component: usize) -> String {
    let (shape, noise) = parts(component);
    let (work, noise) = (shapes()[shape].0, NOISES[noise]);
    format!(
        "{},{},{},{},{},{}",
        work.cpu_ms, work.cores, work.overlap, work.burst, noise.each, noise.model
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Lesson, SizePoint, Workload};
    use super::*;
    use rightsizer_records::Megabytes;

    #[test]
    fn the_shipped_prior_is_whole() {
        let read = Prior::from_csv(include_str!("prior.csv")).unwrap();
        let sum: f64 = read.weights().iter().sum();
        assert!((sum - 1.0).abs() < 1e-9 && read != Prior::flat());
        assert_eq!(&read, Prior::shipped());
    }

    /// 30 functions that only compute make the components that do so likely, after the file as before it.
    #[test]
    fn a_prior_survives_its_file() {
        let work = Workload::serial(0.0, 300.0, 1.0);
        let point = |size| SizePoint::new(Megabytes(size), work.duration_ms(Megabytes(size)));
        let lesson = Lesson::of(&[128, 512, 1024, 1769].map(point));
        let learnt = Prior::flat().learn(2.0, &[&lesson; 30]);
        let read = Prior::from_csv(&learnt.to_csv()).unwrap();
        let pairs = learnt.weights().iter().zip(read.weights());
        let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-4, "{off}");
    }

    /// What one function teaches leaves a weight to nearly every component, and each is rounded.
    #[test]
    fn a_prior_with_a_row_for_every_component_is_read() {
        let work = Workload::serial(100.0, 40.0, 1.0);
        let point = |size| SizePoint::new(Megabytes(size), work.duration_ms(Megabytes(size)));
        let lesson = Lesson::of(&[128, 512].map(point));
        let text = Prior::flat().learn(2.0, &[&lesson]).to_csv();
        assert!(text.lines().count() > 2000, "{}", text.lines().count());
        let sum: f64 = Prior::from_csv(&text).unwrap().weights().iter().sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }

    #[test]
    fn a_bad_line_is_named() {
        let reason = |text: &str| Prior::from_csv(text).unwrap_err().to_string();
        let row = key(0);
        assert!(reason("# a comment\nnothing").starts_with("line 2 "));
        assert!(reason(&format!("{HEADER}\n9,9,9,9,9,9,0.1")).contains("no component"));
        assert!(reason(&format!("{row},1.5")).contains("between 0 and 1"));
        assert!(reason(&format!("{row},0.9\n{},0.9", key(1))).contains("more than one"));
        assert!(reason(&format!("{row},0.4\n{row},0.4")).contains("line 2 "));
        // A file that was cut off, and one without any weight.
        assert!(reason(&format!("{row},0.68")).contains("lines are missing"));
        assert!(reason("").contains("lines are missing"));
    }
}
