//! The documents of AWS Lambda Power Tuning: the input of a run, its result, and the link of its chart.
//!
//! [`TuningInput`] reads the JSON that starts its state machine, [`TuningOutput`] is the JSON that it returns, and
//! [`chart_url`] is the address of a chart on its public page. Results are read as comparisons, like every other
//! evidence. Field names and their meaning are those of its documentation (README-EXECUTE.md, README-ADVANCED.md) and,
//! if that is silent, of its source; nothing else of it is used here.

mod chart;
mod input;
mod output;
mod payloads;
mod result;

pub use chart::chart_url;
pub use input::{InputError, PayloadSource, TuningInput};
pub use output::{TuningOutput, TuningStat};
pub use payloads::{PayloadError, Payloads};
pub(super) use result::{link, result};
