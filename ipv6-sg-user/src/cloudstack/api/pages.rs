//! Lists out of pages. A list can change while its pages are read, and then one item is on two of them or on none: what does
//! not add up is read again.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use super::ApiError;
use super::answer::Page;

/// How many items a page may have: CloudStack's own limit.
pub(super) const SIZE: usize = 500;

/// How often a list is read until it adds up.
pub(super) const ATTEMPTS: u32 = 3;

/// More than this is no cloud.
const MOST: usize = 1_000_000;

/// Something with an id.
pub(super) trait Item {
    /// The id.
    fn id(&self) -> &str;
}

/// All items, of pages that `ask` asks for by their number, from 1.
pub(super) fn all<T: Item>(
    command: &'static str,
    pause: Duration,
    mut ask: impl FnMut(usize) -> Result<Page<T>, ApiError>,
) -> Result<Vec<T>, ApiError> {
    again(command, pause, || once(&mut ask))
}

/// Does something that may not add up until it does, but not without end.
pub(super) fn again<T>(
    command: &'static str,
    pause: Duration,
    mut attempt: impl FnMut() -> Result<Result<T, String>, ApiError>,
) -> Result<T, ApiError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match attempt()? {
            Ok(whole) => return Ok(whole),
            Err(problem) if attempts == ATTEMPTS => return Err(ApiError::Unsteady { command, problem, attempts }),
            Err(_) => thread::sleep(pause),
        }
    }
}

/// All items, or what does not add up.
fn once<T: Item>(mut ask: impl FnMut(usize) -> Result<Page<T>, ApiError>) -> Result<Result<Vec<T>, String>, ApiError> {
    let mut items: Vec<T> = Vec::new();
    let mut counted = None;
    for number in 1.. {
        let page = ask(number)?;
        let (before, found) = (counted, page.items.len());
        counted = page.count.or(counted);
        if before.is_some() && before != counted {
            return Ok(Err("the list grew or shrank while it was read".to_owned()));
        }
        items.extend(page.items);
        let whole = match counted {
            Some(count) => items.len() >= count,
            None => found < SIZE,
        };
        if whole || found == 0 || items.len() > MOST {
            break;
        }
    }
    let ids: HashSet<&str> = items.iter().map(Item::id).collect();
    let (distinct, count) = (ids.len(), counted.unwrap_or(items.len()));
    Ok(if distinct < items.len() {
        Err("an item is listed twice".to_owned())
    } else if items.len() > MOST {
        Err(format!("more than {MOST} items"))
    } else if distinct != count {
        Err(format!("{count} items were counted and {distinct} listed"))
    } else {
        Ok(items)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Item for String {
        fn id(&self) -> &str {
            self
        }
    }

    fn page(list: &[usize], size: usize, number: usize, count: bool) -> Page<String> {
        let items = list.iter().skip((number - 1) * size).take(size).map(ToString::to_string).collect();
        Page { count: count.then_some(list.len()).filter(|count| *count > 0), items }
    }

    fn read(mut ask: impl FnMut(usize) -> Page<String>) -> Result<Vec<String>, String> {
        all("listHosts", Duration::ZERO, |number| Ok(ask(number))).map_err(|error| error.to_string())
    }

    #[test]
    fn whole_lists() {
        for length in [0, 1, 499, 500, 501, 1000, 1001] {
            let list: Vec<_> = (0..length).collect();
            for counted in [true, false] {
                let mut asked = 0;
                let found = read(|number| {
                    asked += 1;
                    page(&list, SIZE, number, counted)
                });
                assert_eq!(found, Ok(list.iter().map(ToString::to_string).collect()));
                let pages = if counted { length.div_ceil(SIZE).max(1) } else { length / SIZE + 1 };
                assert_eq!(asked, pages, "{length} items, counted: {counted}");
            }
        }
        // A server with smaller pages.
        let list: Vec<_> = (0..250).collect();
        assert_eq!(read(|number| page(&list, 100, number, true)).map(|found| found.len()), Ok(250));
    }

    #[test]
    fn lists_that_change_are_read_again() {
        let list: Vec<_> = (0..1200).collect();
        let mut asked = 0;
        let found = read(|number| {
            asked += 1;
            // After the first page the first item goes, and what was the first of the second page is on the first now.
            page(if asked == 1 { &list } else { &list[1..] }, SIZE, number, true)
        });
        assert_eq!((found.map(|found| found.len()), asked), (Ok(1199), 5));
    }

    #[test]
    fn what_never_adds_up() {
        let list: Vec<_> = (0..600).collect();
        let end = ", 3 times in a row; nothing is changed";
        let message = |problem: &str| Err(format!("listHosts: {problem}{end}"));
        let mut asked = 0;
        let shrinking = read(|number| {
            asked += 1;
            page(&list[asked..], SIZE, number, true)
        });
        assert_eq!(shrinking, message("the list grew or shrank while it was read"));
        let twice = read(|number| page(&list[1..], SIZE, number.min(1), true));
        assert_eq!(twice, message("an item is listed twice"));
        let short = read(|number| Page { count: Some(700), ..page(&list, SIZE, number, true) });
        assert_eq!(short, message("700 items were counted and 600 listed"));
        let none = read(|_| Page { count: Some(7), items: Vec::new() });
        assert_eq!(none, message("7 items were counted and 0 listed"));
    }

    proptest! {
        /// Of a list that changes under the reader, what is read has each item once, and as many as the server counts.
        #[test]
        fn what_adds_up_is_whole(
            changes in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..12),
            length in 0_usize..40,
        ) {
            let mut list: Vec<usize> = (0..length).collect();
            let mut next = length;
            let mut changes = changes.into_iter();
            let found = read(|number| {
                let page = page(&list, 5, number, true);
                match changes.next() {
                    Some((true, _)) => {
                        list.push(next);
                        next += 1;
                    }
                    Some((false, index)) if !list.is_empty() => drop(list.remove(index.index(list.len()))),
                    _ => {}
                }
                page
            });
            if let Ok(found) = found {
                let distinct: HashSet<_> = found.iter().collect();
                prop_assert_eq!(distinct.len(), found.len());
                // One that came while another went escapes the count: what names it elsewhere does not.
                prop_assert!(found.len() <= list.len() + 1);
            }
        }
    }
}
