//! The dispatch systems (CAD): each with its own agency, words, clock, numbers and doors.
//!
//! A center hears of calls from as many CADs as it has agencies, and each has its own
//! names for things. `[[cads]]` in the configuration says of each what its nature codes
//! mean in the center's words ([`codes`]), in which zone its clock is, by what name EIDOs
//! know its agency, and where it is heard beside the API: a folder of CSV files
//! ([`folder`]) or a view of its database ([`view`]). Two CADs may use the same call
//! number: a call is known by agency and number.

pub mod codes;
pub mod config;
pub mod doors;
pub mod folder;
pub mod view;

use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::center::Center;
use crate::intake::CallReport;
use crate::triage::Triage;

use self::codes::{Code, Codes, CodesError};
pub use self::config::{CadConfig, ViewConfig};
use self::doors::{Door, DoorView};
use self::view::View;

/// Why a CAD's section cannot be used, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum CadError {
    #[error("cads.{agency}.zone: wanted a time zone such as America/Chicago, found {found}")]
    Zone { agency: String, found: String },
    #[error("cads.{agency}.{field}: {wanted}")]
    View {
        agency: String,
        field: &'static str,
        wanted: String,
    },
    #[error("the code table {path} cannot be read: {reason}")]
    Read { path: String, reason: String },
    #[error("the code table {path}: {fault}")]
    Codes { path: String, fault: CodesError },
}

/// One of them, ready to be heard.
#[derive(Debug)]
pub struct Cad {
    pub agency: String,
    /// The agency's `$id` in EIDOs (NENA-STA-021.1, agency component).
    pub eido_id: String,
    pub zone: TimeZone,
    codes: Codes,
    /// How its folder and its view stand, where it has them.
    has_folder: bool,
    pub(crate) folder: Door,
    pub(crate) view_door: Door,
    view: Option<View>,
}

/// How a CAD's own doors stand; those that it has.
#[derive(Debug, Serialize)]
pub struct CadView {
    agency: String,
    folder: Option<DoorView>,
    view: Option<DoorView>,
}

/// All that are configured.
#[derive(Debug, Default)]
pub struct Cads(Vec<Cad>);

impl Cads {
    /// Reads what the sections name.
    ///
    /// # Errors
    /// Names the section, or the code table with line and column.
    pub fn open(sections: &[CadConfig]) -> Result<Self, CadError> {
        sections
            .iter()
            .map(Cad::open)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// How each CAD's doors stand.
    #[must_use]
    pub fn views(&self) -> Vec<CadView> {
        let views = self.0.iter().map(|cad| CadView {
            agency: cad.agency.clone(),
            folder: cad.has_folder.then(|| cad.folder.view()),
            view: cad.view.is_some().then(|| cad.view_door.view()),
        });
        views.collect()
    }

    /// Each door that cannot be read now, and why: a sentence each.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let of_cad = |cad: &Cad| {
            let agency = cad.agency.clone();
            [
                ("folder", cad.folder.view()),
                ("view", cad.view_door.view()),
            ]
            .map(|(door, view)| {
                let trouble = view.trouble?;
                Some(format!(
                    "The {door} of {agency}'s CAD cannot be read: {trouble}"
                ))
            })
        };
        self.0.iter().flat_map(of_cad).flatten().collect()
    }

    #[must_use]
    pub fn of(&self, agency: &str) -> Option<&Cad> {
        self.0.iter().find(|cad| cad.agency == agency)
    }

    /// Puts a report into the center's own words; gives the code that it came with, where
    /// its CAD's table knows it.
    pub(crate) fn translate(&self, report: &mut CallReport) -> Option<Coded<'_>> {
        if let Some(cad) = self.0.iter().find(|cad| cad.eido_id == report.agency) {
            report.agency.clone_from(&cad.agency);
        }
        let code = self.of(&report.agency)?.codes.find(&report.nature)?;
        let said = std::mem::replace(&mut report.nature, code.nature.clone());
        // As with all that speaks of it, the most urgent wins.
        report.priority = [report.priority, code.priority].into_iter().flatten().min();
        Some(Coded { said, code })
    }
}

impl Cad {
    fn open(section: &CadConfig) -> Result<Self, CadError> {
        let zone = TimeZone::get(&section.zone).map_err(|_| CadError::Zone {
            agency: section.agency.clone(),
            found: section.zone.clone(),
        })?;
        Ok(Self {
            agency: section.agency.clone(),
            eido_id: section
                .eido_id
                .clone()
                .unwrap_or_else(|| section.agency.clone()),
            zone,
            codes: section
                .codes
                .as_deref()
                .map(codes)
                .transpose()?
                .unwrap_or_default(),
            has_folder: section.folder.is_some(),
            folder: Door::default(),
            view_door: Door::default(),
            view: section
                .view
                .as_ref()
                .map(open_view(&section.agency))
                .transpose()?,
        })
    }
}

fn open_view(agency: &str) -> impl Fn(&ViewConfig) -> Result<View, CadError> {
    move |config| {
        View::open(config).map_err(|(field, wanted)| CadError::View {
            agency: agency.to_owned(),
            field,
            wanted,
        })
    }
}

fn codes(path: &Path) -> Result<Codes, CadError> {
    let shown = || path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| CadError::Read {
        path: shown(),
        reason: e.to_string(),
    })?;
    Codes::parse(&text).map_err(|fault| CadError::Codes {
        path: shown(),
        fault,
    })
}

/// Listens to the folders and the views until the center stops.
pub(crate) fn listen(center: &Arc<Center>, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
    for section in &center.config.cads {
        let agency = section.agency.clone();
        if let Some(folder) = section.folder.clone() {
            let agency = agency.clone();
            tasks.spawn(folder::watch(center.clone(), agency, folder, stop.clone()));
        }
        if section.view.is_some() {
            tasks.spawn(view::poll(center.clone(), agency, stop.clone()));
        }
    }
}

/// What a CAD's code table says of a report.
#[derive(Debug)]
pub(crate) struct Coded<'a> {
    /// The nature as the CAD said it.
    said: String,
    code: &'a Code,
}

impl Coded<'_> {
    /// Adds it to what triage says: the agency's own category stands over the rules'.
    pub(crate) fn speak(&self, triage: &mut Triage) {
        if let Some(category) = &self.code.category {
            triage.category.clone_from(category);
        }
        let priority = self.code.priority.map(|priority| format!(" → {priority}"));
        triage.reasons.push(format!(
            "code {} is {}{} (code table)",
            self.said,
            self.code.nature,
            priority.unwrap_or_default()
        ));
    }
}

#[cfg(test)]
mod tests;
