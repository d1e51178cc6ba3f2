//! What a session's device may have, decided whenever it is asked.

use std::sync::Arc;

use packet::{Compartment, Kind};
use sync::frame::Lease;

use super::live::LivePolicies;
use super::who::{On, Who};
use super::{Act, Role};
use crate::shifts::Shift;

/// Who holds a device, and by which policies it is decided what it carries.
#[derive(Debug, Clone)]
pub struct Carries {
    policies: Arc<LivePolicies>,
    /// With the certifications of when it was last looked.
    who: Who,
}

impl Carries {
    /// Without an officer's shift nothing is carried.
    #[must_use]
    pub fn new(policies: Arc<LivePolicies>, shift: Option<Shift>, device_agency: &str) -> Self {
        let who = match &shift {
            Some(shift) => policies.officer(shift, device_agency),
            None => Who::device(device_agency),
        };
        Self { policies, who }
    }

    /// The same now: who it is, with the certifications of today.
    #[must_use]
    pub fn now(&self) -> Carrying<'_> {
        let mut who = self.who.clone();
        if who.role == Role::Officer {
            who.certifications = self.policies.certifications(&who.agency, &who.name);
        }
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
