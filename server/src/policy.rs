//! The one place that decides: may this one do this to that?
//!
//! Behind it stand Cedar policies ([`set`]): the center's own say what a role may do and what
//! no agreement can permit, the agencies' agreements say what is shared with whom. Deny is the
//! default. What is in force is [`LivePolicies`]: each route, page, socket, session, frame and
//! query asks it, and is asked about again when policies, people or the date change ([`live`]).
//!
//! ```text
//! words.cedarschema ─┐
//! roles.cedar ───────┼─▶ Policies ─▶ LivePolicies ─▶ decide(who, act, on)
//! agreement.cedar or │                   ▲    └──▶ changes ─▶ hub, pages: decided anew
//! the folder's files ┘     people.toml ──┘
//! ```
//!
//! * [`who`] is who asks and what about: all that a policy may look at.
//! * [`sight`] is what one reader may see of whose packets, as a condition of a query.
//! * [`people`] is who is certified for what, and until when.

pub mod carries;
#[cfg(test)]
mod checks;
pub mod expect;
pub mod explain;
pub mod live;
pub mod people;
pub mod set;
pub mod sight;
#[cfg(test)]
pub(crate) mod walk;
pub mod who;

use std::sync::{Arc, LazyLock};

use packet::{Compartment, Kind};

pub use carries::{Carries, Carrying};
pub use live::LivePolicies;
pub use people::People;
pub use set::{Names, Policies, PolicyFault, PolicyRef, Verdict};
pub use sight::{Sight, agency_of};
pub use who::{CENTER, Certifications, On, Who};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Nobody that the center knows.
    Anonymous,
    /// An enrolled device in good standing, without an officer's shift.
    Device,
    /// An officer signed on at such a device.
    Officer,
    /// At the center's console.
    Analyst,
    /// An analyst who answers for people and devices of an agency.
    Supervisor,
    /// Who looks at what others did, and at no call.
    Auditor,
    /// A dispatch system with the API's token.
    Dispatch,
    /// Whoever works at the center's machine, with its own files.
    Operator,
}

impl Role {
    pub const ALL: [Self; 8] = [
        Self::Anonymous,
        Self::Device,
        Self::Officer,
        Self::Analyst,
        Self::Supervisor,
        Self::Auditor,
        Self::Dispatch,
        Self::Operator,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Device => "device",
            Self::Officer => "officer",
            Self::Analyst => "analyst",
            Self::Supervisor => "supervisor",
            Self::Auditor => "auditor",
            Self::Dispatch => "dispatch",
            Self::Operator => "operator",
        }
    }
}

/// Who asks, by name: what each route, page and socket is given, and hands on to
/// [`decide`] and to what it writes and records.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor {
    pub role: Role,
    /// As entries, receipts and the audit log name it.
    pub name: String,
    /// `None`: nobody's, or the center's own.
    pub agency: Option<String>,
    /// Of a person's account at the console.
    pub certifications: Certifications,
}

impl Actor {
    /// One that has no name but its role's.
    #[must_use]
    pub fn of(role: Role) -> Self {
        Self {
            role,
            name: role.name().into(),
            agency: None,
            certifications: Certifications::default(),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Whether the center is up, and its counters: no call's contents.
    SeeHealth,
    SeeApiDescription,
    Enrol,
    SignOn,
    SignOff,
    OpenSession,
    /// Hand in what was sealed to the center.
    HandInSealed,
    /// Give a restored center what it had before, on the center's own word.
    GiveBack,
    /// Be taken in again by a restored center that has forgotten the enrolment.
    Readmit,
    /// See this compartment of a packet at the console.
    Show(Compartment),
    /// Carry this compartment on a device.
    Carry(Compartment),
    /// Have this compartment of a packet for another agency's system.
    Release(Compartment),
    /// Say that this compartment of a packet is kept: on hold, no longer, or for another period.
    Retain(Compartment),
    /// Destroy this compartment of a packet.
    Purge(Compartment),
    /// Write an entry of this kind.
    Write(Kind),
    SeeBoard,
    SeePacket,
    /// How much was on the devices before the officers arrived: calls by number, no contents.
    SeeArrivals,
    /// Have an attachment's content, or its thumbnail.
    FetchAttachment,
    /// Look through all packets, and keep searches.
    Search,
    /// … through what stands in this compartment: shown, and counted.
    SearchIn(Compartment),
    ReportCall,
    ListCalls,
    AssignUnit,
    /// Link two calls, or undo it.
    LinkCalls,
    /// How the CADs' own doors stand.
    SeeCads,
    NewEnrolmentCode,
    RevokeDevice,
    /// All devices, who has them, and how they stand.
    SeeDevices,
    /// Have a device erase what it was given.
    EraseDevice,
    /// Give an officer the tries of the PIN back.
    ReleaseDevice,
    /// Say that a device is fixed in a vehicle.
    MarkMounted,
    /// Say how a device is, and be told what to do: by its certificate alone.
    ReportStanding,
    /// Hand in the receipt of an erasure.
    ConfirmErasure,
    Backup,
    Restore,
    /// Put a question to an agency's source.
    AskSource,
    AddHotListEntry,
    ClearHotListEntry,
    /// A whole list in the place of what it had.
    ReplaceHotList,
    SeeHotLists,
    ReportPlateReads,
    SetPremise,
    EndPremise,
    SeePremises,
    /// See which rule said what of a call, with its words.
    ExplainTriage,
    /// See who may see a document, and by which policies.
    ExplainPolicy,
    /// Say that a caution which was derived from a restricted record is shown, or is not.
    ReleaseCaution,
    /// Sign in at the console; what becomes of the session is recorded as this too.
    SignInAtConsole,
    SeePeople,
    /// Make, disable, enable or release an account, and what it signs in with.
    ChangePeople,
    /// Look through the audit log.
    SeeAudit,
    /// Take entries of it out, with their proofs.
    ExportAudit,
    /// Say that it was reviewed, and that its failures were seen.
    ReviewAudit,
    /// How large the audit log is, and its root: no entry.
    SeeCheckpoint,
    /// Hand in a witness's line, which proves itself.
    CosignCheckpoint,
    VerifyAudit,
    PurgeAudit,
    /// What comes to the end of its period, what is on hold, what was purged.
    SeeRetention,
    /// Destroy the key by which the entries about somebody are found.
    ForgetSubject,
    /// Nobody's: the center puts it on record of itself.
    AuditFailed,
    /// … and that it began, or ended.
    StartCenter,
    StopCenter,
}

impl Act {
    /// As the audit log names it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Show(compartment) => format!("show {}", compartment.name()),
            Self::Carry(compartment) => format!("carry {}", compartment.name()),
            Self::Release(compartment) => format!("release {}", compartment.name()),
            Self::SearchIn(compartment) => format!("search in {}", compartment.name()),
            Self::Retain(compartment) => format!("retain {}", compartment.name()),
            Self::Purge(compartment) => format!("purge {}", compartment.name()),
            Self::Write(kind) => format!("write {kind:?}").to_lowercase(),
            other => format!("{other:?}"),
        }
    }
}

/// May this role do this, by the built-in policies? For what depends on nothing but the role:
/// what an operator does at the center's machine, where no center may be running.
#[must_use]
pub fn decide(role: Role, act: Act) -> bool {
    let on = match act {
        Act::AskSource | Act::ReleaseCaution => On::Source {
            agency: CENTER,
            name: "",
            compartment: Compartment::Call,
        },
        act => On::call(act, CENTER),
    };
    built_in().decide(&Who::of(role), act, on)
}

/// The built-in policies, where no configuration says whose agencies there are: a simulated
/// city's.
#[must_use]
pub fn built_in() -> Arc<LivePolicies> {
    static BUILT_IN: LazyLock<Arc<LivePolicies>> =
        LazyLock::new(|| Arc::new(LivePolicies::built_in(&[])));
    BUILT_IN.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table, as a person can read it: for each act the roles that may.
    const TABLE: &[(&str, &[Role])] = &[
        ("SeeHealth", &Role::ALL),
        ("SeeApiDescription", &Role::ALL),
        ("Enrol", &Role::ALL),
        ("SignOn", &[Role::Device, Role::Officer]),
        ("SignOff", &[Role::Device, Role::Officer]),
        ("OpenSession", &[Role::Device, Role::Officer]),
        ("HandInSealed", &[Role::Device, Role::Officer]),
        ("GiveBack", &[Role::Device, Role::Officer]),
        ("Readmit", &[Role::Device]),
        ("Backup", &[Role::Operator]),
        ("Restore", &[Role::Operator]),
        ("ExplainTriage", &[Role::Operator]),
        ("ExplainPolicy", &[Role::Operator]),
        ("ReleaseCaution", &[Role::Analyst, Role::Supervisor]),
        (
            "show safety",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        (
            "show call",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        ("show records", &[]),
        ("show juvenile", &[]),
        ("show intel", &[]),
        ("carry safety", &[Role::Officer]),
        ("carry call", &[Role::Officer]),
        ("carry records", &[]),
        ("carry juvenile", &[]),
        ("carry intel", &[]),
        ("release safety", &[Role::Dispatch]),
        ("release call", &[Role::Dispatch]),
        ("release records", &[]),
        ("release juvenile", &[]),
        ("release intel", &[]),
        ("write facts", &[Role::Device, Role::Officer]),
        (
            "write note",
            &[Role::Device, Role::Officer, Role::Analyst, Role::Supervisor],
        ),
        (
            "write caution",
            &[Role::Device, Role::Officer, Role::Analyst, Role::Supervisor],
        ),
        ("write finding", &[]),
        ("write outcome", &[]),
        (
            "write query",
            &[Role::Device, Role::Officer, Role::Analyst, Role::Supervisor],
        ),
        ("write unitstatus", &[Role::Device, Role::Officer]),
        (
            "write correction",
            &[Role::Device, Role::Officer, Role::Analyst, Role::Supervisor],
        ),
        ("write acknowledgement", &[Role::Device, Role::Officer]),
        (
            "write attachment",
            &[
                Role::Device,
                Role::Officer,
                Role::Analyst,
                Role::Supervisor,
                Role::Dispatch,
            ],
        ),
        ("write mention", &[]),
        ("write link", &[]),
        ("write other", &[]),
        ("SeeBoard", &[Role::Analyst, Role::Supervisor]),
        (
            "SeePacket",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        (
            "SeeArrivals",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        (
            "FetchAttachment",
            &[
                Role::Officer,
                Role::Analyst,
                Role::Supervisor,
                Role::Dispatch,
            ],
        ),
        ("Search", &[Role::Analyst, Role::Supervisor, Role::Dispatch]),
        (
            "search in safety",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        (
            "search in call",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        ("search in records", &[]),
        ("search in juvenile", &[]),
        ("search in intel", &[]),
        ("ReportCall", &[Role::Dispatch]),
        ("ListCalls", &[Role::Dispatch]),
        ("AssignUnit", &[Role::Dispatch]),
        (
            "LinkCalls",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        ("SeeCads", &[Role::Dispatch]),
        ("NewEnrolmentCode", &[Role::Supervisor, Role::Dispatch]),
        ("RevokeDevice", &[Role::Supervisor, Role::Dispatch]),
        (
            "SeeDevices",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        ("EraseDevice", &[Role::Supervisor, Role::Dispatch]),
        ("ReleaseDevice", &[Role::Supervisor, Role::Dispatch]),
        ("MarkMounted", &[Role::Supervisor, Role::Dispatch]),
        ("ReportStanding", &[Role::Device, Role::Officer]),
        (
            "SeeAudit",
            &[Role::Supervisor, Role::Auditor, Role::Operator],
        ),
        ("ExportAudit", &[Role::Auditor, Role::Operator]),
        ("ReviewAudit", &[Role::Auditor, Role::Operator]),
        ("SeeCheckpoint", &Role::ALL),
        ("CosignCheckpoint", &Role::ALL),
        ("VerifyAudit", &[Role::Operator]),
        ("PurgeAudit", &[Role::Operator]),
        ("ForgetSubject", &[Role::Operator]),
        ("SeeRetention", &[Role::Supervisor]),
        ("retain safety", &[Role::Supervisor]),
        ("retain call", &[Role::Supervisor]),
        ("retain records", &[]),
        ("retain juvenile", &[]),
        ("retain intel", &[]),
        ("purge safety", &[Role::Supervisor]),
        ("purge call", &[Role::Supervisor]),
        ("purge records", &[]),
        ("purge juvenile", &[]),
        ("purge intel", &[]),
        ("AuditFailed", &[]),
        ("StartCenter", &[]),
        ("StopCenter", &[]),
        ("ConfirmErasure", &[Role::Device, Role::Officer]),
        (
            "AskSource",
            &[
                Role::Officer,
                Role::Analyst,
                Role::Supervisor,
                Role::Dispatch,
                Role::Operator,
            ],
        ),
        (
            "AddHotListEntry",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        (
            "ClearHotListEntry",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        ("ReplaceHotList", &[Role::Dispatch]),
        (
            "SeeHotLists",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        ("ReportPlateReads", &[Role::Dispatch]),
        (
            "SetPremise",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        (
            "EndPremise",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
        ("SignInAtConsole", &Role::ALL),
        ("SeePeople", &[Role::Supervisor, Role::Auditor]),
        ("ChangePeople", &[Role::Supervisor, Role::Operator]),
        (
            "SeePremises",
            &[Role::Analyst, Role::Supervisor, Role::Dispatch],
        ),
    ];

    pub(super) fn all_acts() -> Vec<Act> {
        let mut acts = vec![
            Act::SeeHealth,
            Act::SeeApiDescription,
            Act::Enrol,
            Act::SignOn,
            Act::SignOff,
            Act::OpenSession,
            Act::HandInSealed,
            Act::GiveBack,
            Act::Readmit,
            Act::Backup,
            Act::Restore,
            Act::ExplainTriage,
            Act::ExplainPolicy,
            Act::ReleaseCaution,
            Act::SeeBoard,
            Act::SeePacket,
            Act::SeeArrivals,
            Act::FetchAttachment,
            Act::Search,
            Act::ReportCall,
            Act::ListCalls,
            Act::AssignUnit,
            Act::LinkCalls,
            Act::SeeCads,
            Act::NewEnrolmentCode,
            Act::RevokeDevice,
            Act::SeeDevices,
            Act::EraseDevice,
            Act::ReleaseDevice,
            Act::MarkMounted,
            Act::ReportStanding,
            Act::ConfirmErasure,
            Act::AskSource,
            Act::AddHotListEntry,
            Act::ClearHotListEntry,
            Act::ReplaceHotList,
            Act::SeeHotLists,
            Act::ReportPlateReads,
            Act::SetPremise,
            Act::EndPremise,
            Act::SeePremises,
            Act::SignInAtConsole,
            Act::SeeAudit,
            Act::ExportAudit,
            Act::ReviewAudit,
            Act::SeeCheckpoint,
            Act::CosignCheckpoint,
            Act::VerifyAudit,
            Act::PurgeAudit,
            Act::SeeRetention,
            Act::ForgetSubject,
            Act::AuditFailed,
            Act::StartCenter,
            Act::StopCenter,
            Act::SeePeople,
            Act::ChangePeople,
        ];
        acts.extend(Compartment::ALL.map(Act::Show));
        acts.extend(Compartment::ALL.map(Act::Carry));
        acts.extend(Compartment::ALL.map(Act::Release));
        acts.extend(Compartment::ALL.map(Act::SearchIn));
        acts.extend(Compartment::ALL.map(Act::Retain));
        acts.extend(Compartment::ALL.map(Act::Purge));
        acts.extend(Kind::ALL.map(Act::Write));
        acts
    }

    #[test]
    fn every_role_may_exactly_what_the_table_says() {
        let acts = all_acts();
        assert_eq!(
            acts.len(),
            TABLE.len(),
            "an act without a row, or a row without an act"
        );
        for act in acts {
            let name = act.name();
            let row = TABLE
                .iter()
                .find(|(row, _)| *row == name)
                .map(|(_, roles)| *roles);
            for role in Role::ALL {
                assert_eq!(
                    row.map(|roles| roles.contains(&role)),
                    Some(decide(role, act)),
                    "{role:?} {name}"
                );
            }
        }
    }
}
