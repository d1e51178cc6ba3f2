//! Notes as plain lines.

use super::component::Components;
use crate::intake::report::IntakeError;

/// Elements whose content is not text.
const SILENT: [&str; 2] = ["script", "style"];
/// Elements that run on in the line; all others break it.
const INLINE: [&str; 11] = [
    "a", "b", "em", "font", "i", "mark", "s", "small", "span", "strong", "u",
];
/// The longest entity that is looked for, without `&` and `;`.
const ENTITY_BYTES_MAX: usize = 8;

/// The text of every note, the oldest first.
pub(super) fn notes(notes: &Components<'_>) -> Result<Vec<String>, IntakeError> {
    let mut dated = Vec::new();
    for note in &notes.all {
        let html = note.node.need("notesActionComments", "text")?;
        dated.push((note.updated, plain(html.str()?)));
    }
    dated.sort_by_key(|(at, _)| *at);
    Ok(dated.into_iter().map(|(_, text)| text).collect())
}

/// HTML as text. A `<` that begins no tag is a less-than sign: officers write
/// "<18 yoa".
pub(super) fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = match (tag(rest), entity(rest)) {
            (Some((name, after)), _) => {
                if !INLINE.contains(&name.as_str()) {
                    text.push('\n');
                }
                if SILENT.contains(&name.as_str()) {
                    after_element(&name, after)
                } else {
                    after
                }
            }
            (None, Some((character, after))) => {
                text.push(character);
                after
            }
            (None, None) => {
                text.push_str(&rest[..1]);
                &rest[1..]
            }
        };
    }
    text.push_str(rest);
    // A NUL ends text in some of the field's software, so it ends none here.
    let text = text.replace('\0', " ");
    let lines = text.lines().map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.join(" ")
    });
    let lines: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// The name of the tag or comment that `text` begins with, and what is after it.
fn tag(text: &str) -> Option<(String, &str)> {
    let inside = text.strip_prefix('<')?;
    if let Some(comment) = inside.strip_prefix("!--") {
        let end = comment.find("-->")?;
        return Some(("!".to_owned(), &comment[end + 3..]));
    }
    let inside = inside.strip_prefix(['/', '!']).unwrap_or(inside);
    if !inside.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let name: String = inside
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let end = inside.find('>')?;
    // In "<a knife" with no end of tag before the next tag, '<' is a sign too.
    if inside[..end].contains('<') {
        return None;
    }
    Some((name.to_ascii_lowercase(), &inside[end + 1..]))
}

/// What follows the end of the silent element `name` that has begun.
fn after_element<'t>(name: &str, text: &'t str) -> &'t str {
    let end = format!("</{name}");
    match text.to_ascii_lowercase().find(&end) {
        Some(at) => text[at..]
            .find('>')
            .map_or("", |close| &text[at + close + 1..]),
        None => text,
    }
}

fn entity(text: &str) -> Option<(char, &str)> {
    let inside = text.strip_prefix('&')?;
    let end = inside
        .bytes()
        .take(ENTITY_BYTES_MAX + 1)
        .position(|byte| byte == b';')?;
    let (name, after) = (&inside[..end], &inside[end + 1..]);
    let character = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    Some((character, after))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tags_go_and_words_stay_apart() {
        assert_eq!(
            plain("<p>Silver <b>sedan</b>,<br/>partial</p><p>tag</p>"),
            "Silver sedan,\npartial\ntag"
        );
        assert_eq!(plain("a<!-- <b>no</b> -->b"), "a\nb");
        assert_eq!(
            plain("x<script>alert('gun')</script>y<STYLE>p{}</STYLE >z"),
            "x\ny\nz"
        );
    }

    #[test]
    fn signs_that_are_no_tags_stay() {
        assert_eq!(plain("juv < 18, <18 yoa & a<b"), "juv < 18, <18 yoa & a<b");
        assert_eq!(plain("<a knife <p>x</p>"), "<a knife\nx");
        assert_eq!(
            plain("A&amp;P &lt;b&gt; &#39;q&#x27; &nosuch; &#xD800; &"),
            "A&P <b> 'q' &nosuch; &#xD800; &"
        );
    }

    #[test]
    fn no_piece_of_html_breaks_the_reading() {
        let html = "<p a='é'>é&eacute;é<script>é</scripté></p><!-- é -->&#233;é<é";
        for (at, _) in html.char_indices() {
            plain(&html[..at]);
            plain(&html[at..]);
        }
    }
}
