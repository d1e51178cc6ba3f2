//! From a packet's entries to its lines.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::{Fresh, Glance, LINE_CHARS_MAX, LINES_MAX, Line, Rank, Said};
use crate::entry::{Confidence, Correction, Entry, Finding};
use crate::ids::{Compartment, EntryId};

type Key = (Compartment, EntryId);

/// The lines that a packet opens on. `entries` are in the order of the log, what the center
/// does not have yet last. `unit`: whose tap settles a caution; `None`: anybody's.
///
/// What was withdrawn or has ended by `now_ms` is no line; of what was corrected the
/// correction's words are. Of findings the exact come before the leads, then the newest first.
#[must_use]
pub fn glance(entries: &[Said<'_>], unit: Option<&str>, now_ms: i64) -> Glance {
    let about = About::of(entries, unit);
    let mut all: Vec<Line> = entries
        .iter()
        .filter_map(|said| about.line(said, now_ms))
        .collect();
    all.sort_by_cached_key(|line| {
        let place = (line.compartment, line.id);
        (line.rank, line.is_lead, Reverse(line.at_ms()), place)
    });
    let mut told = HashSet::new();
    all.retain(|line| told.insert((line.rank, line.source.clone(), line.text.clone())));
    shortened(all)
}

fn shortened(all: Vec<Line>) -> Glance {
    let mut glance = Glance::default();
    let mut of_rank: HashMap<Rank, usize> = HashMap::new();
    for line in all {
        let before = of_rank.entry(line.rank).or_default();
        *before += 1;
        if glance.lines.len() < LINES_MAX && *before <= line.rank.rule().lines_max {
            glance.lines.push(line);
            continue;
        }
        glance.below += 1;
        glance.cautions_below += usize::from(line.rank.is_caution());
        if let Some(last) = glance.lines.iter_mut().rfind(|l| l.rank == line.rank) {
            last.more += 1;
        }
    }
    glance
}

/// What later entries say of earlier ones.
struct About<'a> {
    /// The last of each entry.
    corrections: HashMap<Key, (&'a Correction, i64)>,
    acknowledged: HashSet<Key>,
    /// What the cautions that hold say.
    cautions: Vec<&'a str>,
}

impl<'a> About<'a> {
    fn of(entries: &[Said<'a>], unit: Option<&str>) -> Self {
        let mut about = Self {
            corrections: HashMap::new(),
            acknowledged: HashSet::new(),
            cautions: Vec::new(),
        };
        for said in entries {
            match said.entry {
                Entry::Correction(correction) => {
                    let of = (said.compartment, correction.of);
                    about.corrections.insert(of, (correction, said.at_ms));
                }
                Entry::Acknowledgement(tap) if unit.is_none_or(|unit| unit == tap.unit) => {
                    about.acknowledged.insert((said.compartment, tap.of));
                }
                _ => {}
            }
        }
        for said in entries {
            if let Entry::Caution(caution) = said.entry
                && !about.corrections.contains_key(&(said.compartment, said.id))
            {
                about.cautions.push(&caution.text);
            }
        }
        about
    }

    fn line(&self, said: &Said<'_>, now_ms: i64) -> Option<Line> {
        let key = (said.compartment, said.id);
        if ends_ms(said.entry).is_some_and(|ends_ms| ends_ms <= now_ms) {
            return None;
        }
        let mut rank = Rank::of(said.entry)?;
        let correction = self.corrections.get(&key);
        if rank == Rank::Caution
            && correction.is_none()
            && !said.mine
            && !self.acknowledged.contains(&key)
        {
            rank = Rank::CautionAsks;
        }
        let (text, source, fresh) = match (correction, said.entry) {
            (Some((Correction { text: None, .. }, _)), _) => return None,
            (
                Some((
                    Correction {
                        text: Some(text),
                        by,
                        ..
                    },
                    at_ms,
                )),
                _,
            ) => {
                let corrected = format!("Corrected: {text}");
                (corrected, by.clone(), Fresh::Written(*at_ms))
            }
            (None, Entry::Caution(caution)) => (
                caution.text.clone(),
                caution.by.clone(),
                Fresh::Written(said.at_ms),
            ),
            (None, Entry::Note(note)) if !said.mine => (
                note.text.clone(),
                note.by.clone(),
                Fresh::Written(said.at_ms),
            ),
            (None, Entry::Finding(finding)) => finding_words(finding),
            (None, Entry::Mention(mention)) if !self.is_in_a_caution(&mention.words) => (
                format!("\u{201c}{}\u{201d} (unverified)", mention.words),
                "Read from the words of the call".into(),
                Fresh::Written(said.at_ms),
            ),
            _ => return None,
        };
        let (is_lead, link) = match said.entry {
            Entry::Finding(finding) => (
                finding.confidence != Confidence::Exact,
                finding.link.clone().filter(|_| correction.is_none()),
            ),
            Entry::Mention(_) => (true, None),
            _ => (false, None),
        };
        Some(Line {
            rank,
            id: said.id,
            compartment: said.compartment,
            text: one_line(without_its_rank(rank, &text)),
            source,
            fresh,
            is_lead,
            link,
            more: 0,
        })
    }

    fn is_in_a_caution(&self, words: &str) -> bool {
        self.cautions.iter().any(|text| text.contains(words))
    }
}

fn finding_words(finding: &Finding) -> (String, String, Fresh) {
    let text = match finding.text.trim() {
        "" => finding.title.clone(),
        text => format!("{}: {text}", finding.title),
    };
    let fresh = finding
        .recorded_ms
        .map_or(Fresh::Answered(finding.answered_ms), Fresh::Recorded);
    (text, finding.source.clone(), fresh)
}

fn ends_ms(entry: &Entry) -> Option<i64> {
    match entry {
        Entry::Caution(caution) => caution.ends_ms,
        Entry::Finding(finding) => finding.ends_ms,
        _ => None,
    }
}

/// The rank stands beside the line: a title that begins with it, such as `Stolen: KRT482`,
/// does not say it again.
fn without_its_rank(rank: Rank, text: &str) -> &str {
    let rest = text.strip_prefix(rank.rule().name);
    rest.and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(text)
}

/// What stands on several lines, on one, and no longer than a glance.
fn one_line(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    let joined = lines.join("; ");
    if joined.chars().count() <= LINE_CHARS_MAX {
        return joined;
    }
    let cut: String = joined.chars().take(LINE_CHARS_MAX - 1).collect();
    format!("{}…", cut.trim_end())
}

impl Line {
    /// When it came to be known: of two lines of one rank the newer comes first.
    fn at_ms(&self) -> i64 {
        match self.fresh {
            Fresh::Recorded(ms) | Fresh::Answered(ms) | Fresh::Written(ms) => ms,
        }
    }
}
