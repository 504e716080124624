//! The files of a tuning run of many functions: the list of what to tune, and the journal of what is done.

mod journal;
mod list;

pub use journal::{Entry, Finished, Journal};
pub use list::{ListError, MOST_FUNCTIONS, Task, messages, tasks};
