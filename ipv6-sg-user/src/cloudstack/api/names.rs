//! Names that people can read and that nothing else has: two accounts may call their groups the same.

use std::collections::HashMap;

/// What every name that is made here begins with.
const PREFIX: &str = "cloudstack:";

/// The group of rules that are for nobody: it has no members, ever.
pub(super) const NOBODY: &str = "cloudstack:nobody";

/// How much of an id tells one thing from another of the same name, as a rule.
const SHORT: usize = 8;

/// The names of things, by their ids.
pub(super) struct Names<'a>(HashMap<&'a str, String>);

impl<'a> Names<'a> {
    /// Names for things with these ids and words for people.
    pub(super) fn new(things: impl Iterator<Item = (&'a str, String)> + Clone) -> Self {
        let short = |id: &str, words: &str| name(words, &id.chars().take(SHORT).collect::<String>());
        let mut taken: HashMap<String, usize> = HashMap::new();
        for (id, words) in things.clone() {
            *taken.entry(short(id, &words)).or_default() += 1;
        }
        let unique = |(id, words): (&'a str, String)| {
            let short = short(id, &words);
            (id, if taken.get(&short) == Some(&1) { short } else { name(&words, id) })
        };
        Self(things.map(unique).collect())
    }

    /// The name of the thing with this id.
    pub(super) fn of(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }
}

fn name(words: &str, id: &str) -> String {
    plain(&format!("{PREFIX}{words}#{id}"))
}

/// A name of somebody else's as it may stand in a line.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::value;

    #[test]
    fn every_name_is_one_things() {
        let things = [
            ("1f0c1a7e-0000-1", "admin/web"),
            ("1f0c1a7e-0000-2", "admin/web"),
            ("1f0c1a7e-0000-3", "other/web"),
            ("2", "admin/web"),
            ("3", " a\nb \u{7f}"),
            ("4", ""),
        ];
        let names = Names::new(things.iter().map(|(id, words)| (*id, (*words).to_owned())));
        for (id, wanted) in [
            ("1f0c1a7e-0000-1", "cloudstack:admin/web#1f0c1a7e-0000-1"),
            ("1f0c1a7e-0000-2", "cloudstack:admin/web#1f0c1a7e-0000-2"),
            ("1f0c1a7e-0000-3", "cloudstack:other/web#1f0c1a7e"),
            ("2", "cloudstack:admin/web#2"),
            ("3", "cloudstack: a\u{fffd}b \u{fffd}#3"),
            ("4", "cloudstack:#4"),
        ] {
            assert_eq!(names.of(id), Some(wanted));
            assert!(value::name(wanted).is_ok(), "{wanted}");
        }
        assert_eq!(names.of("5"), None);
    }
}
