//! Road vehicles in a text: color, year, make, model, body, in whatever order they stand.
//!
//! A vehicle is anchored by a make, by a model that is no ordinary word, or by a color with
//! a body (`RED CAR`); what stands right beside the anchor and says more of it is taken in.

use std::ops::Range;

use crate::address::is_sure_suffix;

use super::entity::Vehicle;
use super::lexicon::{Lexicon, Look};
use super::tokens::Text;

/// Words that say nothing of a vehicle and may stand within its description.
const FILLERS: [&str; 12] = [
    "COLORED", "COLOURED", "OLDER", "NEWER", "MODEL", "UNMARKED", "BEAT", "UP", "OLD", "NEW",
    "LATE", "EARLY",
];
const SHADES: [(&str, &str); 8] = [
    ("DARK", "dark"),
    ("DK", "dark"),
    ("DRK", "dark"),
    ("LIGHT", "light"),
    ("LT", "light"),
    ("LITE", "light"),
    ("BRIGHT", "bright"),
    ("BURNT", "burnt"),
];
/// Ways of a color that are left out.
const FINISHES: [&str; 3] = ["MATTE", "FLAT", "METALLIC"];
const VEHICLES: [&str; 6] = ["VEH", "VEHICLE", "AUTO", "CAR", "VEHS", "VEHICLES"];
/// What makes a color with a body no road vehicle of the call.
const NOT_BODIES: [&str; 3] = ["SQUAD", "POLICE", "FIRE"];
/// Most tokens ahead of an anchor that are looked at.
const AHEAD_MAX: usize = 8;
const YEARS: Range<u16> = 1930..2035;
/// Two digits up to here are of this century.
const SHORT_YEAR_MAX: u16 = 30;

pub(super) struct FoundVehicle {
    pub(super) tokens: Range<usize>,
    pub(super) vehicle: Vehicle,
}

/// The vehicles of a text, in its order.
pub(super) fn find(text: &Text<'_>, lexicon: &Lexicon) -> Vec<FoundVehicle> {
    let finder = Finder { text, lexicon };
    let mut found: Vec<FoundVehicle> = Vec::new();
    let mut at = 0;
    while at < text.tokens.len() {
        let floor = found.last().map_or(0, |last| last.tokens.end);
        match finder.anchored(at, floor) {
            Some(vehicle) => {
                at = vehicle.tokens.end;
                found.push(vehicle);
            }
            None => at += 1,
        }
    }
    found
}

struct Finder<'a> {
    text: &'a Text<'a>,
    lexicon: &'a Lexicon,
}

/// What says which vehicle it is.
struct Anchor {
    end: usize,
    make: Option<usize>,
    model: Option<usize>,
    /// Believed without more.
    enough: bool,
}

impl Finder<'_> {
    fn anchored(&self, at: usize, floor: usize) -> Option<FoundVehicle> {
        if let Some(anchor) = self.anchor(at) {
            return self.around(at, floor, &anchor);
        }
        self.color_and_body(at)
    }

    fn anchor(&self, at: usize) -> Option<Anchor> {
        let makes = &self.lexicon.makes;
        let model_after = |make: usize, end: usize| {
            let model = makes.model(self.text, end, make);
            let free = !self.text.begins_sentence(end) && !self.text.gap(end).contains(',');
            model.filter(|_| free && end < self.text.tokens.len())
        };
        if let Some((make, took)) = makes.at(self.text, at) {
            let end = at + took;
            let model = model_after(make, end);
            return Some(Anchor {
                end: model.as_ref().map_or(end, |model| end + model.tokens),
                enough: model.is_some() || (makes.make(make).bare && self.text.upper(at).len() > 2),
                make: Some(make),
                model: model.map(|model| model.model),
            });
        }
        if let Some(model) = makes.alone(self.text, at) {
            return Some(Anchor {
                end: at + model.tokens,
                make: Some(model.make),
                model: Some(model.model),
                enough: true,
            });
        }
        if let Some(make) = makes.misspelled(self.text.upper(at)) {
            let model = model_after(make, at + 1);
            return Some(Anchor {
                end: model.as_ref().map_or(at + 1, |model| at + 1 + model.tokens),
                enough: model.is_some(),
                make: Some(make),
                model: model.map(|model| model.model),
            });
        }
        let colored = at > 0
            && self
                .color_ending(at, at.saturating_sub(AHEAD_MAX))
                .is_some();
        let model = makes.behind_color(self.text, at).filter(|_| colored)?;
        Some(Anchor {
            end: at + 1,
            make: Some(model.make),
            model: Some(model.model),
            enough: true,
        })
    }

    /// Takes in what stands beside the anchor.
    fn around(&self, at: usize, floor: usize, anchor: &Anchor) -> Option<FoundVehicle> {
        let mut vehicle = Vehicle::default();
        let start = self.ahead(at, floor.max(at.saturating_sub(AHEAD_MAX)), &mut vehicle);
        let end = self.behind(anchor.end, &mut vehicle);
        let supported = vehicle.color.is_some() || vehicle.year.is_some() || vehicle.body.is_some();
        let street = (anchor.end..anchor.end + 2)
            .take_while(|at| *at < self.text.tokens.len() && !self.text.begins_clause(*at))
            .any(|at| is_sure_suffix(self.text.upper(at)))
            && vehicle.color.is_none();
        if street || !(anchor.enough || supported) {
            return None;
        }
        let makes = &self.lexicon.makes;
        if let Some(make) = anchor.make.map(|make| makes.make(make)) {
            vehicle.make = Some(make.name.clone());
            vehicle.model = anchor.model.map(|model| make.models[model].clone());
        }
        Some(FoundVehicle {
            tokens: start..end,
            vehicle,
        })
    }

    /// Reads backwards from `end`; returns where what belongs to the vehicle begins.
    fn ahead(&self, end: usize, floor: usize, vehicle: &mut Vehicle) -> usize {
        let (mut at, mut start) = (end, end);
        while at > floor && !self.text.begins_clause(at) {
            if vehicle.color.is_none()
                && let Some((color, from)) = self.color_ending(at, floor)
            {
                vehicle.color = Some(color);
                (at, start) = (from, from);
            } else if vehicle.body.is_none()
                && let Some((body, from)) = self.lexicon.bodies.ahead(self.text, at)
                && from >= floor
                && body != "car"
            {
                vehicle.body = Some(body.clone());
                (at, start) = (from, from);
            } else if vehicle.year.is_none()
                && let Some(year) = self.year(at - 1, true)
            {
                vehicle.year = Some(year);
                (at, start) = (at - 1, at - 1);
            } else if FILLERS.contains(&self.text.upper(at - 1)) {
                at -= 1;
            } else {
                break;
            }
        }
        start
    }

    /// Reads on from `at`; returns where what belongs to the vehicle ends.
    fn behind(&self, at: usize, vehicle: &mut Vehicle) -> usize {
        let (mut at, mut end) = (at, at);
        while at < self.text.tokens.len() && !self.text.begins_clause(at) {
            if vehicle.body.is_none()
                && let Some((body, took)) = self.lexicon.bodies.at(self.text, at)
                && body != "car"
            {
                vehicle.body = Some(body.clone());
                (at, end) = (at + took, at + took);
            } else if vehicle.color.is_none()
                && let Some((color, took)) = self.color(at)
                && !self.is_of_next(at + took)
            {
                vehicle.color = Some(color);
                (at, end) = (at + took, at + took);
            } else if vehicle.year.is_none()
                && let Some(year) = self.year(at, false)
            {
                vehicle.year = Some(year);
                (at, end) = (at + 1, at + 1);
            } else {
                break;
            }
        }
        end
    }

    /// Whether a color at the end of one vehicle is that of another, of a person or of clothes.
    fn is_of_next(&self, at: usize) -> bool {
        if at >= self.text.tokens.len() || self.text.begins_clause(at) {
            return false;
        }
        self.lexicon
            .looks
            .at(self.text, at)
            .is_some_and(|(look, _)| *look != Look::Between)
            || self.lexicon.makes.at(self.text, at).is_some()
            || self.lexicon.makes.alone(self.text, at).is_some()
    }

    fn color_and_body(&self, at: usize) -> Option<FoundVehicle> {
        let (color, took) = self.color(at)?;
        let mut body_at = at + took;
        while FILLERS.contains(&self.text.upper(body_at)) && body_at < at + AHEAD_MAX {
            body_at += 1;
        }
        let parted = |next: usize| next >= self.text.tokens.len() || self.text.begins_clause(next);
        if (at + took..=body_at).any(parted) {
            return None;
        }
        let upper = self.text.upper(body_at);
        let mut vehicle = Vehicle {
            color: Some(color),
            ..Vehicle::default()
        };
        let mut end = body_at;
        // What it is called last is what it is: `4DR SEDAN`.
        while let Some((body, took)) = self.lexicon.bodies.at(self.text, end)
            && (end == body_at || !parted(end))
        {
            vehicle.body = Some(body.clone());
            end += took;
        }
        if end == body_at {
            let vehicle_word = VEHICLES.contains(&upper);
            end += usize::from(vehicle_word);
        }
        // `BLK SEMI AUTO` is a pistol.
        let pistol = upper == "SEMI" && matches!(self.text.upper(end), "AUTO" | "AUTOMATIC");
        // `BEIGE 4 DOOR LINCOLN`: the make says more.
        let made = end < self.text.tokens.len()
            && !parted(end)
            && self.anchor(end).is_some_and(|anchor| anchor.enough);
        if pistol || made {
            return None;
        }
        (end > body_at && !NOT_BODIES.contains(&upper)).then_some(FoundVehicle {
            tokens: at..end,
            vehicle,
        })
    }

    /// The color that ends right ahead of `end`, and where it begins: the longest.
    fn color_ending(&self, end: usize, floor: usize) -> Option<(String, usize)> {
        (floor.max(end.saturating_sub(5))..end).find_map(|from| {
            let (color, took) = self.color(from)?;
            let fills = (from + took..end).all(|at| FILLERS.contains(&self.text.upper(at)));
            let joined = (from + 1..=end).all(|at| !self.text.begins_clause(at));
            (from + took <= end && fills && joined).then_some((color, from))
        })
    }

    /// The color that begins here: `DK GRN`, `BLK OVER SIL`, `BLU/WHI`, `DARK`.
    fn color(&self, at: usize) -> Option<(String, usize)> {
        let (first, took) = self.one_color(at)?;
        let next = at + took;
        let over = self.text.upper(next) == "OVER";
        let stroke = self.text.gap(next) == "/";
        if (over || stroke)
            && next < self.text.tokens.len()
            && let Some((second, more)) = self.one_color(next + usize::from(over))
        {
            return Some((format!("{first}/{second}"), took + usize::from(over) + more));
        }
        Some((first, took))
    }

    fn one_color(&self, at: usize) -> Option<(String, usize)> {
        let upper = self.text.upper(at);
        let joined = |next: usize| next < self.text.tokens.len() && !self.text.begins_clause(next);
        if FINISHES.contains(&upper) && joined(at + 1) {
            let (color, took) = self.lexicon.colors.at(self.text, at + 1)?;
            return Some((color.clone(), took + 1));
        }
        if let Some((_, shade)) = SHADES.iter().find(|(word, _)| *word == upper) {
            let base = self
                .lexicon
                .colors
                .at(self.text, at + 1)
                .filter(|_| joined(at + 1));
            return match base {
                Some((color, took)) => Some((format!("{shade} {color}"), took + 1)),
                None => (*shade == "dark" && upper != "DK").then(|| ((*shade).to_owned(), 1)),
            };
        }
        let (color, took) = self.lexicon.colors.at(self.text, at)?;
        Some((color.clone(), took))
    }

    /// A year of make: four digits, or two right ahead of what is made.
    fn year(&self, at: usize, short: bool) -> Option<u16> {
        let token = self.text.tokens.get(at).filter(|token| token.is_digits())?;
        let year: u16 = token.upper.parse().ok()?;
        let after_sign = token.gap.ends_with(['$', '#']);
        match token.upper.len() {
            4 if YEARS.contains(&year) && !after_sign => Some(year),
            2 if short && !after_sign => Some(if year <= SHORT_YEAR_MAX {
                2000 + year
            } else {
                1900 + year
            })
            .filter(|year| YEARS.contains(year)),
            _ => None,
        }
    }
}
