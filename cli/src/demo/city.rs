//! The demo's folder, its center's configuration and its calls.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use server::beats::BeatConfig;
use server::config::{AgencyConfig, Config, OfficerConfig};
use server::enrich::own::cameras::Camera;
use server::enrich::own::clips::VideoConfig;
use server::enrich::{Asks, Gives, SourceConfig};
use server::intake::{CallReport, CallStatus};
use server::people::config::SignInConfig;
use server::policy::Certifications;
use sim::{Agency, Faults, Sources};

use super::cannot;
use crate::pacer::spread;
use crate::speed::Speed;

/// One seed, so that the plates in the calls are those in the databases.
pub(super) const SEED: u64 = 1;
/// How long units keep a closed call's packet, in the evening's time.
const KEEP_CLOSED_S: f64 = 600.0;
/// The file that marks a demo's folder, and keeps its ports.
const MARK: &str = "demo.json";

#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
struct Ports {
    console: u16,
    sync: u16,
}

/// A demo's folder: found again at the next run, on the same ports.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    ports: Ports,
}

impl Folder {
    pub(super) fn open(root: &Path, fresh: bool, port: u16) -> Result<Self, String> {
        let failed = |e: std::io::Error| cannot("the folder", root, &e);
        let mark = root.join(MARK);
        if fresh && root.exists() {
            let empty = root.read_dir().map_err(failed)?.next().is_none();
            if !empty && !mark.exists() {
                return Err(format!(
                    "--fresh deletes the folder {}, which is not a demo's: it has no {MARK}",
                    root.display()
                ));
            }
            std::fs::remove_dir_all(root).map_err(failed)?;
        }
        std::fs::create_dir_all(root).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        let kept: Option<Ports> = std::fs::read(&mark)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        // Devices know the center by its sync port: once given, it stays.
        let ports = match kept {
            Some(kept) => Ports {
                console: if port == 0 { kept.console } else { port },
                sync: kept.sync,
            },
            None => Ports {
                console: port,
                sync: if port == 0 { 0 } else { port.saturating_add(1) },
            },
        };
        let folder = Self { root, ports };
        folder.write(ports)?;
        Ok(folder)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn token_file(&self) -> PathBuf {
        self.root.join("center/keys/api-token")
    }

    /// The port of the MDT page with this number, from 0.
    pub(super) fn mdt_port(&self, number: u16) -> u16 {
        if self.ports.console == 0 {
            0
        } else {
            self.ports.console.saturating_add(2 + number)
        }
    }

    pub(super) fn keep_ports(&self, console: u16, sync: u16) -> Result<(), String> {
        self.write(Ports { console, sync })
    }

    fn write(&self, ports: Ports) -> Result<(), String> {
        let text = serde_json::to_vec(&ports).map_err(|e| e.to_string())?;
        std::fs::write(self.root.join(MARK), text).map_err(|e| cannot("the folder", &self.root, &e))
    }
}

/// The sources' delays go with the speed; at `max` they answer at once.
pub(super) fn faults(speed: Speed) -> Faults {
    match speed {
        Speed::Times(_) => Faults::default(),
        Speed::Max => Faults {
            delay_scale: 0.0,
            failure_share: 0.0,
        },
    }
}

pub(super) fn config(folder: &Folder, sources: &Sources, speed: Speed) -> Config {
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let agencies = sim::agencies().into_iter().map(|agency| AgencyConfig {
        id: agency.id.into(),
        name: agency.name.into(),
        units: agency.units.iter().map(|unit| unit.id.to_owned()).collect(),
        officers: agency
            .units
            .iter()
            .flat_map(|unit| &unit.officers)
            .map(|officer| OfficerConfig {
                badge: officer.badge.into(),
                name: officer.name.into(),
                certifications: Certifications::default(),
            })
            .collect(),
    });
    let source = |name: &str, asks, gives, address: SocketAddr, path: &str| {
        SourceConfig::over_http(name, asks, gives, format!("http://{address}{path}"))
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let keep_closed_s = speed.real(KEEP_CLOSED_S).as_secs_f64().round() as u32;
    Config {
        sync: loopback(folder.ports.sync),
        console: loopback(folder.ports.console),
        keep_closed_s: Some(keep_closed_s),
        sign_in: SignInConfig {
            demo: true,
            ..SignInConfig::default()
        },
        beats: beats(),
        sources: vec![
            source(
                "Records",
                Asks::Address,
                Gives::Records,
                sources.records,
                "/records?address={address}",
            ),
            source(
                "Vehicle registration",
                Asks::Plate,
                Gives::Registration,
                sources.vehicles,
                "/vehicles?plate={plate}&state={state}",
            ),
            source(
                "Persons",
                Asks::Person,
                Gives::Persons,
                sources.persons,
                "/persons?last={last}&first={first}&born={born}",
            ),
            source(
                "Phone subscribers",
                Asks::Phone,
                Gives::Subscriber,
                sources.phones,
                "/phones?number={phone}",
            ),
            source(
                "Registered cameras",
                Asks::Position,
                Gives::Cameras,
                sources.cameras,
                "/cameras?lat={latitude}&lon={longitude}",
            ),
        ],
        cameras: sim::corner_cameras(SEED)
            .into_iter()
            .map(|camera| Camera {
                name: camera.name,
                latitude: camera.latitude,
                longitude: camera.longitude,
                direction_deg: camera.direction_deg,
                view_deg: camera.view_deg,
                range_m: camera.range_m,
                stream: camera.stream,
            })
            .collect(),
        video: Some(VideoConfig {
            name: "City video (made up)".into(),
            url: format!("http://{}/clips", sources.video),
            timeout_ms: 5_000,
        }),
        ..Config::on_loopback(
            "Cedarport RTCC (demo)",
            folder.root.join("center"),
            agencies.collect(),
        )
    }
}

/// A beat for each district of the city, one for the county's units and one for the campus.
fn beats() -> Vec<BeatConfig> {
    let [city, county, university] = sim::agencies();
    let beat = |id: &str, name: &str, agency: &Agency, districts: &[&str], units: Vec<String>| {
        BeatConfig {
            id: id.into(),
            name: name.into(),
            agency: agency.id.into(),
            districts: districts.iter().map(ToString::to_string).collect(),
            area: Vec::new(),
            units,
        }
    };
    let all = |agency: &Agency| agency.units.iter().map(|unit| unit.id.to_owned()).collect();
    let mut beats: Vec<_> = ["1", "2", "3", "4", "5"]
        .into_iter()
        .map(|district| {
            // The city's units begin with their district.
            let own = city
                .units
                .iter()
                .filter(|unit| unit.id.starts_with(district));
            let units = own.map(|unit| unit.id.to_owned()).collect();
            let name = format!("District {district}");
            beat(&format!("D{district}"), &name, &city, &[district], units)
        })
        .collect();
    let districts = ["1", "2", "3", "4", "5"];
    beats.push(beat(
        "RC",
        "River County",
        &county,
        &districts,
        all(&county),
    ));
    beats.push(beat("SU", "Campus", &university, &["1"], all(&university)));
    beats
}

/// The made-up evening as reports.
pub(super) fn evening(zone: TimeZone) -> Result<Vec<CallReport>, String> {
    sim::evening(SEED)
        .into_iter()
        .map(|call| {
            let local: DateTime = call
                .time
                .replace(' ', "T")
                .parse()
                .map_err(|e: jiff::Error| e.to_string())?;
            let received = local
                .to_zoned(zone.clone())
                .map_err(|e| e.to_string())?
                .timestamp();
            Ok(CallReport {
                agency: String::new(),
                number: call.id,
                received,
                updated: received,
                nature: call.nature,
                location: call.location,
                latitude: Some(call.latitude),
                longitude: Some(call.longitude),
                district: Some(call.district),
                priority: None,
                narrative: Some(call.narrative)
                    .filter(|text| !text.is_empty())
                    .into_iter()
                    .collect(),
                plates: Vec::new(),
                units: Vec::new(),
                status: CallStatus::Closed {
                    disposition: call.status,
                },
            })
        })
        .collect()
}

/// Most calls are the city's, some the sheriff's, a few the university's; a place
/// always the same one's. **Modelled**: such files do not say whose a call is.
pub(super) fn agency_of(location: &str) -> String {
    let agencies = sim::agencies();
    let which = match spread(location) % 10 {
        0..=6 => 0,
        7..=8 => 1,
        _ => 2,
    };
    agencies[which].id.to_owned()
}
