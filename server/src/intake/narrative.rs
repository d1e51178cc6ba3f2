//! Lines of words into the room that a call has for them.

use super::report::{NARRATIVE_CHARS_MAX, NARRATIVE_ITEMS_MAX};

/// The lines as at most [`NARRATIVE_ITEMS_MAX`] items: long ones are cut in pieces, and
/// many short ones share an item. What is more than there is room for is left out from
/// the beginning, and the first line says so: a call is never refused for its words.
pub(super) fn fit(lines: Vec<String>) -> Vec<String> {
    let pieces: Vec<String> = lines.iter().flat_map(|line| cut(line)).collect();
    if pieces.len() <= NARRATIVE_ITEMS_MAX {
        return pieces;
    }
    let mut items = shared(&pieces);
    if items.len() > NARRATIVE_ITEMS_MAX {
        let left_out = items.len() + 1 - NARRATIVE_ITEMS_MAX;
        items.drain(..left_out);
        items.insert(0, LEFT_OUT.to_owned());
    }
    items
}

const LEFT_OUT: &str = "(Earlier words are left out: there are too many of them.)";

/// As few items as hold the pieces in their order.
fn shared(pieces: &[String]) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    let mut room = 0;
    for piece in pieces {
        let chars = piece.chars().count() + 1;
        match items.last_mut() {
            Some(item) if chars <= room => {
                item.push('\n');
                item.push_str(piece);
                room -= chars;
            }
            _ => {
                room = NARRATIVE_CHARS_MAX.saturating_sub(chars - 1);
                items.push(piece.clone());
            }
        }
    }
    items
}

/// Pieces of at most [`NARRATIVE_CHARS_MAX`] characters, between words if it can be.
fn cut(line: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .nth(NARRATIVE_CHARS_MAX)
            .map_or(rest.len(), |(at, _)| at);
        let end = if end == rest.len() {
            end
        } else {
            rest[..end]
                .rfind(char::is_whitespace)
                .filter(|at| *at > 0)
                .unwrap_or(end)
        };
        pieces.push(rest[..end].trim_end().to_owned());
        rest = rest[end..].trim_start();
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_words_and_none_is_lost() {
        let line = "word ".repeat(1000);
        let items = fit(vec![line, "x".repeat(5000)]);
        assert!(
            items
                .iter()
                .all(|item| item.chars().count() <= NARRATIVE_CHARS_MAX)
        );
        assert_eq!(items.concat().replace(' ', "").len(), 4000 + 5000);
        assert!(items[0].ends_with("word"));
    }

    #[test]
    fn many_short_lines_share_the_items() {
        let lines: Vec<_> = (0..100).map(|n| format!("note {n}")).collect();
        assert_eq!(fit(lines.clone()).join("\n"), lines.join("\n"));
    }

    #[test]
    fn of_too_many_words_the_newest_are_kept_and_it_is_said() {
        let lines: Vec<_> = (0..=NARRATIVE_ITEMS_MAX)
            .map(|n| format!("{n} {}", "é".repeat(NARRATIVE_CHARS_MAX - 3)))
            .collect();
        let items = fit(lines.clone());
        assert_eq!(items.len(), NARRATIVE_ITEMS_MAX);
        assert_eq!(items[0], LEFT_OUT);
        assert_eq!(items[1..], lines[2..]);
        assert_eq!(fit(lines[1..].to_vec()), lines[1..]);
    }
}
