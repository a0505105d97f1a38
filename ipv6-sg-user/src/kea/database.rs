//! A connection to Kea's database, and statements on it.

use std::fmt;
use std::sync::Once;
use std::time::Duration;

use sqlx::any::{AnyArguments, AnyConnectOptions, AnyQueryResult, AnyRow, install_default_drivers};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Any, AnyConnection, AssertSqlSafe, ConnectOptions as _, Connection as _, Decode, Row as _, Type};

use super::schema::{self, Schema};
use super::{KeaError, Kind};
use crate::secret::Secret;
use crate::state;

/// How long it is waited for until it answers.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection to a database whose tables are Kea's.
pub struct Database {
    connection: AnyConnection,
    kind: Kind,
    schema: Schema,
    url: String,
}

/// A value for a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An integer.
    Integer(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

/// A row of an answer.
pub struct Row {
    row: AnyRow,
}

impl Row {
    /// A column of it, by its place.
    ///
    /// # Errors
    /// It is of another type, or NULL.
    pub fn get<'r, T: Decode<'r, Any> + Type<Any>>(&'r self, column: usize) -> Result<T, KeaError> {
        self.row.try_get(column).map_err(|error| KeaError::Answer(error.to_string()))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("url", &self.url).field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Database {
    /// Connects, and looks whether the tables are Kea's.
    ///
    /// # Errors
    /// The database is away, lets nobody in, or is not Kea's.
    pub async fn connect(settings: &state::Database) -> Result<Self, KeaError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(install_default_drivers);
        let options = options(settings)?;
        let url = settings.url.clone();
        let connection = tokio::time::timeout(CONNECT, AnyConnection::connect_with(&options)).await;
        let connection = match connection {
            Ok(connection) => connection.map_err(|error| KeaError::connecting(&url, error))?,
            Err(_) => return Err(KeaError::Away { url, reason: format!("none within {CONNECT:?}") }),
        };
        let (kind, schema) = (Kind::of(&url), Schema::UNKNOWN);
        let mut database = Self { connection, kind, schema, url };
        database.schema = schema::look(&mut database).await?;
        Ok(database)
    }

    /// What its tables look like.
    pub const fn schema(&self) -> Schema {
        self.schema
    }

    /// What kind it is of.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it is, without a password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The rows that answer a statement, which is written as [`Kind`] says. Nothing in the statement is anybody's input: that
    /// is in `values`.
    ///
    /// # Errors
    /// The database refuses, or is away.
    pub async fn rows(&mut self, statement: &str, values: Vec<Value>) -> Result<Vec<Row>, KeaError> {
        let query = bound(self.kind.statement(statement), values);
        let rows = query.fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|error| KeaError::stating(&self.url, error))?;
        Ok(rows.into_iter().map(|row| Row { row }).collect())
    }

    /// The first row of them, if there is one.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn row(&mut self, statement: &str, values: Vec<Value>) -> Result<Option<Row>, KeaError> {
        Ok(self.rows(statement, values).await?.into_iter().next())
    }

    /// Does what a statement says; how many rows it was about.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn execute(&mut self, statement: &str, values: Vec<Value>) -> Result<u64, KeaError> {
        let query = bound(self.kind.statement(statement), values);
        let result: Result<AnyQueryResult, _> = query.execute(&mut self.connection).await;
        Ok(result.map_err(|error| KeaError::stating(&self.url, error))?.rows_affected())
    }

    /// Does what statements say, which are in this kind's own words: definitions cannot be prepared.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn define(&mut self, statements: &str) -> Result<(), KeaError> {
        let result = sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut self.connection).await;
        result.map(drop).map_err(|error| KeaError::stating(&self.url, error))
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn begin(&mut self) -> Result<(), KeaError> {
        self.define("BEGIN").await
    }

    /// Makes what was done since [`begin`](Self::begin) so.
    ///
    /// # Errors
    /// As [`rows`](Self::rows); then nothing of it is.
    pub async fn commit(&mut self) -> Result<(), KeaError> {
        self.define("COMMIT").await
    }

    /// Undoes what was done since [`begin`](Self::begin).
    ///
    /// # Errors
    /// As [`rows`](Self::rows); the database undoes it then when it misses us.
    pub async fn roll_back(&mut self) -> Result<(), KeaError> {
        self.define("ROLLBACK").await
    }

    /// Says goodbye.
    pub async fn close(self) {
        // Nobody waits for anything any more.
        let _ = self.connection.close().await;
    }
}

fn bound(statement: String, values: Vec<Value>) -> sqlx::query::Query<'static, Any, AnyArguments> {
    let query = sqlx::query(AssertSqlSafe(statement));
    values.into_iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Bytes(bytes) => query.bind(bytes),
        Value::Integer(number) => query.bind(number),
    })
}

/// Where the settings say.
fn without_password(settings: &state::Database) -> Result<AnyConnectOptions, KeaError> {
    // "user@/", as PostgreSQL's own programs write it where a socket is a parameter, is no URL to others.
    let url = settings.url.replacen("@/", "@localhost/", 1);
    let options: Result<AnyConnectOptions, _> = url.parse();
    let failed = |error: sqlx::Error| KeaError::Url { url: settings.url.clone(), problem: error.to_string() };
    Ok(options.map_err(failed)?.disable_statement_logging())
}

/// The same, with the password out of its file.
pub(super) fn options(settings: &state::Database) -> Result<AnyConnectOptions, KeaError> {
    let mut options = without_password(settings)?;
    if let Some(path) = &settings.password_file {
        let password = Secret::read(path).map_err(|problem| KeaError::Password { path: path.clone(), problem })?;
        let set = options.database_url.set_password(Some(password.expose()));
        let problem = "names no user whose password it is".to_owned();
        set.map_err(|()| KeaError::Url { url: settings.url.clone(), problem })?;
    }
    Ok(options)
}

/// The parts of a URL, for whoever writes them another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The kind of database.
    pub kind: Kind,
    /// The name of the database.
    pub name: String,
    /// Who connects.
    pub user: String,
    /// The host, or the directory with its socket, or the socket; none for the usual one.
    pub host: Option<String>,
    /// The port; none for the usual one.
    pub port: Option<u16>,
}

impl Parts {
    /// Takes it apart.
    ///
    /// # Errors
    /// It is no URL of a database.
    pub fn of(settings: &state::Database) -> Result<Self, KeaError> {
        let failed = |error: sqlx::Error| KeaError::Url { url: settings.url.clone(), problem: error.to_string() };
        let url = without_password(settings)?.database_url;
        let kind = Kind::of(&settings.url);
        let (name, user, socket, host) = match kind {
            Kind::Postgres => {
                let options = PgConnectOptions::from_url(&url).map_err(failed)?;
                let name = options.get_database().unwrap_or_default().to_owned();
                (name, options.get_username().to_owned(), options.get_socket().cloned(), options.get_host().to_owned())
            }
            Kind::Mysql => {
                let options = MySqlConnectOptions::from_url(&url).map_err(failed)?;
                let name = options.get_database().unwrap_or_default().to_owned();
                (name, options.get_username().to_owned(), options.get_socket().cloned(), options.get_host().to_owned())
            }
        };
        // Kea finds MariaDB's socket by itself.
        let socket = socket.map(|path| (kind == Kind::Postgres).then(|| path.display().to_string()));
        Ok(Self { kind, name, user, host: socket.unwrap_or(Some(host)), port: url.port() })
    }
}
