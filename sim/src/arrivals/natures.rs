//! Natures of calls that nobody is sent to: reported apart, never in the headline.
//!
//! A published file of calls holds what officers begin themselves and what they do between
//! calls, in the same rows as what people call about. An officer who begins a stop is there:
//! there is no way to travel and nothing to arrive before. The names are those that dispatch
//! writes in the file that this was made for (Milwaukee, 2018); one that stands in neither
//! list is a call that somebody is sent to.

/// How a call comes to its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Somebody called, and a unit is sent.
    Dispatched,
    /// An officer began it, where the officer was.
    Officer,
    /// Duty and paper.
    Administrative,
}

const OFFICER: [&str; 22] = [
    "TRAFFIC STOP",
    "SUBJ STOP",
    "TS TARGETED",
    "TRAFFIC LASER",
    "TRAFFIC CONTROL",
    "VEHICLE PURSUIT",
    "FOOT PURSUIT",
    "NON PURSUIT",
    "NON PURSUIT NO P",
    "BUSINESS CHECK",
    "PARK AND WALK",
    "PATROL",
    "TAVERN CHECK",
    "VACANT HOUSE CHK",
    "SCHL MONITORING",
    "SCHL PERIMETER",
    "CITIZEN CONTACT",
    "BUS INVESTIGATIO",
    "INVESTIGATION",
    "HOME VISIT DV",
    "SEARCH WARRANT",
    "NETWORK CRIMINAL",
];

const ADMINISTRATIVE: [&str; 42] = [
    "RETURN STATION",
    "FOLLOW UP",
    "REPORTS",
    "REPORT TO 10-22",
    "SPECIAL ASSIGN",
    "CST ASSIGNMENT",
    "ASSIGNMENT",
    "POLICE ADMIN",
    "POLICE ACADEMY",
    "OUT OF SERVICE",
    "PROBATION/PAROLE",
    "PROB_PAROL_CK_RQ",
    "PROPERTY PICKUP",
    "CONVEY PROPERTY",
    "COURT DUTY",
    "PRISONER TRANS",
    "PRISONER BOOKING",
    "VEHICLE MAINT",
    "CAR CHANGE",
    "PLANT CAR",
    "MEET GOVT AGENCY",
    "MEET MFD",
    "MFD SECURITY",
    "ADDL INFO",
    "COMMUNITY MTNG",
    "SCHL PRESENTATIO",
    "SCHOOL",
    "NOTIFICATION",
    "HOSPITAL GUARD",
    "HOSPITAL TO MCMH",
    "CITIZEN CONVEY",
    "JUV CONVEY",
    "GAME PLAN",
    "ESCORT",
    "ESP TARGET ESCOR",
    "MAIL RUN",
    "PD/OTHER IN MKE",
    "PAB",
    "PHOTO ASSIGN",
    "PICKUP PARTNER",
    "PHONE CALL COMPL",
    "CALL BY PHONE",
];

/// How a call of this nature comes to its unit.
pub(super) fn origin(nature: &str) -> Origin {
    let nature = nature.trim();
    let among = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(nature));
    if among(&OFFICER) {
        Origin::Officer
    } else if among(&ADMINISTRATIVE) {
        Origin::Administrative
    } else {
        Origin::Dispatched
    }
}
