//! The units that have the packet: who is on them, what they do, whether a device is there.

use std::collections::HashMap;

use ::packet::{Entry, UnitStatus};

use super::{Beside, Logged, Read, SignedOn};
use crate::center::Center;
use crate::console::view::{UnitView, UnitsView};
use crate::console::words::{self, Times};

pub(super) fn view(
    documents: &[Read],
    beside: &Beside,
    center: &Center,
    times: &Times,
) -> UnitsView {
    let mut statuses: HashMap<&str, (&Logged, &UnitStatus)> = HashMap::new();
    for logged in documents.iter().flat_map(|read| &read.entries) {
        if let Entry::UnitStatus(status) = &logged.inspected.written.entry {
            statuses.insert(&status.unit, (logged, status));
        }
    }
    let units = beside.units.iter().map(|unit| {
        let (status, status_from) = match statuses.get(unit.as_str()) {
            Some((logged, status)) => (
                words::unit_state(status.status).to_owned(),
                format!(
                    "{}, {}",
                    status.by,
                    times.second(logged.received_ms, beside.now_ms)
                ),
            ),
            None => ("on this call".into(), String::new()),
        };
        let on_it: Vec<&SignedOn> = beside
            .signed_on
            .iter()
            .filter(|on| on.unit == *unit)
            .collect();
        let (devices, is_online) = devices(&on_it, center, unit);
        let mut officers: Vec<String> = on_it.iter().map(|on| on.officer.clone()).collect();
        officers.sort();
        officers.dedup();
        UnitView {
            unit: unit.clone(),
            agency: agency_of(center, unit),
            officers,
            status,
            status_from,
            devices,
            is_online,
        }
    });
    UnitsView {
        units: units.collect(),
    }
}

fn devices(on_it: &[&SignedOn], center: &Center, unit: &str) -> (String, bool) {
    let online = center.hub.devices_of(unit);
    let names: Vec<&str> = on_it
        .iter()
        .filter(|on| online.contains(&on.device))
        .map(|on| on.label.as_str())
        .collect();
    if !names.is_empty() {
        (format!("{} online", names.join(", ")), true)
    } else if on_it.is_empty() {
        ("no device".into(), false)
    } else {
        ("no device online".into(), false)
    }
}

fn agency_of(center: &Center, unit: &str) -> String {
    let agencies = &center.config.agencies;
    let agency = agencies
        .iter()
        .find(|agency| agency.units.iter().any(|own| own == unit));
    agency.map_or_else(|| "no known agency".into(), |agency| agency.name.clone())
}
