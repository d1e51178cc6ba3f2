//! What the call taker typed.
//!
//! Narratives are what triage reads and what plates are found in, so they have
//! what makes that hard: abbreviations, weapons that are there, weapons that are
//! said *not* to be there, plates of other states, a calm nature whose text is
//! not calm at all. A plate is always written after the word `PLATE`: one that
//! stands alone or after `WI` is registered in the vehicles source, one after
//! `IL` is not on file there.

use fastrand::Rng;

use crate::chance::{happens, pick_word};
use crate::city::landmark;
use crate::natures::Story;
use crate::people::{People, STATE, Vehicle};

/// Calls whose text turns out worse than their nature says.
const SURPRISE_SHARE: f64 = 0.04;
const PHONE_SHARE: f64 = 0.2;
const LOWERCASE_SHARE: f64 = 0.25;

const SURPRISES: [&str; 5] = [
    "UPDATE SUBJ ARMED W/ {weapon}",
    "CALLER NOW SAYS SUBJ HAS A {weapon}",
    "CALLER SCREAMING, LINE OPEN, POSS {weapon} INVOLVED",
    "2ND CALLER SAYS SHOTS HEARD",
    "CALLER HEARD SUBJ THREATEN TO KILL OFFICERS",
];
const WEAPONS: [&str; 7] = [
    "KNIFE",
    "HANDGUN",
    "BASEBALL BAT",
    "RIFLE",
    "MACHETE",
    "TASER",
    "HAMMER",
];
const CLOTHES: [&str; 8] = [
    "GRY HOODIE",
    "BLK JACKET",
    "RED T-SHIRT",
    "WHI TANK TOP",
    "BLU JEANS NO SHIRT",
    "GRN ARMY COAT",
    "ORANGE BEANIE",
    "BRN CARHARTT",
];

const fn stories(story: Story) -> &'static [&'static str] {
    match story {
        Story::Stop => &[
            "STOPPED {veh}, {plate}, SPEED 48 IN 30",
            "{veh} {plate} NO HEADLIGHTS, 2 OCCUPANTS",
            "{veh} {plate} RAN STOP SIGN",
            "{veh} TINTED WINDOWS, {away}",
            "ON VIEW, {subj}, MATCHES EARLIER DESCRIPTION",
            "STOPPED {veh} {plate}, REG CHECK REQ",
        ],
        Story::Trouble => &[
            "{subj} REFUSING TO LEAVE, NO WEAPONS SEEN",
            "NEIGHBOR DISPUTE OVER PARKING, {veh} {plate} BLOCKING DRIVE",
            "{subj} POUNDING ON DOOR, CALLER {name} DOES NOT KNOW HIM",
            "ROOMMATE ARGUMENT, VERBAL ONLY, UNK WEAPONS",
            "{subj} INTOX AND YELLING NEAR {mark}",
            "CALLER {name} WANTS TO SPEAK TO OFFICER ABOUT THREATS BY TEXT",
            "{subj} HAS WARRANT PER CALLER, INSIDE NOW",
        ],
        Story::Domestic => &[
            "BOYFRIEND HIT CALLER, STILL ON SCENE, NO WEAPONS",
            "EX AT DOOR, HAS RESTRAINING ORDER, LEFT IN {veh} {plate}",
            "VERBAL ARGUMENT, HEARD THINGS BREAKING, 2 CHILDREN INSIDE",
            "BROTHER PUSHED CALLER {name}, SUBJ INTOX",
            "HUSBAND THREW PHONE, CALLER LOCKED IN BATHROOM, SUBJ HAS ACCESS TO {weapon}",
            "{subj} VIOLATING ORDER, SITTING IN {veh} {plate}",
        ],
        Story::Violence => &[
            "{subj} PUNCHED CALLER, FLED TOWARD {mark}",
            "4-5 SUBJS FIGHTING NEAR {mark}, NO WEAPONS SEEN",
            "LARGE FIGHT, POSS {weapon}, CROWD GROWING",
            "VICTIM BLEEDING FROM HEAD, {subj} LEFT IN {veh} {plate}",
            "BOUNCER HOLDING {subj}",
        ],
        Story::Weapon => &[
            "SUBJ ARMED W/ {weapon}, {subj}",
            "{subj} WAVING A {weapon} NEAR {mark}",
            "{subj} SHOWED HANDGUN IN WAISTBAND, LEFT IN {veh} {plate}",
            "CALLER {name} SAYS SUBJ W/ {weapon} THREATENING PEOPLE",
            "2 SUBJS, ONE W/ HANDGUN, TOOK PHONE AND WALLET, FLED ON FOOT",
        ],
        Story::Shots => &[
            "CALLER HEARD 3 SHOTS, SAW {veh} {plate} LEAVE FAST",
            "CALLER HEARD 5-6 SHOTS NEAR {mark}, NOTHING SEEN",
            "HEARD 2 SHOTS, POSS FIREWORKS",
        ],
        Story::Sensor => &[
            "4 ROUNDS, SINGLE SHOOTER, REAR YARD",
            "11 ROUNDS, POSS 2 WEAPONS, STREET",
            "2 ROUNDS, POSS FIREWORKS",
        ],
        Story::Shooting => &[
            "MALE 20S SHOT IN LEG, CONSCIOUS, SHOOTER LEFT IN {veh} {plate}",
            "PERSON DOWN NEAR {mark}, SHOTS HEARD, {subj} RAN",
        ],
        Story::Break => &[
            "REAR DOOR KICKED IN, CALLER {name} OUTSIDE, UNK IF SUBJ STILL INSIDE",
            "WINDOW BROKEN, {subj} SEEN RUNNING TO {mark}",
            "BROKE IN OVER THE DAY, SIDE WINDOW OUT",
            "CALLER HEARS SOMEONE IN BASEMENT, HOME ALONE",
        ],
        Story::BreakAuto => &[
            "WINDOW SMASHED ON {veh} {plate}, PURSE TAKEN",
            "{veh} {plate} GONE THROUGH, {subj} SEEN AT DOOR HANDLES",
        ],
        Story::Theft => &[
            "{subj} TOOK LIQUOR, LEFT IN {veh} {plate}",
            "EMPLOYEE HOLDING {subj} IN OFFICE, COOPERATIVE",
            "PHONE TAKEN AT {mark}, NO SUSPECT",
            "{subj} FILLING BAGS, HAS A {weapon} PER CLERK",
            "BICYCLE TAKEN FROM RACK, CALLER {name} HAS SERIAL NUMBER",
        ],
        Story::StolenVehicle => &[
            "{stolen} TAKEN OVERNIGHT, KEYS WERE INSIDE",
            "OWNER SEES HIS {stolen} PARKED NEAR {mark}",
            "{stolen} TAKEN WHILE WARMING UP, SUBJ LAST SEEN GOING NORTH",
        ],
        Story::Crash => &[
            "2 VEH, {veh} {plate}, BLOCKING LANE",
            "HIT AND RUN, STRIKING VEH {veh} {plate}",
            "VEH VS POLE, DRIVER OUT WALKING, AIRBAGS",
            "REAR END, NECK PAIN, MED ON THE WAY",
            "{veh} {away} STRUCK PARKED CAR, DRIVER POSS INTOX",
        ],
        Story::Driving => &[
            "{veh} {plate} RACING, PASSING IN BIKE LANE",
            "{veh} {plate} ALL OVER THE ROAD, POSS INTOX",
            "TRAFFIC LIGHT OUT, NEAR MISSES",
            "MATTRESS IN ROAD NEAR {mark}",
            "{veh} {away} DRIVING WRONG WAY",
        ],
        Story::Suspicious => &[
            "{subj} TRYING CAR DOORS NEAR {mark}",
            "{veh} {plate} PARKED W/ MOTOR RUNNING FOR AN HOUR",
            "{subj} LOOKING IN WINDOWS, NO WEAPONS SEEN",
            "HAND TO HAND SALES FROM {veh} {plate}",
            "{veh} {away}, 3 OCCUPANTS, CIRCLING BLOCK",
        ],
        Story::Sick => &[
            "FEMALE 70S FELL, CONSCIOUS, DOOR LOCKED",
            "MALE 40S UNRESPONSIVE, POSS OVERDOSE, NARCAN GIVEN",
            "CHEST PAIN, MED REQ POLICE, PRIOR COMBATIVE",
            "{subj} DOWN ON SIDEWALK NEAR {mark}, BREATHING",
        ],
        Story::Welfare => &[
            "CALLER {name} HAS NOT HEARD FROM MOTHER IN 3 DAYS, {veh} {plate} IN DRIVE",
            "SUBJ TEXTED GOODBYE, HAS ACCESS TO {weapon}",
            "{subj} TALKING TO SELF NEAR {mark}, NO COAT",
            "ELDERLY NEIGHBOR, MAIL PILED UP",
            "CHILD ABOUT 5 ALONE IN YARD",
        ],
        Story::Noise => &[
            "LOUD MUSIC UPPER UNIT, ONGOING",
            "PARTY, 20 PLUS, IN REAR YARD",
            "{veh} {plate} LOUD STEREO",
            "DOG BARKING 2 HOURS",
            "FIREWORKS, NOT GUNSHOTS PER CALLER",
        ],
        Story::Juvenile => &[
            "6 JUVS THROWING ROCKS AT CARS NEAR {mark}",
            "JUV REFUSING TO LEAVE, NO WEAPONS",
            "FATHER DID NOT BRING CHILD BACK, DRIVES {veh} {plate}",
            "JUVS ON ROOF",
        ],
        Story::Duty => &[
            "",
            "ROUTINE",
            "FOLLOW UP W/ {name}",
            "CHECK OK, ALL SECURE",
            "EXTRA PATROL PER DISTRICT",
        ],
    }
}

/// The text of one call at `location`; empty for some of the routine ones.
pub(crate) fn narrative(rng: &mut Rng, story: Story, people: &People, location: &str) -> String {
    let mut text = pick_word(rng, stories(story)).to_owned();
    if story != Story::Duty {
        if happens(rng, SURPRISE_SHARE) {
            append(&mut text, pick_word(rng, &SURPRISES));
        }
        if happens(rng, PHONE_SHARE) {
            let phone = format!("CALLBACK 608-555-01{:02}", rng.u8(..100));
            append(&mut text, &phone);
        }
    }
    let text = with_words(rng, text, people);
    // Plates last: they stay in capitals in a narrative typed without them.
    let text = if happens(rng, LOWERCASE_SHARE) {
        text.to_lowercase()
    } else {
        text
    };
    with_vehicles(rng, text, people, location)
}

fn append(text: &mut String, more: &str) {
    text.push_str(". ");
    text.push_str(more);
}

fn with_words(rng: &mut Rng, text: String, people: &People) -> String {
    let person = people.any_person(rng);
    text.replace("{subj}", &subject(rng))
        .replace("{weapon}", pick_word(rng, &WEAPONS))
        .replace("{mark}", landmark(rng))
        .replace(
            "{name}",
            &format!("{} {}", person.first, person.last).to_uppercase(),
        )
}

fn subject(rng: &mut Rng) -> String {
    let sex = if happens(rng, 0.75) { "MALE" } else { "FEMALE" };
    format!("{sex} {}0S {}", rng.u8(2..6), pick_word(rng, &CLOTHES))
}

fn with_vehicles(rng: &mut Rng, text: String, people: &People, location: &str) -> String {
    let vehicle = people.vehicle_near(rng, location);
    let stolen = people.stolen_vehicle(rng);
    let state = if rng.bool() {
        format!("{STATE} ")
    } else {
        String::new()
    };
    let away = format!("IL PLATE {}", rng.u32(1_000_000..9_999_999));
    text.replace("{veh}", &look(vehicle))
        .replace("{plate}", &format!("{state}PLATE {}", vehicle.plate))
        .replace(
            "{stolen}",
            &format!("{} {state}PLATE {}", look(stolen), stolen.plate),
        )
        .replace("{away}", &away)
}

fn look(vehicle: &Vehicle) -> String {
    format!(
        "{} {} {} {}",
        vehicle.color, vehicle.year, vehicle.make, vehicle.model
    )
}
