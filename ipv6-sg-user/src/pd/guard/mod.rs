//! What keeps the database from two prefixes that overlap, whoever writes them: constraints where it knows prefixes, triggers and
//! an index of their own where it does not. They survive `kea-admin db-upgrade`, which changes the types of columns below them.

mod mysql;
mod postgres;

use super::check::Table;
use super::{PdError, Pool};
use crate::kea::schema::Address;
use crate::kea::{Database, Kind};

/// One thing that is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// What it is called in the database.
    pub(super) name: &'static str,
    /// What it is for.
    pub(super) purpose: &'static str,
    /// Answers a row where it is there.
    exists: String,
    /// Makes it.
    make: String,
    /// Whether it can be looked for only where all before it are.
    needs_others: bool,
}

/// What was done to set a pool up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetUp {
    /// What was installed, and what for.
    pub installed: Vec<(&'static str, &'static str)>,
    /// Whether the pool is new.
    pub new_pool: bool,
}

fn pieces(kind: Kind, address: Address) -> Vec<Piece> {
    match kind {
        Kind::Postgres => postgres::pieces(),
        Kind::Mysql => mysql::pieces(address),
    }
}

/// All statements that install it, for a database of this kind.
pub fn statements(database: &Database) -> String {
    let pieces = pieces(database.kind(), database.schema().reservations);
    let text = |piece: Piece| match database.kind() {
        Kind::Postgres => format!("-- {}: {}\n{};\n", piece.name, piece.purpose, piece.make),
        // Bodies have semicolons in them.
        Kind::Mysql => format!("-- {}: {}\nDELIMITER $$\n{}$$\nDELIMITER ;\n", piece.name, piece.purpose, piece.make),
    };
    pieces.into_iter().map(text).collect::<Vec<_>>().join("\n")
}

impl Pool {
    /// Installs what is missing, and makes the pool known; one that was narrower is widened. Again and again is as good as once.
    ///
    /// # Errors
    /// What is reserved already overlaps or is malformed, the database does not let this user, or another pool is there.
    pub async fn set_up(&mut self) -> Result<SetUp, PdError> {
        self.refuse_what_overlaps().await?;
        let mut done = SetUp::default();
        // Some can be looked for only where others are.
        loop {
            let missing = self.missing_guards().await?;
            if missing.is_empty() {
                break;
            }
            for piece in missing {
                // Somebody who writes prefixes just now may be in the way.
                self.at_once(async |pool| Ok(pool.database.define(&piece.make).await?)).await?;
                done.installed.push((piece.name, piece.purpose));
            }
        }
        done.new_pool = self.at_once(async |pool| pool.make().await).await?;
        Ok(done)
    }

    /// The statements that install it.
    pub fn statements(&self) -> String {
        statements(&self.database)
    }

    /// What is not installed, as far as it can be looked for.
    pub(super) async fn missing_guards(&mut self) -> Result<Vec<Piece>, PdError> {
        let mut missing = Vec::new();
        for piece in pieces(self.database.kind(), self.database.schema().reservations) {
            if piece.needs_others && !missing.is_empty() {
                continue;
            }
            if self.database.row(&piece.exists, Vec::new()).await?.is_none() {
                missing.push(piece);
            }
        }
        Ok(missing)
    }

    async fn refuse_what_overlaps(&mut self) -> Result<(), PdError> {
        let problems = Table::read(&mut self.database).await?.overlaps_and_malformed();
        match problems.len() {
            0 => Ok(()),
            count => {
                let first = problems.into_iter().next().map(|finding| finding.what).unwrap_or_default();
                Err(PdError::Unsound { count, first })
            }
        }
    }
}
