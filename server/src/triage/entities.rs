//! All that a text names, in the order of the text.

use std::ops::Range;

use super::entity::{Entity, EntityWhat, Person};
use super::rules::Rules;
use super::tokens::Text;
use super::words::Narrative;
use super::{looks, persons, phones, places, plates, vehicles};

/// Most entities of one text, the first.
pub const ENTITIES_MAX: usize = 200;
/// Most words between a name and the look of the same person.
const LOOK_WORDS_MAX: usize = 2;

impl Rules {
    /// The plates, vehicles, telephones, persons, places, weapons and dangers that a text
    /// names, each with the words that it was read from.
    #[must_use]
    pub fn entities(&self, whole: &str) -> Vec<Entity> {
        let text = Text::of(whole);
        let lexicon = &self.lexicon;
        let mut all = Vec::new();
        let mut taken: Vec<Range<usize>> = Vec::new();
        let mut add =
            |bytes: Range<usize>, what: EntityWhat| all.push(Entity::new(whole, bytes, what));

        let vehicles = vehicles::find(&text, lexicon);
        for plate in plates::find(&text, lexicon, &vehicles) {
            taken.push(plate.tokens.clone());
            add(text.bytes(&plate.tokens), EntityWhat::Plate(plate.plate));
        }
        for vehicle in vehicles {
            add(
                text.bytes(&vehicle.tokens),
                EntityWhat::Vehicle(vehicle.vehicle),
            );
            taken.push(vehicle.tokens);
        }
        for place in places::find(&text, &taken) {
            add(
                text.bytes(&place.tokens),
                EntityWhat::Address(place.address),
            );
            taken.push(place.tokens);
        }
        for phone in phones::find(whole) {
            add(phone.bytes, EntityWhat::Phone(phone.number));
        }
        for (tokens, person) in persons_with_looks(&text, self, &taken) {
            add(text.bytes(&tokens), EntityWhat::Person(person));
        }
        let narrative = Narrative::of(whole);
        for (tokens, what) in self.named(&narrative) {
            add(narrative.bytes(&tokens), what.clone());
        }
        all.sort_by_key(|entity| (entity.bytes.start, entity.bytes.end));
        all.dedup();
        all.truncate(ENTITIES_MAX);
        all
    }
}

impl Rules {
    /// The weapons and dangers that the words name. Of `RAZOR BLADE`, not `RAZOR` and `BLADE`
    /// as well; `IS SHOT` and `SHOT TWICE` are one.
    fn named(&self, narrative: &Narrative<'_>) -> Vec<(Range<usize>, &EntityWhat)> {
        let mut named: Vec<(Range<usize>, &EntityWhat)> = Vec::new();
        let mut hits = self.hits(narrative);
        hits.sort_by_key(|hit| (hit.tokens.start, hit.tokens.end));
        for hit in hits {
            let Some(what) = &self.words[hit.rule].names else {
                continue;
            };
            let overlapping = named.iter_mut().find(|(tokens, known)| {
                *known == what && tokens.start < hit.tokens.end && hit.tokens.start < tokens.end
            });
            match overlapping {
                Some((tokens, _)) => tokens.end = tokens.end.max(hit.tokens.end),
                None => named.push((hit.tokens, what)),
            }
        }
        named
    }
}

/// Names and looks; a look right behind a name, or right ahead of it, is that person's.
fn persons_with_looks(
    text: &Text<'_>,
    rules: &Rules,
    taken: &[Range<usize>],
) -> Vec<(Range<usize>, Person)> {
    let look_words = |tokens: &Range<usize>| Some(text.whole[text.bytes(tokens)].to_owned());
    let mut looks = looks::find(text, &rules.lexicon, taken);
    let mut all: Vec<(Range<usize>, Person)> = Vec::new();
    for name in persons::find(text, &rules.lexicon, taken) {
        let beside = looks.iter().position(|look| {
            let behind =
                look.start >= name.tokens.end && look.start - name.tokens.end <= LOOK_WORDS_MAX;
            let parted = (name.tokens.end..=look.start).any(|at| text.begins_sentence(at));
            (behind && !parted) || (look.end == name.tokens.start && !text.begins_clause(look.end))
        });
        let look = beside.map(|at| looks.remove(at));
        let tokens = match &look {
            Some(look) => name.tokens.start.min(look.start)..name.tokens.end.max(look.end),
            None => name.tokens,
        };
        let person = Person {
            first: name.name.first,
            last: name.name.last,
            born: name.born,
            description: look.as_ref().and_then(look_words),
        };
        all.push((tokens, person));
    }
    all.extend(looks.into_iter().map(|look| {
        let person = Person {
            description: look_words(&look),
            ..Person::default()
        };
        (look, person)
    }));
    all
}

#[cfg(test)]
mod tests;
