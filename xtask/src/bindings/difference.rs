//! Where two texts begin to differ.

/// Where two texts begin to differ, and by how much; `None` if they do not.
pub(super) fn between(committed: &str, fresh: &str) -> Option<String> {
    if committed == fresh {
        return None;
    }
    let (old, new): (Vec<_>, Vec<_>) = (committed.lines().collect(), fresh.lines().collect());
    let same = old
        .iter()
        .zip(&new)
        .take_while(|(old, new)| old == new)
        .count();
    let line = |lines: &[&str]| lines.get(same).copied().unwrap_or("(end)").to_owned();
    Some(format!(
        "first difference in line {}:\n  - {}\n  + {}\n{} lines committed, {} now",
        same + 1,
        line(&old),
        line(&new),
        old.len(),
        new.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown() {
        assert_eq!(between("a\nb\n", "a\nb\n"), None);
        let text = between("a\nb\n", "a\nc\nd\n").unwrap_or_default();
        assert!(
            text.contains("line 2:\n  - b\n  + c\n2 lines committed, 3 now"),
            "{text}"
        );
        let text = between("a\n", "a\nb\n").unwrap_or_default();
        assert!(text.contains("line 2:\n  - (end)\n  + b\n"), "{text}");
    }
}
