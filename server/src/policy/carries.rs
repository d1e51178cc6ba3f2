//! What a session's device may have, decided whenever it is asked.

use std::sync::Arc;

use packet::{Compartment, Kind};
use sync::frame::Lease;

use super::Act;
use super::live::LivePolicies;
use super::who::{On, Who};
use crate::shifts::Shift;

/// Who holds a device, and by which policies it is decided what it carries.
#[derive(Debug, Clone)]
pub struct Carries {
    policies: Arc<LivePolicies>,
    shift: Option<Shift>,
    /// The device's.
    agency: String,
}

impl Carries {
    /// Without an officer's shift nothing is carried.
    #[must_use]
    pub fn new(policies: Arc<LivePolicies>, shift: Option<Shift>, device_agency: &str) -> Self {
        Self {
            policies,
            shift,
            agency: device_agency.into(),
        }
    }

    /// The same now: who it is, with the certifications of today.
    #[must_use]
    pub fn now(&self) -> Carrying<'_> {
        let who = match &self.shift {
            Some(shift) => self.policies.officer(shift, &self.agency),
            None => Who::device(&self.agency),
        };
        Carrying {
            policies: &self.policies,
            who,
        }
    }
}

/// Who holds a device now.
#[derive(Debug)]
pub struct Carrying<'a> {
    policies: &'a LivePolicies,
    who: Who,
}

impl Carrying<'_> {
    /// As the audit log asks by which policies it was given something.
    #[must_use]
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// Whether the device may have this compartment of a call of this agency.
    #[must_use]
    pub fn may_have(&self, agency: &str, compartment: Compartment) -> bool {
        let on = On::Document {
            agency,
            compartment,
        };
        self.policies.decide(&self.who, Act::Carry(compartment), on)
    }

    /// How long what the device may have lasts on it without a contact, where that is not the
    /// shift. Nobody is told a rule about what they may not have.
    #[must_use]
    pub fn leases(&self) -> Vec<Lease> {
        let rules = self.policies.leases().iter();
        rules
            .filter(|rule| self.may_have(&rule.agency, rule.compartment))
            .map(|rule| Lease {
                agency: rule.agency.clone(),
                compartment: rule.compartment as u8,
                minutes: rule.minutes,
            })
            .collect()
    }

    /// Whether the device may fetch what is attached to this compartment.
    #[must_use]
    pub fn may_fetch(&self, agency: &str, compartment: Compartment) -> bool {
        let on = On::Document {
            agency,
            compartment,
        };
        self.may_have(agency, compartment)
            && self.policies.decide(&self.who, Act::FetchAttachment, on)
    }

    /// Whether the device may send attachments: whose call it is for is looked at with their
    /// entries.
    #[must_use]
    pub fn may_attach(&self) -> bool {
        let act = Act::Write(Kind::Attachment);
        self.policies
            .decide(&self.who, act, On::call(act, &self.who.agency))
    }
}
