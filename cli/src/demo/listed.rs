//! What is known before there is a call, **made up** like everything in the city: a few
//! hot-list entries of plates that callers will name, premise cautions of places that are
//! called about again, and plate reads. Each says that it is made up.

use std::collections::HashMap;

use jiff::{Timestamp, ToSpan};
use server::hot_list::entry::EntryRequest;
use server::hot_list::{self, HotKind, Which};
use server::log::LogError;
use server::plate_reads::{self, PlateRead};
use server::premises::{self, Premise};
use sim::ReplayCall;
use tokio_util::sync::CancellationToken;

use super::{Shared, city, simulated};
use crate::speed::Speed;

/// Listed plates, of those that callers name, and places with a caution.
const ENTRIES: usize = 6;
const PREMISES: usize = 12;
/// Between two plate reads, in the evening's time.
const READ_EVERY_S: f64 = 240.0;
/// Every so many reads one is of a plate that is listed.
const LISTED_EVERY: usize = 4;
const CAUTIONS: [&str; 4] = [
    "Large dog loose in the yard",
    "Resident is deaf: knock hard and show light",
    "Prior armed subject at this address",
    "Rear stairs are unsafe: use the front",
];

/// A plate that a caller names, and where.
#[derive(Debug, Clone)]
struct Named {
    plate: String,
    call: ReplayCall,
}

pub(super) async fn run(center: Shared, speed: Speed, stop: CancellationToken) {
    let evening = sim::evening(city::SEED);
    let named: Vec<Named> = evening.iter().filter_map(plate_in).collect();
    if let Err(e) = list(&center, &evening, &named).await {
        println!("\rWhat is listed before the first call could not be put in: {e}");
    }
    let mut turn = 0_usize;
    while !named.is_empty() {
        tokio::select! {
            () = tokio::time::sleep(speed.real(READ_EVERY_S).max(MIN_REST)) => {}
            () = stop.cancelled() => return,
        }
        turn += 1;
        let from = if turn.is_multiple_of(LISTED_EVERY) {
            &named[..named.len().min(ENTRIES)]
        } else {
            &named[..]
        };
        let Some(read) = fastrand::choice(from).map(|named| read(named, turn)) else {
            return;
        };
        if let Err(e) = plate_reads::take_for(&center, vec![read], SIMULATED).await {
            println!("\rA simulated plate read was not taken: {e}");
        }
    }
}

/// At `max` the reads would else come without a rest.
const MIN_REST: std::time::Duration = std::time::Duration::from_secs(2);
/// As the audit log names who tells of these.
const SIMULATED: &str = "simulated";

fn plate_in(call: &ReplayCall) -> Option<Named> {
    let mut words = call
        .narrative
        .split([' ', ',', '.'])
        .skip_while(|word| *word != "PLATE");
    let plate = words.nth(1)?.to_owned();
    let is_plate = plate.len() >= 5 && plate.contains(|c: char| c.is_ascii_digit());
    is_plate.then(|| Named {
        plate,
        call: call.clone(),
    })
}

/// Once: at the next start of the same demo it is there.
async fn list(center: &Shared, evening: &[ReplayCall], named: &[Named]) -> Result<(), LogError> {
    let listed = center.log.readers().read(|connection| {
        let entries = hot_list::page(connection, Which::All, None, 0)?.0;
        Ok(entries + premises::page(connection, None, None, 0)?.0)
    });
    if listed.await? > 0 {
        return Ok(());
    }
    let now = Timestamp::now();
    let ends = now.checked_add((7 * 24).hours()).unwrap_or(now);
    let now_ms = now.as_millisecond();
    for (number, named) in named.iter().take(ENTRIES).enumerate() {
        let kind = [HotKind::Stolen, HotKind::Wanted, HotKind::Bolo][number % 3];
        let request = EntryRequest {
            kind,
            list: Some(format!("Made-up {} list", kind.word().to_lowercase())),
            agency: Some("Cedarport".into()),
            author: Some(simulated("The list's desk")),
            number: Some(format!("MADE-UP-{number}")),
            ends,
            danger: number == 1,
            text: if number == 1 {
                "Driver may be armed (made up)".into()
            } else {
                "Stop and identify (made up)".into()
            },
            plate: Some(named.plate.clone()),
            state: Some("WI".into()),
            name: None,
            date_of_birth: None,
            phone: None,
            vehicle: None,
            beats: Vec::new(),
        };
        let entry = request.checked(now_ms)?;
        hot_list::add_for(center, entry, SIMULATED).await?;
    }
    for (number, call) in again(evening).into_iter().take(PREMISES).enumerate() {
        let premise = Premise {
            location: call.location.clone(),
            latitude: Some(call.latitude),
            longitude: Some(call.longitude),
            district: Some(call.district.clone()),
            text: format!("{} (made up)", CAUTIONS[number % CAUTIONS.len()]),
            set_by: simulated("Unit 5A11"),
            ends,
        };
        premises::add_for(center, premise.checked(now_ms)?, SIMULATED).await?;
    }
    Ok(())
}

/// A call of each place that is called about more than once, the earliest first.
fn again(evening: &[ReplayCall]) -> Vec<&ReplayCall> {
    let mut calls: HashMap<&str, usize> = HashMap::new();
    let mut again = Vec::new();
    for call in evening {
        let count = calls.entry(&call.location).or_insert(0);
        *count += 1;
        if *count == 2 {
            again.push(call);
        }
    }
    again
}

fn read(named: &Named, turn: usize) -> PlateRead {
    let call = &named.call;
    PlateRead {
        plate: named.plate.clone(),
        state: Some("WI".into()),
        camera: format!("CAM {} (made up)", turn % 40),
        place: Some(format!(
            "Near {} (made up)",
            call.location.split(',').next().unwrap_or("")
        )),
        latitude: Some(call.latitude),
        longitude: Some(call.longitude),
        district: Some(call.district.clone()),
        read: Timestamp::now(),
        confidence: Some(0.9),
    }
}
