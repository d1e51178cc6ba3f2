//! What people call about, how often, where it happens and how it ends.
//!
//! Weights follow the mix of a US city's published calls; patrol and paper work
//! weigh less than there, because an evening that is watched should have calls
//! in it. How a call ends is drawn apart from its narrative.

use crate::city::Setting::{self, Home, Road, Shop};

/// One nature of calls, as dispatch writes it.
#[derive(Debug)]
pub(crate) struct Nature {
    pub(crate) name: &'static str,
    pub(crate) weight: u32,
    pub(crate) setting: Setting,
    /// Weighted: how calls of this nature end.
    pub(crate) endings: &'static [(u32, &'static str)],
    pub(crate) story: Story,
}

/// Which narratives a nature has (see `narrative`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Story {
    Stop,
    Trouble,
    Domestic,
    Violence,
    Weapon,
    Shots,
    Sensor,
    Shooting,
    Break,
    BreakAuto,
    Theft,
    StolenVehicle,
    Crash,
    Driving,
    Suspicious,
    Sick,
    Welfare,
    Noise,
    Juvenile,
    Duty,
}

const TALK: &[(u32, &str)] = &[
    (10, "Advised"),
    (6, "Assignment Completed"),
    (6, "Unable to Locate Complainant"),
    (4, "Service in Progress"),
    (2, "Advised/Referral"),
];
const REPORT: &[(u32, &str)] = &[
    (7, "Service in Progress"),
    (5, "To be Filed"),
    (4, "Advised"),
    (3, "Unable to Locate Complainant"),
    (2, "Open Investigation"),
    (1, "Cleared by Arrest"),
];
const STOP: &[(u32, &str)] = &[
    (10, "Advised"),
    (9, "City Citation(s) Issued"),
    (2, "Assignment Completed"),
];
const CRASH: &[(u32, &str)] = &[
    (6, "To be Filed"),
    (5, "Service in Progress"),
    (3, "Advised"),
    (3, "Filed Driver Exchange Report"),
    (2, "Unable to Locate Complainant"),
];
const DUTY: &[(u32, &str)] = &[(9, "Assignment Completed"), (2, "Service in Progress")];

const fn nature(
    name: &'static str,
    weight: u32,
    setting: Setting,
    endings: &'static [(u32, &'static str)],
    story: Story,
) -> Nature {
    Nature {
        name,
        weight,
        setting,
        endings,
        story,
    }
}

pub(crate) const NATURES: [Nature; 44] = [
    nature("TRAFFIC STOP", 100, Road, STOP, Story::Stop),
    nature("SUBJ STOP", 14, Road, STOP, Story::Stop),
    nature("TRBL W/SUBJ", 90, Home, TALK, Story::Trouble),
    nature("CALL FOR POLICE", 30, Home, TALK, Story::Trouble),
    nature("LANDLORD/TEN TRB", 6, Home, TALK, Story::Trouble),
    nature("SUBJ WANTED", 18, Home, REPORT, Story::Trouble),
    nature("FAMILY TROUBLE", 20, Home, TALK, Story::Domestic),
    nature("TRBL W/SUBJ-DV", 18, Home, TALK, Story::Domestic),
    nature("BATTERY DV", 34, Home, REPORT, Story::Domestic),
    nature("VIOL REST ORDER", 8, Home, REPORT, Story::Domestic),
    nature("BATTERY", 32, Shop, REPORT, Story::Violence),
    nature("FIGHT", 24, Road, TALK, Story::Violence),
    nature("ROBBERY ARMED", 8, Shop, REPORT, Story::Weapon),
    nature("SUBJ WITH GUN", 22, Road, REPORT, Story::Weapon),
    nature("SUBJ WITH WEAPON", 14, Home, REPORT, Story::Weapon),
    nature("SHOTSPOTTER", 24, Road, TALK, Story::Sensor),
    nature("SHOTS FIRED", 26, Road, TALK, Story::Shots),
    nature("SHOOTING", 4, Road, REPORT, Story::Shooting),
    nature("ENTRY", 30, Home, REPORT, Story::Break),
    nature("ENTRY AUTOS", 14, Home, REPORT, Story::BreakAuto),
    nature("PROPERTY DAMAGE", 20, Home, REPORT, Story::Break),
    nature("THEFT", 24, Shop, REPORT, Story::Theft),
    nature("SHOPLIFTER", 6, Shop, REPORT, Story::Theft),
    nature("STOLEN VEHICLE", 14, Home, REPORT, Story::StolenVehicle),
    nature("ACC PDO", 44, Road, CRASH, Story::Crash),
    nature("ACC PI", 20, Road, CRASH, Story::Crash),
    nature("ACC UNKN INJ", 8, Road, CRASH, Story::Crash),
    nature("RECKLESS VEHICLE", 16, Road, TALK, Story::Driving),
    nature("TRAFFIC HAZARD", 16, Road, TALK, Story::Driving),
    nature("SUSP PERS/AUTO", 40, Road, TALK, Story::Suspicious),
    nature("DRUG DEALING", 8, Road, TALK, Story::Suspicious),
    nature("INJ PERSON/SICK", 28, Home, TALK, Story::Sick),
    nature("MED RUN", 8, Home, DUTY, Story::Sick),
    nature("WELFARE CITIZEN", 46, Home, TALK, Story::Welfare),
    nature("NOISE NUISANCE", 44, Home, TALK, Story::Noise),
    nature("TRBL W/JUV", 18, Shop, TALK, Story::Juvenile),
    nature("CHILD CUSTODY", 6, Home, TALK, Story::Juvenile),
    nature("BUSINESS CHECK", 50, Shop, DUTY, Story::Duty),
    nature("PARK AND WALK", 16, Road, DUTY, Story::Duty),
    nature("TAVERN CHECK", 10, Shop, DUTY, Story::Duty),
    nature("FOLLOW UP", 28, Home, DUTY, Story::Duty),
    nature("REPORTS", 12, Shop, DUTY, Story::Duty),
    nature("PATROL", 14, Road, DUTY, Story::Duty),
    nature("SPECIAL ASSIGN", 12, Road, DUTY, Story::Duty),
];
