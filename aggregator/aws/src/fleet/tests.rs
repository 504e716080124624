//! Every rule by its name, the laws, and functions that change, refuse and vanish meanwhile.

mod functions;
mod laws;
mod messages;
mod rules;
mod walking;

pub(super) use functions::facts;
