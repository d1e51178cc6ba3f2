//! One spelling for one address.
//!
//! Dispatch writes `1420 w Alder Av  APT 4,CDR`; records are kept by premises,
//! so both sides must come to `1420 W ALDER AV`.

/// A city's code after the last comma is at most this long (`CDR`, `MKE`).
const CITY_CODE_CHARS_MAX: usize = 4;

/// The words that begin an apartment tail.
const APARTMENT_WORDS: [&str; 6] = ["APT", "UNIT", "STE", "RM", "UPR", "LWR"];

/// Uppercase, single spaces, without the apartment and the city's code.
///
/// Any short code is stripped, not only Cedarport's `,CDR`, because the sources
/// are asked about other cities' addresses too when their calls are replayed.
pub fn normalise(address: &str) -> String {
    let upper = address.to_uppercase();
    let words = upper.split_whitespace().enumerate();
    // The first word is a house number or a direction, never an apartment.
    let kept: Vec<&str> = words
        .take_while(|(at, word)| *at == 0 || !begins_apartment(word))
        .map(|(_, word)| word)
        .collect();
    let joined = kept.join(" ");
    without_city_code(&joined)
        .trim_end_matches([',', ' '])
        .to_owned()
}

fn begins_apartment(word: &str) -> bool {
    let bare = word.split(',').next().unwrap_or(word);
    word.starts_with('#') || APARTMENT_WORDS.contains(&bare)
}

fn without_city_code(address: &str) -> &str {
    match address.rsplit_once(',') {
        Some((street, code)) if is_city_code(code.trim()) => street,
        _ => address,
    }
}

fn is_city_code(code: &str) -> bool {
    code.len() <= CITY_CODE_CHARS_MAX && code.chars().all(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_become_one() {
        for spelling in [
            "1420 W ALDER AV",
            "1420 w Alder  Av,CDR",
            "  1420 W ALDER AV APT 4,CDR ",
            "1420 W ALDER AV #4,CDR",
            "1420 W ALDER AV,CDR APT 4",
            "1420 W ALDER AV UPR,CDR",
            "1420 W ALDER AV, CDR",
            "1420 W ALDER AV,MKE",
        ] {
            assert_eq!(normalise(spelling), "1420 W ALDER AV", "{spelling:?}");
        }
    }

    #[test]
    fn what_only_resembles_a_tail_stays() {
        assert_eq!(
            normalise("N 12TH ST / W UNITY AV,CDR"),
            "N 12TH ST / W UNITY AV"
        );
        assert_eq!(
            normalise("12 MAIN ST, GREENFIELD"),
            "12 MAIN ST, GREENFIELD"
        );
        assert_eq!(normalise(""), "");
    }
}
