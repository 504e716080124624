//! The settings of a job.

use rightsizer_formats::WaitingStarts;
use rightsizer_formats::intake::{Accept, BadRule};
use rightsizer_formats::states::BadLine;
use rightsizer_rules::inventory::Home;
use rightsizer_rules::policy::{PolicyError, PolicySettings};
use rightsizer_rules::power::PowerSettings;
use rightsizer_rules::price::{PriceError, PriceTable};
use rightsizer_rules::state::{OLDEST_STATE_VERSION, STATE_VERSION, StateError, Terms};
use rightsizer_rules::window::{ClockMode, WindowSettings};
use serde::Deserialize;

/// What the rules go by, for all functions.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    pub(crate) accept: Accept,
    pub(crate) home: Option<Home>,
    pub(crate) mode: ClockMode,
    /// The version of the states that it writes.
    pub(crate) state_version: u8,
    /// Starts that failed, and whose report comes in another record.
    pub(crate) waiting: WaitingStarts,
}

/// The part of `rightsizer.toml` that the rules read. The aggregator, which checks the whole file, is started with the
/// same.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    window: WindowSettings,
    policy: PolicySettings,
    power: PowerSettings,
    price: PriceTable,
    flink: Flink,
}

/// `[flink]`, which the job itself adds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Flink {
    /// Days close by the newest event instead of the machine's clock.
    event_clock: bool,
    /// `ACCOUNT/REGION` of functions that payloads know by name only.
    home: Option<String>,
    /// `ACCOUNT/REGION` of functions that may be reported; empty takes all.
    accept: Vec<String>,
    /// The version of the states that are written: an older one keeps the way back to the release before.
    state_version: Option<u8>,
}

/// Why a call could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The settings cannot be read.
    #[error("the settings cannot be read: {0}")]
    Settings(String),
    /// The settings name a file, and the workers of a job do not have it.
    #[error(
        "power.prior names the file {0}, which the workers of a job cannot read\nhint: set power.prior_csv to the text \
         of the file, here and for the aggregator"
    )]
    PriorFile(String),
    /// The policy's settings are impossible.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The prices are impossible.
    #[error(transparent)]
    Price(#[from] PriceError),
    /// The state is of a later release, or damaged.
    #[error("function {function}: {source}")]
    State {
        /// Whose.
        function: String,
        /// Why.
        source: StateError,
    },
    /// A line of the initial states cannot be used. The job does not go on without it.
    #[error(
        "an initial state cannot be used (`rightsizer from-flink FOLDER` names its file and line): {0}"
    )]
    Initial(#[from] BadLine),
    /// Another part of the job passed something that this one does not know.
    #[error(
        "the job's parts are of different releases: {0}. hint: deploy one jar to all of the cluster"
    )]
    Mixed(&'static str),
    /// The handle is not one that was given out.
    #[error("engine {0} is not open")]
    NotOpen(i64),
}

impl Engine {
    /// Reads the settings: `rightsizer.toml`, with the job's own in `[flink]`.
    pub fn open(settings: &str) -> Result<Self, EngineError> {
        let wrong = |why: &dyn std::fmt::Display| EngineError::Settings(why.to_string());
        let mut settings: Settings = toml::from_str(settings).map_err(|e| wrong(&e))?;
        settings.power.check().map_err(|e| wrong(&e))?;
        if let Some(file) = &settings.power.prior_file {
            return Err(EngineError::PriorFile(file.display().to_string()));
        }
        settings.policy.power = settings.power.clone();
        settings.policy.check()?;
        settings.price.check()?;
        let state_version = settings.flink.state_version.unwrap_or(STATE_VERSION);
        if !(OLDEST_STATE_VERSION..=STATE_VERSION).contains(&state_version) {
            let most = STATE_VERSION;
            return Err(wrong(&format!(
                "flink.state_version is {state_version}, expected {OLDEST_STATE_VERSION} to {most}"
            )));
        }
        let rules = settings.flink.accept.iter().map(|rule| rule.parse());
        let rules: Result<_, _> = rules.collect();
        let home = settings.flink.home.as_deref().map(|home| {
            let (account, region) = home.split_once('/').ok_or_else(|| {
                wrong(&format!("flink.home is {home:?}, expected ACCOUNT/REGION"))
            })?;
            Ok::<_, EngineError>(Home {
                account: account.into(),
                region: region.into(),
            })
        });
        Ok(Self {
            accept: Accept::new(rules.map_err(|e: BadRule| wrong(&e))?),
            home: home.transpose()?,
            mode: if settings.flink.event_clock {
                ClockMode::Event
            } else {
                ClockMode::Wall
            },
            state_version,
            settings,
            waiting: WaitingStarts::default(),
        })
    }

    /// What decisions go by.
    pub(crate) const fn terms(&self) -> Terms<'_> {
        Terms {
            policy: &self.settings.policy,
            price: &self.settings.price,
            cadence: self.settings.window.cadence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_aggregator_are_taken_and_impossible_ones_refused() {
        let engine = Engine::open("[limits]\ndecreases_per_day = 3\n[policy]\nbuffer_mb = 64\n");
        assert_eq!(engine.unwrap().settings.policy.buffer_mb.0, 64);
        for text in [
            "[policy]\nmin_mb = 64",
            "[power]\nweight = 2.0",
            "[power]\nprior = \"fleet.csv\"",
            "[power]\nprior_csv = \"no prior\"",
            "[flink]\nhome = \"eu-west-1\"",
            "[flink]\naccept = [\"x\"]",
            "[flink]\nclock = 1",
            "[flink]\nstate_version = 0",
            "[flink]\nstate_version = 9",
            "nothing",
        ] {
            assert!(Engine::open(text).is_err(), "{text}");
        }
    }
}
