//! Why the database does not do what is asked. One line, without a password in it.

use std::path::PathBuf;

use sqlx::error::{DatabaseError, Error};

use crate::secret::NoSecret;

/// What keeps a statement from being done.
#[derive(Debug, thiserror::Error)]
pub enum KeaError {
    /// The password.
    #[error("{}: {problem}", path.display())]
    Password {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        problem: NoSecret,
    },
    /// Where the database is.
    #[error("database = {url:?}: {problem}")]
    Url {
        /// As it is set.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It does not answer.
    #[error("{url}: no answer: {reason}; is the database running, and reached from this machine?")]
    Away {
        /// Where.
        url: String,
        /// Why not.
        reason: String,
    },
    /// It lets nobody in with this name and password.
    #[error("{url}: not let in: {reason}; check the user and the database in the URL, and the password_file")]
    NotLetIn {
        /// Where.
        url: String,
        /// The database's words.
        reason: String,
    },
    /// It is another's.
    #[error("{url}: not a hosts database of Kea's: {problem}")]
    NotKeas {
        /// Where.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Somebody else has what was to be written; or wants the same at the same time, and this one gives way.
    #[error("the database refuses: {reason}")]
    Refused {
        /// How.
        refusal: Refusal,
        /// The database's words.
        reason: String,
    },
    /// Nobody has thought of that.
    #[error("the database answers what it is not asked: {0}")]
    Answer(String),
}

/// Why something was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A prefix overlaps another, or is none.
    Overlap,
    /// Two transactions want the same: the same once more may succeed.
    Busy,
    /// Not for this user.
    Forbidden,
    /// Another reason.
    Other,
}

impl KeaError {
    /// Whether the same once more may succeed.
    pub const fn is_busy(&self) -> bool {
        matches!(self, Self::Refused { refusal: Refusal::Busy, .. })
    }

    /// Whether a prefix is in the way.
    pub const fn is_overlap(&self) -> bool {
        matches!(self, Self::Refused { refusal: Refusal::Overlap, .. })
    }

    /// Of connecting.
    pub(super) fn connecting(url: &str, error: Error) -> Self {
        let url = url.to_owned();
        match error {
            Error::Configuration(problem) => Self::Url { url, problem: problem.to_string() },
            Error::Database(error) if is_for_now(&*error) => Self::Away { url, reason: error.message().to_owned() },
            Error::Database(error) => Self::NotLetIn { url, reason: error.message().to_owned() },
            Error::Protocol(reason) => Self::Away { url, reason },
            error => Self::Away { url, reason: error.to_string() },
        }
    }

    /// Of a statement.
    pub(super) fn stating(url: &str, error: Error) -> Self {
        match error {
            Error::Database(error) => Self::Refused { refusal: refusal(&*error), reason: error.message().to_owned() },
            Error::Io(_) | Error::Tls(_) | Error::WorkerCrashed | Error::Protocol(_) => {
                Self::Away { url: url.to_owned(), reason: error.to_string() }
            }
            error => Self::Answer(error.to_string()),
        }
    }
}

/// Whether it lets nobody in for the moment, whoever asks: it has too many connections, is starting, or is on its way out.
fn is_for_now(error: &dyn DatabaseError) -> bool {
    match error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        Some(error) => matches!(error.number(), 1040 | 1053 | 1203),
        None => matches!(error.code().as_deref(), Some("53300" | "57P01" | "57P02" | "57P03")),
    }
}

/// By SQLSTATE, which MariaDB has for few things of its own, or by its number.
fn refusal(error: &dyn DatabaseError) -> Refusal {
    if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return match error.number() {
            // Lock wait timeout, deadlock, a row that has changed, and one that somebody else has just made.
            1205 | 1213 | 1020 | 1062 => Refusal::Busy,
            // A signal, which triggers give.
            1644 => Refusal::Overlap,
            1044 | 1045 | 1142 | 1143 | 1227 | 1419 => Refusal::Forbidden,
            _ => Refusal::Other,
        };
    }
    match error.code().as_deref() {
        Some("40001" | "40P01" | "55P03" | "23505") => Refusal::Busy,
        Some("23P01" | "23514" | "22P02") => Refusal::Overlap,
        Some("42501") => Refusal::Forbidden,
        _ => Refusal::Other,
    }
}
