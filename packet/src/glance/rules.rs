//! The table: what a line is about, in the order of importance.

use crate::entry::{Confidence, Entry, Finding, MentionWhat, Topic};

/// What a line is about; the first is the most important.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    CautionAsks,
    Caution,
    Weapon,
    Wanted,
    Stolen,
    Missing,
    Bolo,
    Premise,
    Danger,
    Violence,
    Note,
    Person,
    Vehicle,
    Camera,
    Near,
    Earlier,
    Record,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub rank: Rank,
    /// As screens name the line.
    pub name: &'static str,
    /// Which entries it is made of, in words.
    pub of: &'static str,
    /// Most lines of this rank.
    pub lines_max: usize,
}

const fn rule(rank: Rank, name: &'static str, lines_max: usize, of: &'static str) -> Rule {
    Rule {
        rank,
        name,
        of,
        lines_max,
    }
}

/// All ranks, the most important first. `docs/one-glance.md` says the same.
pub const RULES: [Rule; 17] = [
    rule(
        Rank::CautionAsks,
        "Caution",
        5,
        "a caution that waits for a tap",
    ),
    rule(
        Rank::Caution,
        "Caution",
        5,
        "a caution that was acknowledged, corrected, or written by whoever looks",
    ),
    rule(Rank::Weapon, "Weapon", 2, "a finding about a weapon"),
    rule(Rank::Wanted, "Wanted", 2, "a finding about a wanted person"),
    rule(
        Rank::Stolen,
        "Stolen",
        2,
        "a finding about what is listed as stolen",
    ),
    rule(
        Rank::Missing,
        "Missing",
        2,
        "a finding about a missing person",
    ),
    rule(Rank::Bolo, "Lookout", 2, "a finding about a BOLO"),
    rule(
        Rank::Premise,
        "Premise",
        2,
        "a finding about a hazard of the place",
    ),
    rule(
        Rank::Danger,
        "In the words",
        1,
        "a weapon or a danger that was read from words which no caution repeats",
    ),
    rule(
        Rank::Violence,
        "Earlier violence",
        1,
        "a finding about earlier calls that names violence",
    ),
    rule(Rank::Note, "Note", 1, "the newest note of somebody else"),
    rule(Rank::Person, "Person", 1, "a finding about a person"),
    rule(Rank::Vehicle, "Vehicle", 1, "a finding about a vehicle"),
    rule(Rank::Camera, "Camera", 1, "a finding about a camera"),
    rule(
        Rank::Near,
        "Near by",
        1,
        "a finding about calls that are open near by",
    ),
    rule(
        Rank::Earlier,
        "Earlier",
        1,
        "a finding about earlier calls, none of them violent",
    ),
    rule(Rank::Record, "Record", 1, "any other finding"),
];

/// By these words an earlier call reads as violent: they stand in dispatch's natures and in
/// what came of a call. Compared in capitals, from the beginning of a word.
pub const VIOLENCE_WORDS: [&str; 20] = [
    "ABDUCT", "ARMED", "ASSAULT", "BATTERY", "BOMB", "DOMESTIC", "FIGHT", "FIREARM", "GUN",
    "HOMICIDE", "HOSTAGE", "KNIFE", "MURDER", "RESIST", "ROBBERY", "SHOOTING", "SHOTS", "STABBING",
    "VIOLEN", "WEAPON",
];

/// Whether words such as a call's nature name violence (by [`VIOLENCE_WORDS`]).
#[must_use]
pub fn names_violence(words: &str) -> bool {
    words
        .to_uppercase()
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| VIOLENCE_WORDS.iter().any(|start| word.starts_with(start)))
}

impl Rank {
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        // The table is in the order of the ranks: a test holds them together.
        &RULES[self as usize]
    }

    #[must_use]
    pub fn is_caution(self) -> bool {
        matches!(self, Self::CautionAsks | Self::Caution)
    }

    /// What may hurt, and is no caution yet.
    #[must_use]
    pub fn is_danger(self) -> bool {
        (Self::Weapon..=Self::Violence).contains(&self)
    }

    /// Of an entry that holds; `None`: it is no line. Of cautions the caller knows more.
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        match entry {
            Entry::Caution(_) => Some(Self::Caution),
            Entry::Finding(finding) => Some(Self::of_finding(finding)),
            Entry::Note(_) => Some(Self::Note),
            Entry::Mention(mention) => match mention.what {
                MentionWhat::Weapon | MentionWhat::Danger => Some(Self::Danger),
                MentionWhat::Plate
                | MentionWhat::PartialPlate
                | MentionWhat::Vehicle
                | MentionWhat::Phone
                | MentionWhat::Person
                | MentionWhat::Address => None,
            },
            Entry::Facts(_)
            | Entry::Outcome(_)
            | Entry::Query(_)
            | Entry::UnitStatus(_)
            | Entry::Correction(_)
            | Entry::Acknowledgement(_)
            | Entry::Attachment(_)
            | Entry::Link(_)
            | Entry::Other { .. } => None,
        }
    }

    fn of_finding(finding: &Finding) -> Self {
        match finding.topic {
            Topic::Weapon => Self::Weapon,
            Topic::Wanted => Self::Wanted,
            Topic::Stolen => Self::Stolen,
            Topic::Missing => Self::Missing,
            Topic::Bolo => Self::Bolo,
            Topic::Premise => Self::Premise,
            Topic::Person => Self::Person,
            Topic::Vehicle => Self::Vehicle,
            Topic::Camera => Self::Camera,
            Topic::Near => Self::Near,
            // What happened next door is no reason to draw a weapon here.
            Topic::Earlier
                if finding.confidence != Confidence::Nearby
                    && (names_violence(&finding.title) || names_violence(&finding.text)) =>
            {
                Self::Violence
            }
            Topic::Earlier => Self::Earlier,
            Topic::Record => Self::Record,
        }
    }
}
