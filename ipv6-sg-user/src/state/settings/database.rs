//! A database of Kea's: where it is, and the file with its password. Sections that need one have these keys among theirs.

use std::path::PathBuf;

use serde::Serialize;
use toml::Spanned;

use super::super::document::Document;
use super::super::{Error, Problem};
use super::absolute;

/// The kinds there are, by how their URLs begin.
const SCHEMES: [&str; 4] = ["postgresql", "postgres", "mysql", "mariadb"];

/// Where Kea's hosts database is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Database {
    /// Without a password.
    #[serde(rename = "database")]
    pub url: String,
    /// The file with the password; none where the database knows its user otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

impl Database {
    /// What a section says in its keys `database` and `password_file`.
    pub(super) fn checked(
        document: &Document,
        section: &str,
        database: &Spanned<String>,
        password_file: Option<&Spanned<String>>,
    ) -> Result<Self, Error> {
        let key = |name: &str| format!("{section}.{name}");
        if let Some(shown) = without_password(database.get_ref()) {
            return Err(document.invalid(database, key("database"), shown, Problem::PasswordInUrl));
        }
        let file = |text: &Spanned<String>| document.value(|| key("password_file"), text, absolute);
        Ok(Self {
            url: document.value(|| key("database"), database, url)?,
            password_file: password_file.map(file).transpose()?,
        })
    }
}

fn url(text: &str) -> Result<String, Problem> {
    let rest = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)?.strip_prefix("://"));
    let is_url = rest.is_some_and(|rest| rest.contains('/') && rest.chars().all(|c| c.is_ascii_graphic()));
    if is_url { Ok(text.to_owned()) } else { Err(Problem::NotADatabase) }
}

/// The URL for a message, where it has a password.
fn without_password(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (before, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let user = before.rsplit_once('@').and_then(|(who, place)| Some((who.split_once(':')?.0, place)));
    let parameter = parameters.split('&').any(|parameter| parameter.to_ascii_lowercase().starts_with("password="));
    match user {
        Some((user, place)) => Some(format!("{scheme}://{user}:…@{place}")),
        None if parameter => Some(format!("{scheme}://{before}?…")),
        None => None,
    }
}
