//! What the extension weighs, measured as a whole process over TLS: the table of
//! `docs/EXTENSION.md`. Any other extension can be measured in the same run.
//!
//! [`platform`] plays Lambda for any extension, [`endpoint`] is the stream behind TLS, [`life`] runs
//! one process and takes its measures, [`share`] holds it to a part of a CPU, [`mod@bench`] is the course
//! of the whole, [`table`] its result.

pub mod bench;
pub mod endpoint;
pub mod life;
pub mod platform;
pub mod share;
pub mod table;
