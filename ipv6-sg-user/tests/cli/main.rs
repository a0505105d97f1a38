//! The verbs that need neither root nor a kernel, as a person types them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on should panic")]

mod check;
mod errors;
mod explain;
mod explain_rules;
mod host;
mod print;
