//! What a name sounds like: the American Soundex of the US National Archives ("The Soundex
//! Indexing System"), by which police records are searched.

/// A letter and three digits; `None` of what has no letter of A to Z.
#[must_use]
pub fn soundex(name: &str) -> Option<String> {
    let mut letters = name
        .chars()
        .map(|c| c.to_ascii_uppercase())
        .filter(char::is_ascii_uppercase);
    let first = letters.next()?;
    let mut code = String::from(first);
    let mut last = digit(first);
    for letter in letters {
        match (letter, digit(letter)) {
            // Between two of one sound they do not part them; a vowel does.
            ('H' | 'W', _) => {}
            (_, None) => last = None,
            (_, Some(sound)) => {
                if last != Some(sound) {
                    code.push(sound);
                }
                last = Some(sound);
            }
        }
        if code.len() == 4 {
            break;
        }
    }
    Some(format!("{code:0<4}"))
}

fn digit(letter: char) -> Option<char> {
    match letter {
        'B' | 'F' | 'P' | 'V' => Some('1'),
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => Some('2'),
        'D' | 'T' => Some('3'),
        'L' => Some('4'),
        'M' | 'N' => Some('5'),
        'R' => Some('6'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the National Archives' own page.
    #[test]
    fn names_have_the_codes_that_the_archives_give_them() {
        for (name, code) in [
            ("Washington", "W252"),
            ("Lee", "L000"),
            ("Gutierrez", "G362"),
            ("Pfister", "P236"),
            ("Jackson", "J250"),
            ("Tymczak", "T522"),
            ("Ashcraft", "A261"),
        ] {
            assert_eq!(soundex(name).as_deref(), Some(code), "{name}");
        }
        assert_eq!(soundex("1-2"), None);
    }
}
