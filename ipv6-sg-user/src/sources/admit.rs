//! As many of something as can be together, where each alone may contradict the rest.

/// Admits those that are sound, in their order: `try_with` says whether all that it is given can be together. Returns those that
/// cannot be with those before them, each with the reason. By halves: those that are sound are many, and come together.
pub(super) fn admit<T: Clone, E>(
    all: Vec<T>,
    mut try_with: impl FnMut(&[T]) -> Result<(), E>,
) -> (Vec<T>, Vec<(T, E)>) {
    let (mut admitted, mut refused) = (Vec::new(), Vec::new());
    let mut parts = vec![all];
    while let Some(mut part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        let before = admitted.len();
        admitted.extend(part.iter().cloned());
        match try_with(&admitted) {
            Ok(()) => continue,
            Err(error) if part.len() == 1 => refused.extend(part.pop().map(|one| (one, error))),
            Err(_) => {
                let later = part.split_off(part.len() / 2);
                parts.extend([later, part]);
            }
        }
        admitted.truncate(before);
    }
    (admitted, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_contradicts_those_before() {
        // No two may be of one tens.
        let tens = |numbers: &[u32]| {
            let mut seen = std::collections::BTreeSet::new();
            numbers.iter().find(|number| !seen.insert(*number / 10)).map_or(Ok(()), |number| Err(*number))
        };
        let (admitted, refused) = admit(vec![11, 25, 12, 37, 48, 31, 22], tens);
        assert_eq!(admitted, [11, 25, 37, 48]);
        assert_eq!(refused, [(12, 12), (31, 31), (22, 22)]);
        let mut asked = 0;
        let (admitted, _) = admit((0..1000).map(|n| n * 10).collect(), |numbers| {
            asked += 1;
            tens(numbers)
        });
        assert_eq!((admitted.len(), asked), (1000, 1));
        assert_eq!(admit(Vec::<u32>::new(), |_| Err("nobody is asked about nothing")), (vec![], vec![]));
    }
}
