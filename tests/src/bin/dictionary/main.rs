//! Trains the zstd dictionary that changes are packed with, and says what it is worth.
//!
//! It learns from the changes of some evenings in the made-up city, worded as the
//! center and the officers' devices word them, and is measured on evenings that it
//! has not seen. What it learns is above all what every change has: Automerge's
//! columns, field names, sources, units, phrases of dispatch. A change also holds what
//! nothing can make smaller: the hashes that it stands on, its checksum, its actor.
//!
//! What a device offers goes as it is, by the first dictionary; what the center sends goes
//! as briefs, by the second. A dictionary that was shipped never changes: this writes the
//! second only.
//!
//! The same bytes at every run: `cargo xtask dictionary`.

mod lexicon;

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;

use fastrand::Rng;
use packet::change::{Draft, compose};
use packet::document::Lineage;
use packet::entry::{
    Acknowledgement, CallState, Caution, Confidence, Correction, Entry, Facts, Finding, Note,
    Outcome, OutcomeState, Query, QueryWhat, Topic, UnitState, UnitStatus, Written,
};
use packet::{Actor, Author, ChangeHash, DeviceNumber, EntryId, inspect};
use serde_json::Value;
use sim::{Faults, ReplayCall, Sources, agencies, evening};
use sync::brief::{Place, abridge};

const TRAINED_SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
const HELD_OUT_SEED: u64 = 99;
/// Twice as large as the first one: on briefs it gains a tenth, what remains being words.
const DICTIONARY_BYTES: usize = 32 * 1024;
/// As sync's codec has it.
const LEVEL: i32 = 9;
const EVENING_MS: i64 = 1_526_680_800_000;
const MAGIC_BYTES: usize = 4;

const NOTES: [&str; 16] = [
    "Silver sedan seen leaving north, partial plate",
    "Caller states subject left on foot through the alley",
    "Spoke with complainant, parties separated, no injuries",
    "Camera shows two subjects at the rear door",
    "Suspect described as male, 30s, grey hoodie, dark jeans",
    "Knocked, no answer, no lights inside",
    "Witness has video, will hold for detective",
    "Plate comes back to a different vehicle",
    "Vehicle parked, unoccupied, engine warm",
    "Fire and med requested, scene is secure",
    "Neighbor says he came home about an hour ago",
    "Reviewed camera, white van, no plate visible",
    "Subject in custody without incident",
    "Unable to reach caller on call back",
    "Report taken, advised of case number",
    "Second caller gives the same description, now eastbound",
];
/// Never learnt from: how people word things that nobody has foreseen.
const UNFORESEEN: [&str; 6] = [
    "grandmother is upstairs and will not open unless her son Tobias is called first",
    "tow operator wants 40 minutes, leave the pickup where it is for now",
    "juvenile found hiding behind the laundromat dumpster, mother on her way",
    "power is out on the whole block, bring flashlights",
    "gate code is on the sticker under the mailbox",
    "he keeps a crossbow in the garage, wife says it is not loaded",
];
const CAUTIONS: [&str; 6] = [
    "Subject is armed with a handgun",
    "Two large dogs loose in the yard",
    "Subject fought with officers before",
    "Shots fired, stay out until the scene is secure",
    "Subject is suicidal, has a knife",
    "Officer safety: cameras cover the approach",
];

/// What a note says.
type Words = fn(&mut Rng) -> String;

fn foreseen(rng: &mut Rng) -> String {
    if rng.bool() {
        lexicon::note(rng)
    } else {
        NOTES[rng.usize(..NOTES.len())].into()
    }
}

fn unforeseen_words(rng: &mut Rng) -> String {
    UNFORESEEN[rng.usize(..UNFORESEEN.len())].into()
}

/// A change's brief, and what it is for the table.
struct Sample {
    what: &'static str,
    bytes: Vec<u8>,
    /// How large the change is.
    whole: usize,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../sync/dictionary/2.zdict"
            ))
        },
        PathBuf::from,
    );
    // The client wants to know whose TLS it would use, though it uses none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut learnt = Vec::new();
    for seed in TRAINED_SEEDS {
        let samples = samples(seed, foreseen).await?;
        learnt.extend(samples.into_iter().map(|sample| sample.bytes));
    }
    let mut held_out = samples(HELD_OUT_SEED, foreseen).await?;
    let unforeseen = samples(HELD_OUT_SEED + 1, unforeseen_words).await?;
    held_out.extend(
        unforeseen
            .into_iter()
            .filter(|sample| sample.what == "note")
            .map(|sample| Sample {
                what: "note, unforeseen words",
                ..sample
            }),
    );
    println!("learns from {} changes", learnt.len());
    for kilobytes in [2, 4, 8, 16, 32] {
        let dictionary = zstd::dict::from_samples(&learnt, kilobytes * 1024)?;
        println!(
            "{kilobytes:>2} KB: {:.1} B a change",
            mean(&held_out, &dictionary, LEVEL)?
        );
    }
    let dictionary = zstd::dict::from_samples(&learnt, DICTIONARY_BYTES)?;
    for level in [1, 3, 6, 9, 12, 19] {
        println!(
            "level {level:>2}: {:.1} B a change",
            mean(&held_out, &dictionary, level)?
        );
    }
    table(&held_out, &dictionary)?;
    std::fs::write(&file, &dictionary)?;
    println!("{} bytes in {}", dictionary.len(), file.display());
    Ok(())
}

/// Without zstd's magic number, which no body carries.
fn packed_bytes(bytes: &[u8], dictionary: &[u8], level: i32) -> std::io::Result<usize> {
    let mut pack = zstd::bulk::Compressor::with_dictionary(level, dictionary)?;
    pack.include_dictid(false)?;
    pack.include_checksum(false)?;
    Ok(pack.compress(bytes)?.len() - MAGIC_BYTES)
}

fn mean(samples: &[Sample], dictionary: &[u8], level: i32) -> std::io::Result<f64> {
    let mut sum = 0;
    for sample in samples {
        sum += packed_bytes(&sample.bytes, dictionary, level)?.min(sample.bytes.len());
    }
    Ok(sum as f64 / samples.len() as f64)
}

fn table(samples: &[Sample], dictionary: &[u8]) -> std::io::Result<()> {
    let mut kinds: Vec<_> = samples.iter().map(|sample| sample.what).collect();
    kinds.sort_unstable();
    kinds.dedup();
    println!(
        "{:24} {:>7} {:>7} {:>7} {:>7}",
        "mean bytes", "changes", "whole", "brief", "here"
    );
    for what in kinds {
        let (mut changes, mut raw, mut plain, mut here) = (0.0, 0, 0, 0);
        for sample in samples.iter().filter(|sample| sample.what == what) {
            changes += 1.0;
            raw += sample.whole;
            plain += sample.bytes.len();
            here += packed_bytes(&sample.bytes, dictionary, LEVEL)?;
        }
        let mean = |sum: usize| sum as f64 / changes;
        println!(
            "{what:24} {changes:>7} {:>7.1} {:>7.1} {:>7.1}",
            mean(raw),
            mean(plain),
            mean(here)
        );
    }
    Ok(())
}

/// Everything that is written of one evening's calls.
async fn samples(seed: u64, words: Words) -> Result<Vec<Sample>, Box<dyn Error>> {
    let sources = sim::start(seed, Faults::NONE).await?;
    let client = reqwest::Client::new();
    let mut rng = Rng::with_seed(seed);
    let mut samples = Vec::new();
    for (count, call) in (0..).zip(evening(seed)) {
        let mut packet = Packet::new(&mut rng, EVENING_MS + count * 64_000);
        packet.opened(&call)?;
        packet.enriched(&call, &client, &sources).await?;
        packet.handled(words, &call)?;
        samples.append(&mut packet.samples);
    }
    sources.shutdown().await;
    Ok(samples)
}

/// One call's two documents, as they grow.
struct Packet<'a> {
    rng: &'a mut Rng,
    now_ms: i64,
    center: Actor,
    officer: Actor,
    unit: &'static str,
    by: String,
    call: Lineage,
    safety: Lineage,
    /// The log's last `seq`, and where each change stands in it.
    seq: u64,
    places: HashMap<ChangeHash, (u64, EntryId)>,
    samples: Vec<Sample>,
}

impl<'a> Packet<'a> {
    fn new(rng: &'a mut Rng, now_ms: i64) -> Self {
        let agencies = agencies();
        let agency = &agencies[rng.usize(..agencies.len())];
        let unit = &agency.units[rng.usize(..agency.units.len())];
        let officer = &unit.officers[rng.usize(..unit.officers.len())];
        let device = Author::Device(DeviceNumber(rng.u32(1..400)));
        let center = Author::Center(1 << 31 | rng.u32(..1 << 31));
        Self {
            center: Actor::new(center, rng.u32(..).to_be_bytes()),
            officer: Actor::new(device, rng.u32(..).to_be_bytes()),
            unit: unit.id,
            by: format!("{} ({})", officer.name, unit.id),
            now_ms,
            call: Lineage::default(),
            safety: Lineage::default(),
            seq: rng.u64(1..2_000_000),
            places: HashMap::new(),
            samples: Vec::new(),
            rng,
        }
    }

    fn write(
        &mut self,
        what: &'static str,
        is_safety: bool,
        actor: Actor,
        entry: Entry,
    ) -> Result<EntryId, Box<dyn Error>> {
        self.now_ms += self.rng.i64(50..20_000);
        let is_officers = actor == self.officer;
        let written = Written {
            entry,
            clock_off_ms: is_officers.then(|| self.rng.i64(-900..900)),
            instead: None,
        };
        let lineage = if is_safety {
            &mut self.safety
        } else {
            &mut self.call
        };
        let basis = lineage.basis(actor);
        let composed = compose(&Draft {
            actor,
            number: basis.number,
            deps: basis.deps,
            start_op: basis.start_op,
            time_ms: self.now_ms,
            written: &written,
        })?;
        lineage.add(composed.hash, composed.id, composed.max_op);
        self.seq += self.rng.u64(1..60);
        self.places.insert(composed.hash, (self.seq, composed.id));
        let change = inspect(&composed.bytes).map_err(|refusal| refusal.to_string())?;
        let standing: Vec<_> = change.deps.iter().map(|dep| self.places[dep]).collect();
        let under_way_ms = if is_officers { 40..900 } else { 0..3 };
        let place = Place {
            seq: self.seq,
            received_ms: self.now_ms + self.rng.i64(under_way_ms),
        };
        self.samples.push(Sample {
            what,
            bytes: abridge(&change, place, &standing).ok_or("a change without a brief")?,
            whole: composed.bytes.len(),
        });
        Ok(composed.id)
    }

    fn opened(&mut self, call: &ReplayCall) -> Result<(), Box<dyn Error>> {
        let (priority, category, rule) = [
            (1, "weapons", "shots-fired"),
            (2, "violence", "fight"),
            (2, "domestic", "domestic"),
            (3, "disorder", "trouble"),
            (3, "suspicious", "suspicious"),
            (3, "crime", "theft"),
            (4, "traffic", "traffic-stop"),
            (4, "welfare", "welfare"),
            (5, "routine", "routine"),
        ][self.rng.usize(..9)];
        let facts = Entry::Facts(Facts {
            agency: "cedar-pd".into(),
            number: call.id.clone(),
            nature: call.nature.clone(),
            category: category.into(),
            priority,
            reason: format!("nature {} → {priority} (rule {rule})", call.nature),
            location: call.location.clone(),
            latitude_e6: Some((call.latitude * 1e6).round() as i32),
            longitude_e6: Some((call.longitude * 1e6).round() as i32),
            district: Some(call.district.clone()),
            narrative: Some(call.narrative.clone()).filter(|text| !text.is_empty()),
            received_ms: self.now_ms,
            state: CallState::Open,
            disposition: None,
        });
        self.write("facts", false, self.center, facts)?;
        if !call.narrative.is_empty() && self.rng.u8(..6) == 0 {
            let caution = caution(&call.narrative, "Triage");
            self.write("caution", true, self.center, caution)?;
        }
        self.status(UnitState::Assigned, self.center, "Dispatch".into())
    }

    fn status(
        &mut self,
        status: UnitState,
        actor: Actor,
        by: String,
    ) -> Result<(), Box<dyn Error>> {
        let unit = self.unit.into();
        let status = Entry::UnitStatus(UnitStatus { unit, status, by });
        self.write("status", false, actor, status).map(drop)
    }

    async fn enriched(
        &mut self,
        call: &ReplayCall,
        client: &reqwest::Client,
        sources: &Sources,
    ) -> Result<(), Box<dyn Error>> {
        let address = &call.location;
        let place = format!("{:.5}, {:.5}", call.latitude, call.longitude);
        let plate = call.narrative.split("PLATE ").nth(1).unwrap_or_default();
        let plate: String = plate
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        let (latitude, longitude) = (call.latitude.to_string(), call.longitude.to_string());
        let records = url(sources.records, "records", &[("address", address)])?;
        let vehicles = url(sources.vehicles, "vehicles", &[("plate", &plate)])?;
        let cameras = url(
            sources.cameras,
            "cameras",
            &[("lat", &latitude), ("lon", &longitude)],
        )?;
        let mut asks = vec![("Records", address, records), ("Cameras", &place, cameras)];
        if !plate.is_empty() {
            asks.push(("Vehicles", &plate, vehicles));
        }
        for (source, query, url) in asks {
            self.outcome(source, query, OutcomeState::Asked)?;
            let answer = client.get(url).send().await?;
            if answer.status().is_success() {
                let answer: Value = answer.json().await?;
                self.answered(source, query, &answer)?;
                self.outcome(source, query, OutcomeState::Answered)?;
            } else {
                self.outcome(source, query, OutcomeState::NothingFound)?;
            }
        }
        Ok(())
    }

    fn outcome(
        &mut self,
        source: &str,
        query: &str,
        state: OutcomeState,
    ) -> Result<(), Box<dyn Error>> {
        let is_over = state != OutcomeState::Asked;
        let outcome = Entry::Outcome(Outcome {
            source: source.into(),
            query: query.into(),
            state,
            took_ms: is_over.then(|| self.rng.u32(20..400)),
            detail: None,
            as_of_ms: None,
            answers: None,
        });
        self.write("outcome", false, self.center, outcome).map(drop)
    }

    /// Worded as the center's enrichment words them.
    fn answered(
        &mut self,
        source: &str,
        query: &str,
        answer: &Value,
    ) -> Result<(), Box<dyn Error>> {
        for premise in list(answer, "cautions") {
            let by = format!(
                "{source}: {}, {}",
                text(premise, "set_by"),
                text(premise, "date")
            );
            let caution = caution(&text(premise, "text"), &by);
            self.write("caution", true, self.center, caution)?;
        }
        let incidents: Vec<_> = list(answer, "incidents")
            .map(|i| fields(i, &["date", "number", "nature", "outcome"]))
            .collect();
        let cameras: Vec<_> = list(answer, "cameras")
            .map(|c| {
                let (name, stream) = (text(c, "name"), text(c, "stream"));
                let (metres, facing) = (text(c, "distance_m"), text(c, "direction"));
                format!("{name} – {metres} m, facing {facing} – {stream}")
            })
            .collect();
        let (title, lines, confidence) = match source {
            "Records" => (
                format!("{} prior incidents", incidents.len()),
                incidents,
                Confidence::Exact,
            ),
            "Cameras" => (
                format!("{} cameras near by", cameras.len()),
                cameras,
                Confidence::Nearby,
            ),
            _ => (
                format!("Plate {}", fields(answer, &["plate", "state"])),
                vec![
                    fields(answer, &["year", "color", "make", "model"]),
                    format!("Registered owner: {}", text(answer, "registered_owner")),
                    format!("Registration: {}", text(answer, "status")),
                ],
                Confidence::Exact,
            ),
        };
        let recorded_ms =
            (source != "Cameras").then(|| EVENING_MS - 86_400_000 * self.rng.i64(1..1_500));
        let finding = Entry::Finding(Finding {
            source: source.into(),
            title,
            text: lines.join("\n"),
            query: query.into(),
            recorded_ms,
            answered_ms: self.now_ms,
            confidence,
            topic: Topic::Record,
            link: None,
            ends_ms: None,
            answers: None,
        });
        self.write("finding", false, self.center, finding).map(drop)
    }

    /// What officers and analysts do with it.
    fn handled(&mut self, words: Words, call: &ReplayCall) -> Result<(), Box<dyn Error>> {
        let (officer, center, by) = (self.officer, self.center, self.by.clone());
        self.status(UnitState::EnRoute, officer, by.clone())?;
        let cautioned = CAUTIONS[self.rng.usize(..CAUTIONS.len())];
        if self.rng.bool() {
            let id = self.write("caution", true, center, caution(cautioned, "Analyst"))?;
            let acknowledgement = Entry::Acknowledgement(Acknowledgement {
                of: id,
                by: by.clone(),
                unit: self.unit.into(),
            });
            self.write("acknowledgement", true, officer, acknowledgement)?;
        }
        self.status(UnitState::OnScene, officer, by.clone())?;
        for _ in 0..3 {
            let words = words(self.rng);
            // People say something of their own beside.
            let own = call
                .narrative
                .split(' ')
                .nth(self.rng.usize(..6))
                .unwrap_or_default();
            let note = |by: &str| Note {
                text: format!("{words} {}", own.to_lowercase()),
                by: by.into(),
            };
            if self.rng.bool() {
                self.write("note", false, officer, Entry::Note(note(&by)))?;
            } else {
                self.write("note", false, center, Entry::Note(note("Analyst")))?;
            }
        }
        if self.rng.u8(..4) == 0 {
            let query = Entry::Query(Query {
                what: QueryWhat::Plate,
                value: format!("{:03}{}", self.rng.u32(..1_000), "XKT"),
                by: by.clone(),
                purpose: None,
                reason: None,
            });
            let of = self.write("query", false, officer, query)?;
            let text = Some("Wrong plate, see next".into());
            let correction = Entry::Correction(Correction {
                of,
                text,
                by: by.clone(),
            });
            self.write("correction", false, officer, correction)?;
        }
        self.status(UnitState::Clear, officer, by)
    }
}

fn caution(text: &str, by: &str) -> Entry {
    Entry::Caution(Caution {
        text: text.into(),
        by: by.into(),
        ends_ms: None,
    })
}

fn url(
    at: std::net::SocketAddr,
    path: &str,
    query: &[(&str, &str)],
) -> Result<reqwest::Url, Box<dyn Error>> {
    Ok(reqwest::Url::parse_with_params(
        &format!("http://{at}/{path}"),
        query,
    )?)
}

fn list<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answer
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn fields(value: &Value, names: &[&str]) -> String {
    let fields: Vec<_> = names.iter().map(|name| text(value, name)).collect();
    fields.join(" ")
}
