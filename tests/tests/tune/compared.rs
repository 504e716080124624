//! The adaptive method beside a fixed number of invocations at each size, as AWS Lambda Power Tuning makes them, on the
//! same played functions: invocations, dollars, minutes, and the size that is chosen.

use rightsizer_tests::servers::Behaviour;
use serde_json::{Value, json};

use crate::stage::{Stage, error_of};

/// The sizes with which the state machine of Power Tuning is deployed.
const SIZES: [u64; 6] = [128, 256, 512, 1024, 1536, 3008];
/// The methods: none, or a number of invocations at each size.
const METHODS: [Option<&str>; 3] = [None, Some("10"), Some("50")];

/// What one method came to for one function.
#[derive(Debug, Default, Clone, Copy)]
struct Came {
    invocations: f64,
    usd: f64,
    minutes: f64,
    /// The extra cost of the chosen size over the cheapest.
    regret: f64,
}

fn plays() -> [(&'static str, Behaviour); 4] {
    let function = |wait_ms, cpu_ms| Behaviour {
        wait_ms,
        cpu_ms,
        scatter: 0.25,
        ..Behaviour::default()
    };
    [
        ("waits", function(800.0, 20.0)),
        ("computes", function(5.0, 600.0)),
        ("both", function(120.0, 150.0)),
        ("short", function(8.0, 4.0)),
    ]
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}

/// What a report shows, beside the curve that was played.
fn came(report: &Value, plays: &Behaviour) -> Came {
    let cost = |mb: u64| plays.mean_ms(mb) * f64::from(u32::try_from(mb).unwrap());
    let cheapest = SIZES.map(cost).into_iter().fold(f64::INFINITY, f64::min);
    let minutes = report["sizes"].as_array().unwrap().iter().map(|size| {
        let ran = number(&size["invocations"]) * number(&size["typical"]["mean_ms"]);
        ran + number(&size["starts"]["count"]) * number(&size["starts"]["mean_ms"])
    });
    Came {
        invocations: number(&report["invocations"]),
        usd: number(&report["spent_usd"]),
        minutes: minutes.sum::<f64>() / 60_000.0,
        regret: cost(report["best"]["memory_mb"].as_u64().unwrap()) / cheapest - 1.0,
    }
}

#[tokio::test]
async fn few_invocations_find_about_the_same_size() {
    let stage = Stage::open().await;
    let sizes = SIZES.map(|size| size.to_string()).join(",");
    let mut sums = [Came::default(); 3];
    println!(
        "{:<10} {:<9} {:>12} {:>10} {:>8} {:>6} {:>7}",
        "FUNCTION", "METHOD", "INVOCATIONS", "DOLLARS", "MINUTES", "MB", "REGRET"
    );
    for (name, behaviour) in plays() {
        stage.create(name, &json!({}));
        stage.lambda().plays(name, behaviour.clone());
        for (method, sum) in METHODS.iter().zip(&mut sums) {
            let mut arguments = vec![name, "--sizes", &sizes, "--yes"];
            arguments.extend(method.iter().flat_map(|num| ["--num", num]));
            let (report, output) = stage.tuned(&arguments).await;
            assert!(output.status.success(), "{}", error_of(&output));
            let came = came(&report, &behaviour);
            println!(
                "{name:<10} {:<9} {:>12} {:>10.6} {:>8.2} {:>6} {:>6.1} %",
                method.map_or_else(|| "adaptive".to_owned(), |num| format!("num {num}")),
                came.invocations,
                came.usd,
                came.minutes,
                report["best"]["memory_mb"],
                came.regret * 100.0
            );
            sum.invocations += came.invocations;
            sum.usd += came.usd;
            sum.minutes += came.minutes;
            sum.regret += came.regret;
        }
    }
    let [adaptive, ten, fifty] = sums;
    assert!(
        adaptive.invocations * 5.0 < fifty.invocations,
        "{adaptive:?} {fifty:?}"
    );
    assert!(
        adaptive.usd < ten.usd && adaptive.minutes < ten.minutes,
        "{adaptive:?} {ten:?}"
    );
    assert!(adaptive.regret / 4.0 < 0.03, "{adaptive:?}");
}
