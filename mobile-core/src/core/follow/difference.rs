//! What makes one list of another, for somebody who has the first.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// To be applied in three steps: take out what was removed, take out what is placed (it
/// was there in another form or place), then put each placed item where it says, the
/// lowest place first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference<K, T> {
    pub removed: Vec<K>,
    /// The places in the new list, rising.
    pub placed: Vec<(usize, T)>,
}

impl<K: Eq + Hash, T: Clone + PartialEq> Difference<K, T> {
    pub(super) fn between(old: &[T], new: &[T], key: impl Fn(&T) -> K) -> Self {
        let before: HashMap<K, usize> = old
            .iter()
            .enumerate()
            .map(|(at, item)| (key(item), at))
            .collect();
        let now: HashSet<K> = new.iter().map(&key).collect();
        let mut placed = Vec::new();
        // What stays where it was has to stay in order among itself, too.
        let mut last_kept = None;
        for (at, item) in new.iter().enumerate() {
            let kept = before
                .get(&key(item))
                .copied()
                .filter(|&old_at| old[old_at] == *item && last_kept < Some(old_at));
            match kept {
                Some(old_at) => last_kept = Some(old_at),
                None => placed.push((at, item.clone())),
            }
        }
        let removed = old.iter().map(key).filter(|key| !now.contains(key));
        Self {
            removed: removed.collect(),
            placed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the packages for apps do it.
    fn apply(old: &[(u8, u8)], difference: &Difference<u8, (u8, u8)>) -> Vec<(u8, u8)> {
        let placed: HashSet<u8> = difference.placed.iter().map(|(_, item)| item.0).collect();
        let stays =
            |item: &&(u8, u8)| !difference.removed.contains(&item.0) && !placed.contains(&item.0);
        let mut list: Vec<_> = old.iter().filter(stays).copied().collect();
        for (at, item) in &difference.placed {
            list.insert(*at, *item);
        }
        list
    }

    #[test]
    fn a_difference_makes_the_new_list_of_the_old_one_whatever_the_two_are() {
        let mut random = fastrand::Rng::with_seed(22);
        let list = |random: &mut fastrand::Rng| {
            let mut keys: Vec<u8> = (0..12).filter(|_| random.bool()).collect();
            random.shuffle(&mut keys);
            let value = |key: u8| (key, random.u8(..2));
            keys.into_iter().map(value).collect::<Vec<_>>()
        };
        for _ in 0..5_000 {
            let (old, new) = (list(&mut random), list(&mut random));
            let difference = Difference::between(&old, &new, |item| item.0);
            assert_eq!(apply(&old, &difference), new, "from {old:?}");
        }
    }

    #[test]
    fn what_has_not_changed_is_not_told() {
        let old: Vec<(u8, u8)> = (0..100).map(|key| (key, 0)).collect();
        let mut new = old.clone();
        new[7].1 = 1;
        new.remove(3);
        new.push((100, 0));
        let difference = Difference::between(&old, &new, |item| item.0);
        assert_eq!(difference.removed, [3]);
        assert_eq!(difference.placed, [(6, (7, 1)), (99, (100, 0))]);
        let same = Difference::between(&old, &old, |item| item.0);
        assert!(same.removed.is_empty() && same.placed.is_empty());
    }
}
