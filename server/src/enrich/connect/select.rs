//! One `SELECT` with named parameters, as a database takes it: by number, never spliced.

use crate::enrich::fill::Name;

/// A query and what its parameters stand for, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Select {
    pub(super) text: String,
    pub(super) parameters: Vec<Name>,
}

impl Select {
    /// `:plate` becomes what `numbered` makes of its number, from 1; the same name has the
    /// same number. What stands in quotes or comments is left alone.
    ///
    /// # Errors
    /// Says what was wanted.
    pub(super) fn parse(select: &str, numbered: impl Fn(usize) -> String) -> Result<Self, String> {
        let mut parsed = Self {
            text: String::with_capacity(select.len()),
            parameters: Vec::new(),
        };
        let mut rest = select;
        while let Some(first) = rest.chars().next() {
            let plain = match first {
                '\'' | '"' => quoted(rest, first)?,
                '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => rest
                    .find("*/")
                    .map(|end| end + 2)
                    .ok_or("a comment that ends")?,
                '$' => dollar_quoted(rest)?,
                ';' => return Err("one SELECT, without a semicolon".into()),
                ':' if rest.starts_with("::") => 2,
                ':' => {
                    rest = parsed.parameter(&rest[1..], &numbered)?;
                    continue;
                }
                other => other.len_utf8(),
            };
            parsed.text.push_str(&rest[..plain]);
            rest = &rest[plain..];
        }
        let first_word = parsed.text.split_whitespace().next().unwrap_or_default();
        if !["select", "with"].contains(&first_word.to_lowercase().as_str()) {
            return Err("one SELECT".into());
        }
        Ok(parsed)
    }

    fn parameter<'a>(
        &mut self,
        after_colon: &'a str,
        numbered: &impl Fn(usize) -> String,
    ) -> Result<&'a str, String> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = after_colon
            .find(|c| !is_word(c))
            .unwrap_or(after_colon.len());
        let word = &after_colon[..end];
        // A secret in a query ends in the database's logs.
        let known = Name::of(word).filter(|name| *name != Name::Secret);
        let Some(name) = known else {
            let words: Vec<_> = Name::ALL
                .into_iter()
                .filter(|(name, _)| *name != Name::Secret)
                .map(|(_, word)| word)
                .collect();
            return Err(format!(
                "after a colon one of {}, not {word}",
                words.join(", ")
            ));
        };
        let at = self.parameters.iter().position(|known| *known == name);
        let at = at.unwrap_or_else(|| {
            self.parameters.push(name);
            self.parameters.len() - 1
        });
        self.text.push_str(&numbered(at + 1));
        Ok(&after_colon[end..])
    }
}

/// How long the quoted text is that begins here, with its quotes. A doubled quote is one
/// text's end and the next one's beginning, which comes to the same.
fn quoted(text: &str, quote: char) -> Result<usize, String> {
    let end = text[1..].find(quote).ok_or("a quote that closes")?;
    Ok(end + 2)
}

/// PostgreSQL's `$tag$ … $tag$`; a dollar that begins none is by itself.
fn dollar_quoted(text: &str) -> Result<usize, String> {
    let Some(tag_end) = text[1..].find('$') else {
        return Ok(1);
    };
    let tag = &text[..tag_end + 2];
    let is_tag = tag[1..tag.len() - 1]
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_tag {
        return Ok(1);
    }
    let end = text[tag.len()..]
        .find(tag)
        .ok_or("a dollar quote that closes")?;
    Ok(tag.len() + end + tag.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(select: &str) -> Result<Select, String> {
        Select::parse(select, |number| format!("${number}"))
    }

    #[test]
    fn names_become_numbers_and_what_is_quoted_is_left_alone() {
        let parsed = parse(
            "SELECT a::text, ':x', \":y\", $q$ :z; $q$ -- :no;\n/* :no */ FROM t WHERE p = :plate AND s = :state OR p2=:plate",
        )
        .unwrap();
        assert_eq!(
            parsed.text,
            "SELECT a::text, ':x', \":y\", $q$ :z; $q$ -- :no;\n/* :no */ FROM t WHERE p = $1 AND s = $2 OR p2=$1"
        );
        assert_eq!(parsed.parameters, [Name::Plate, Name::State]);
    }

    #[test]
    fn what_is_no_single_select_says_what_was_wanted() {
        for (select, wanted) in [
            ("DELETE FROM t WHERE p = :plate", "one SELECT"),
            ("SELECT 1; DELETE FROM t", "without a semicolon"),
            ("SELECT :plat", "not plat"),
            ("SELECT :secret", "not secret"),
            ("SELECT 'a", "a quote that closes"),
            ("SELECT /* a", "a comment that ends"),
            ("SELECT $a$ b", "a dollar quote that closes"),
            ("", "one SELECT"),
        ] {
            let error = parse(select).unwrap_err();
            assert!(error.contains(wanted), "{select}: {error}");
        }
    }
}
