//! The result of a run in the form that AWS Lambda Power Tuning returns.

use rightsizer_records::Megabytes;
use rightsizer_rules::power::tuning::{Choice, SizeStatistics};
use serde::Serialize;

use super::chart_url;

/// The output of its state machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TuningOutput {
    /// The best size in MB.
    pub power: u32,
    /// Cost of an invocation at this size, in dollars.
    pub cost: f64,
    /// Mean duration at this size, in milliseconds.
    pub duration: f64,
    /// What the run cost, and its chart.
    pub state_machine: StateMachine,
    /// The figures of each size, if the input asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<Vec<TuningStat>>,
}

/// What a run cost, in dollars, and its chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateMachine {
    /// Cost of the state machine: 0, because there is none.
    pub execution_cost: f64,
    /// Cost of the invocations.
    pub lambda_cost: f64,
    /// Address of the chart.
    pub visualization: String,
}

/// The figures of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TuningStat {
    /// The size in MB.
    pub value: u32,
    /// Cost of an invocation, in dollars.
    pub average_price: f64,
    /// Mean duration, in milliseconds.
    pub average_duration: f64,
}

impl TuningOutput {
    /// Returns the output of a run that chose a size; `None` if that size has no figures. A size at which no invocation
    /// returned has no place in this form.
    pub fn of(sizes: &[SizeStatistics], choice: &Choice, include_results: bool) -> Option<Self> {
        let figures = sizes
            .iter()
            .filter_map(|size| Some((size.memory_mb, size.typical?)));
        let figures: Vec<(Megabytes, f64, f64)> = figures
            .map(|(size, typical)| (size, typical.mean_ms, typical.usd))
            .collect();
        let chosen = |(size, ..): &&(Megabytes, f64, f64)| *size == choice.memory_mb;
        let (size, duration, cost) = *figures.iter().find(chosen)?;
        let stats = figures
            .iter()
            .map(|(size, average_duration, average_price)| TuningStat {
                value: size.0,
                average_price: *average_price,
                average_duration: *average_duration,
            });
        Some(Self {
            power: size.0,
            cost,
            duration,
            state_machine: StateMachine {
                execution_cost: 0.0,
                lambda_cost: sizes.iter().map(|size| size.spent_usd).sum(),
                visualization: chart_url(&figures),
            },
            stats: include_results.then(|| stats.collect()),
        })
    }
}

#[cfg(test)]
mod tests {
    use rightsizer_rules::power::Strategy;
    use rightsizer_rules::power::tuning::{Measure, Sample, best, statistics};
    use rightsizer_rules::price::PriceTable;

    use super::*;

    fn sample(memory_mb: u32, ms: f64, status: rightsizer_records::Status) -> Sample {
        Sample {
            memory_mb: Megabytes(memory_mb),
            status,
            duration_ms: ms,
            billed_ms: ms,
            init_ms: None,
            restore_ms: None,
            used_mb: None,
        }
    }

    fn output(include_results: bool) -> TuningOutput {
        use rightsizer_records::Status::{Ok, OutOfMemory};
        let samples = [
            sample(128, 3000.0, OutOfMemory),
            sample(512, 250.0, Ok),
            sample(1024, 100.0, Ok),
        ];
        let measure = Measure {
            discard: 0.2,
            with_starts: false,
            rates: PriceTable::default().rates(None),
            arch: None,
        };
        let sizes = statistics(&samples, &measure);
        let choice = best(&sizes, Strategy::Cost).unwrap();
        TuningOutput::of(&sizes, &choice, include_results).unwrap()
    }

    /// 100 ms at 1 GB cost 0.1 × 0.0000166667; all three, with 375, 125 and 100 GB-ms, 0.6 of it and three requests.
    #[test]
    fn the_output_by_hand() {
        let found = serde_json::to_value(output(true)).unwrap();
        assert_eq!(found["power"], 1024);
        let near = |value: &serde_json::Value, wanted: f64| {
            let value = value.as_f64().unwrap();
            assert!((value / wanted - 1.0).abs() < 1e-9, "{value}");
        };
        near(&found["duration"], 100.0);
        near(&found["cost"], 0.1 * 0.000_016_666_7);
        let spent = 0.6 * 0.000_016_666_7 + 3.0 * 0.000_000_2;
        near(&found["stateMachine"]["lambdaCost"], spent);
        assert_eq!(found["stateMachine"]["executionCost"], 0.0);
        assert_eq!(found["stats"].as_array().unwrap().len(), 2);
        near(&found["stats"][0]["averageDuration"], 250.0);
        let keys: Vec<&String> = found.as_object().unwrap().keys().collect();
        assert_eq!(keys.len(), 5, "{keys:?}");
        assert_eq!(output(false).stats, None);
    }
}
