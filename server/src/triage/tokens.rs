//! A text cut into words for the finders of entities, each with its place in the text.
//!
//! Dispatch's text has no grammar, but what stands between two words says much: nothing
//! but a space, a stroke, a comma, or the end of a sentence. So a token keeps the signs
//! ahead of it, and a finder asks for them.

use std::ops::Range;

/// Words whose full stop ends no sentence.
const ABBREVIATIONS: [&str; 9] = ["MR", "MRS", "MS", "DR", "PROF", "ST", "LIC", "REG", "APT"];
/// Most words of one text that are read: what is longer is no narrative.
const TOKENS_MAX: usize = 4_000;

#[derive(Debug)]
pub(super) struct Text<'t> {
    pub(super) whole: &'t str,
    pub(super) tokens: Vec<Token<'t>>,
}

#[derive(Debug)]
pub(super) struct Token<'t> {
    pub(super) text: &'t str,
    /// … in capitals, its apostrophes straight.
    pub(super) upper: String,
    pub(super) bytes: Range<usize>,
    /// What stands between the token before and this one.
    pub(super) gap: &'t str,
}

impl<'t> Text<'t> {
    pub(super) fn of(whole: &'t str) -> Self {
        let signs: Vec<(usize, char)> = whole.char_indices().collect();
        let sign = |at: usize| signs.get(at).map_or(' ', |(_, sign)| *sign);
        let byte = |at: usize| signs.get(at).map_or(whole.len(), |(byte, _)| *byte);
        let mut tokens: Vec<Token<'t>> = Vec::new();
        let (mut at, mut end_before) = (0, 0);
        while at < signs.len() && tokens.len() < TOKENS_MAX {
            let start = at;
            while sign(at).is_alphanumeric()
                || (at > start && joins(sign(at - 1), sign(at), sign(at + 1)))
            {
                at += 1;
            }
            if at > start {
                tokens.push(Token::of(whole, byte(start)..byte(at), end_before));
                end_before = byte(at);
            }
            at += 1;
        }
        Self { whole, tokens }
    }

    pub(super) fn upper(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.upper.as_str())
    }

    /// What stands ahead of this token; at the end of the text what stands behind the last.
    pub(super) fn gap(&self, at: usize) -> &'t str {
        match self.tokens.get(at) {
            Some(token) => token.gap,
            None => self
                .tokens
                .last()
                .map_or(self.whole, |last| &self.whole[last.bytes.end..]),
        }
    }

    /// Whether a sentence, a line or a remark ends ahead of this token.
    pub(super) fn begins_sentence(&self, at: usize) -> bool {
        at == 0 || at >= self.tokens.len() || {
            let gap = self.tokens[at].gap;
            let initial = self.tokens[at - 1].text.len() == 1;
            let title = ABBREVIATIONS.contains(&self.upper(at - 1));
            (gap.contains(". ") && !initial && !title)
                || gap.contains(['\n', ';', '!', '?', '|'])
                || ["**", ">>", "--", " - ", ".\t"]
                    .iter()
                    .any(|mark| gap.contains(mark))
        }
    }

    /// Whether more than a space parts this token from the one before.
    pub(super) fn begins_clause(&self, at: usize) -> bool {
        self.begins_sentence(at)
            || self
                .gap(at)
                .contains([',', '(', ')', ':', '"', '\u{201c}', '\u{201d}'])
    }

    pub(super) fn bytes(&self, tokens: &Range<usize>) -> Range<usize> {
        self.tokens[tokens.start].bytes.start..self.tokens[tokens.end - 1].bytes.end
    }
}

impl<'t> Token<'t> {
    fn of(whole: &'t str, bytes: Range<usize>, end_before: usize) -> Self {
        let text = &whole[bytes.clone()];
        Self {
            text,
            upper: text.to_uppercase().replace('’', "'"),
            gap: &whole[end_before..bytes.start],
            bytes,
        }
    }

    pub(super) fn is_digits(&self) -> bool {
        self.upper.bytes().all(|byte| byte.is_ascii_digit())
    }

    pub(super) fn is_letters(&self) -> bool {
        self.upper
            .chars()
            .all(|sign| sign.is_alphabetic() || sign == '\'')
    }

    pub(super) fn has_digit(&self) -> bool {
        self.upper.bytes().any(|byte| byte.is_ascii_digit())
    }
}

/// Whether a sign belongs to the word around it: `AFR-2291`, `O'BRIEN`, `131.2`.
fn joins(before: char, sign: char, next: char) -> bool {
    match sign {
        '-' | '\'' | '’' => before.is_alphanumeric() && next.is_alphanumeric(),
        '.' => before.is_ascii_digit() && next.is_ascii_digit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_what_joins_them_and_know_what_parts_them() {
        let text = Text::of("RP O'BRIEN, W/M at 131.2 (AFR-2291). 626.555.0139 T. Owens. end-");
        let words: Vec<_> = text.tokens.iter().map(|token| token.text).collect();
        assert_eq!(
            words,
            [
                "RP",
                "O'BRIEN",
                "W",
                "M",
                "at",
                "131.2",
                "AFR-2291",
                "626.555.0139",
                "T",
                "Owens",
                "end"
            ]
        );
        let sentences: Vec<_> = (0..words.len())
            .filter(|at| text.begins_sentence(*at))
            .collect();
        assert_eq!(sentences, [0, 7, 10]);
        assert_eq!((text.gap(3), text.gap(2)), ("/", ", "));
    }

    #[test]
    fn any_text_is_cut_without_harm() {
        for text in ["", "'", "-", "é’", "a.", "1.", "’a’-", "\u{202e}x\0"] {
            for token in Text::of(text).tokens {
                assert!(!token.text.is_empty() && text[token.bytes].eq(token.text));
            }
        }
    }
}
