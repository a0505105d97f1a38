//! Answers out of bytes: a page of a list, or CloudStack's reasons to give none.
//!
//! ```text
//! {"listhostsresponse": {"count": 1, "host": [{…}]}}     an empty list: {"listhostsresponse": {}}
//! {"listhostsresponse": {"errorcode": 401, "errortext": "…"}}
//! ```

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A list that can be asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    /// The command: `listHosts`.
    pub(super) command: &'static str,
    /// What its answers have their items under: `host`.
    pub(super) items: &'static str,
}

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<T> {
    /// How many there are on all pages; not every release says.
    pub(super) count: Option<usize>,
    /// Those on this page.
    pub(super) items: Vec<T>,
}

/// How much of CloudStack's words is shown.
const EXCERPT: usize = 300;

/// The page that an answer is.
pub(super) fn page<T: DeserializeOwned>(list: List, body: &[u8]) -> Result<Page<T>, String> {
    let mut fields = fields(list.command, body)?;
    if let Some(text) = fields.get("errortext") {
        return Err(format!("an error without its status, {text}"));
    }
    let count = match fields.remove("count") {
        None | Some(Value::Null) => None,
        Some(count) => Some(number(&count).ok_or_else(|| format!("count is {count}"))?),
    };
    let items = match fields.remove(list.items) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(format!("{} is no list", list.items)),
    };
    let item = |(item, index): (Value, usize)| {
        let id = item.get("id").and_then(Value::as_str).unwrap_or("without id").to_owned();
        serde_json::from_value(item).map_err(|error| format!("{}[{index}] ({id}): {error}", list.items))
    };
    Ok(Page { count, items: items.into_iter().zip(0..).map(item).collect::<Result<_, _>>()? })
}

/// The one thing that an answer tells of, such as the server's release.
pub(super) fn thing(list: List, body: &[u8]) -> Result<Map<String, Value>, String> {
    match fields(list.command, body)?.remove(list.items) {
        Some(Value::Object(fields)) => Ok(fields),
        _ => Err(format!("{} is missing", list.items)),
    }
}

/// Why there is none, in CloudStack's words; `None` when whoever answers has none of them.
pub(super) fn reason(body: &[u8]) -> Option<String> {
    let Ok(Value::Object(answer)) = serde_json::from_slice(body) else { return None };
    answer.values().find_map(|response| response.get("errortext")?.as_str()).map(str::to_owned)
}

fn fields(command: &str, body: &[u8]) -> Result<Map<String, Value>, String> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let name = format!("{}response", command.to_lowercase());
    match answer {
        Value::Object(mut answer) if answer.len() == 1 => match answer.remove(&name) {
            Some(Value::Object(fields)) => Ok(fields),
            _ => Err(format!("{name} is missing")),
        },
        _ => Err(format!("{name} is missing")),
    }
}

/// Some releases write numbers as text.
fn number(value: &Value) -> Option<usize> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|number| number.try_into().ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The beginning of a text, in one line.
pub(super) fn excerpt(text: &str) -> String {
    let shown = text.chars().take(EXCERPT).map(|c| if c.is_control() { ' ' } else { c });
    let more = if text.chars().nth(EXCERPT).is_some() { "…" } else { "" };
    shown.collect::<String>().trim().to_owned() + more
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOSTS: List = List { command: "listHosts", items: "host" };

    #[derive(Debug, PartialEq, Eq, serde::Deserialize)]
    struct Item {
        id: String,
    }

    fn read(body: &str) -> Result<(Option<usize>, Vec<String>), String> {
        let page = page::<Item>(HOSTS, body.as_bytes())?;
        Ok((page.count, page.items.into_iter().map(|item| item.id).collect()))
    }

    #[test]
    fn pages() {
        let ids = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (body, wanted) in [
            (r#"{"listhostsresponse":{}}"#, (None, ids(&[]))),
            (r#"{"listhostsresponse":{"count":0}}"#, (Some(0), ids(&[]))),
            (r#"{"listhostsresponse":{"count":3}}"#, (Some(3), ids(&[]))),
            (
                r#"{"listhostsresponse":{"count":1,"host":[{"id":"a","name":"b","x":{}}],"y":1}}"#,
                (Some(1), ids(&["a"])),
            ),
            (r#"{"listhostsresponse":{"count":"2","host":[{"id":"a"},{"id":"b"}]}}"#, (Some(2), ids(&["a", "b"]))),
            (r#"{"listhostsresponse":{"host":[{"id":"a"}]}}"#, (None, ids(&["a"]))),
        ] {
            assert_eq!(read(body), Ok(wanted), "{body}");
        }
    }

    #[test]
    fn what_is_no_page() {
        for (body, message) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("<html>", "expected value at line 1 column 1"),
            ("[]", "listhostsresponse is missing"),
            ("{}", "listhostsresponse is missing"),
            (r#"{"listvirtualmachinesresponse":{}}"#, "listhostsresponse is missing"),
            (r#"{"listhostsresponse":{},"more":{}}"#, "listhostsresponse is missing"),
            (r#"{"listhostsresponse":[]}"#, "listhostsresponse is missing"),
            (r#"{"listhostsresponse":{"count":-1}}"#, "count is -1"),
            (r#"{"listhostsresponse":{"host":{}}}"#, "host is no list"),
            (r#"{"listhostsresponse":{"host":[{"id":"a"},{"name":"b"}]}}"#, "host[1] (without id): missing field `id`"),
            (
                r#"{"listhostsresponse":{"host":[{"id":5}]}}"#,
                "host[0] (without id): invalid type: integer `5`, expected a string",
            ),
            (r#"{"listhostsresponse":{"errorcode":530,"errortext":"no"}}"#, "an error without its status, \"no\""),
        ] {
            assert_eq!(read(body), Err(message.to_owned()), "{body}");
        }
    }

    #[test]
    fn reasons() {
        let reason = |body: &str| reason(body.as_bytes());
        let text = r#"{"listhostsresponse":{"uuidList":[],"errorcode":431,"errortext":"Page size\nis too large"}}"#;
        assert_eq!(reason(text).as_deref(), Some("Page size\nis too large"));
        assert_eq!(reason(r#"{"errorresponse":{"errortext":"no"}}"#).as_deref(), Some("no"));
        for none in ["", "<html>", "[]", "{}", r#"{"a":{}}"#, r#"{"a":{"errortext":5}}"#] {
            assert_eq!(reason(none), None, "{none}");
        }
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(excerpt(" Page size\nis too large\t"), "Page size is too large");
        assert_eq!(excerpt(&"ä".repeat(300)), "ä".repeat(300));
        assert_eq!(excerpt(&"ä".repeat(301)), "ä".repeat(300) + "…");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let key =
                prop_oneof![Just("host".to_owned()), Just("id".to_owned()), Just("count".to_owned()), "[a-z]{0,4}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..4).prop_map(|fields| fields.into_iter().collect()),
            ]
        })
    }

    proptest! {
        /// Whatever is answered, it is a page or an error; and no part of an answer is a page.
        #[test]
        fn no_answer_is_too_odd(inner in json(), cut in any::<prop::sample::Index>()) {
            let body = serde_json::json!({ "listhostsresponse": inner }).to_string();
            let _ = (read(&body), reason(body.as_bytes()), thing(HOSTS, body.as_bytes()));
            let part = &body.as_bytes()[..cut.index(body.len())];
            prop_assert!(page::<Item>(HOSTS, part).is_err());
        }
    }
}
