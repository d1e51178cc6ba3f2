//! Modelled agency databases: how long each takes, what it knows, when it is down.

use fastrand::Rng;
use packet::entry::NAME_CHARS_MAX;
use packet::{Caution, Confidence, Finding, Topic};

use super::model::{Model, SourceModel, Trigger};
use super::travel::milliseconds;
use crate::chance::{exponential, happens, hash, log_normal, stream};

/// How long a source that is down takes to say so, when it says so at all.
const REFUSAL_MS: u64 = 40;
/// No answer is sooner: there is a network between.
const ANSWER_MS_MIN: u64 = 15;
/// Longest that a source thinks about an answer.
const ANSWER_MS_MAX: f64 = 120_000.0;
/// The most lines of one finding.
const LINES_MAX: u64 = 5;

/// What a source knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) findings: Vec<Finding>,
    pub(super) cautions: Vec<Caution>,
}

/// What becomes of an attempt, and how long after it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Answer(u64, Known),
    Down(u64),
    /// Nothing ever comes back.
    Silence,
}

#[derive(Debug, Clone, Copy)]
struct Outage {
    from_ms: u64,
    to_ms: u64,
    /// It takes questions and says nothing.
    hangs: bool,
}

#[derive(Debug)]
struct Source {
    model: SourceModel,
    outages: Vec<Outage>,
    rng: Rng,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Sources {
    seed: u64,
    all: Vec<Source>,
}

impl Sources {
    /// Draws their outages until then.
    pub(super) fn new(seed: u64, model: &Model, until_ms: u64) -> Self {
        let all = model.sources.iter().map(|model| {
            let mut rng = stream(seed, &format!("outages of {}", model.name));
            Source {
                outages: outages(model, until_ms, &mut rng),
                rng: stream(seed, &format!("answers of {}", model.name)),
                model: model.clone(),
            }
        });
        Self {
            seed,
            all: all.collect(),
        }
    }

    pub(super) fn name(&self, source: usize) -> &'static str {
        self.all[source].model.name
    }

    /// The sources that are asked by this.
    pub(super) fn asked_by(&self, trigger: Trigger) -> Vec<usize> {
        let all = self.all.iter().enumerate();
        all.filter(|(_, source)| source.model.trigger == trigger)
            .map(|(number, _)| number)
            .collect()
    }

    /// Puts a question to a source.
    pub(super) fn ask(&mut self, source: usize, query: &str, now_ms: u64, wall_ms: i64) -> Reply {
        let seed = self.seed;
        let source = &mut self.all[source];
        let drawn = log_normal(&mut source.rng, source.model.median_ms, source.model.sigma);
        let took_ms = milliseconds(drawn.min(ANSWER_MS_MAX) / 1_000.0).max(ANSWER_MS_MIN);
        let down = source
            .outages
            .iter()
            .find(|outage| (outage.from_ms..outage.to_ms).contains(&now_ms));
        match down {
            Some(outage) if outage.hangs => Reply::Silence,
            Some(_) => Reply::Down(REFUSAL_MS),
            None => {
                let answered_ms = wall_ms.saturating_add_unsigned(took_ms);
                Reply::Answer(took_ms, known(seed, &source.model, query, answered_ms))
            }
        }
    }
}

fn outages(model: &SourceModel, until_ms: u64, rng: &mut Rng) -> Vec<Outage> {
    let mut outages = Vec::new();
    let mut at_ms = 0;
    while at_ms < until_ms {
        let from_ms = at_ms + milliseconds(exponential(rng, model.up_h) * 3_600.0);
        let to_ms = from_ms + milliseconds(exponential(rng, model.down_min) * 60.0).max(1_000);
        let hangs = rng.bool();
        outages.push(Outage {
            from_ms,
            to_ms,
            hangs,
        });
        at_ms = to_ms;
    }
    outages
}

/// What a source knows about what it is asked: made up, and the same each time.
fn known(seed: u64, model: &SourceModel, query: &str, answered_ms: i64) -> Known {
    let key = [model.name.as_bytes(), query.as_bytes()].concat();
    let mut rng = Rng::with_seed(hash(seed, &key));
    if !happens(&mut rng, model.hit_share) {
        return Known::default();
    }
    let lines = rng.u64(1..=LINES_MAX);
    let text: Vec<String> = (0..lines).map(|_| line(&mut rng)).collect();
    let finding = Finding {
        source: model.name.into(),
        title: format!("{lines} on record"),
        text: text.join("\n"),
        query: query.chars().take(NAME_CHARS_MAX).collect(),
        recorded_ms: None,
        answered_ms,
        confidence: Confidence::Exact,
        topic: Topic::Record,
        link: None,
        ends_ms: None,
        answers: None,
    };
    let caution = happens(&mut rng, model.caution_share).then(|| Caution {
        text: format!("Made-up caution of {}: {}", model.name, line(&mut rng)),
        by: model.name.into(),
        ends_ms: None,
    });
    Known {
        findings: vec![finding],
        cautions: caution.into_iter().collect(),
    }
}

const WORDS: [&str; 12] = [
    "battery",
    "entry",
    "trouble with subject",
    "family trouble",
    "theft",
    "welfare check",
    "property damage",
    "warrant",
    "fight",
    "noise",
    "vehicle stop",
    "wanted",
];
const ENDS: [&str; 5] = ["advised", "arrest", "citation", "to be filed", "unfounded"];

/// A line such as agencies keep.
fn line(rng: &mut Rng) -> String {
    let (year, month, day) = (rng.u32(2009..=2018), rng.u32(1..=12), rng.u32(1..=28));
    let number = rng.u32(..1_000_000);
    let (what, end) = (
        WORDS[rng.usize(..WORDS.len())],
        ENDS[rng.usize(..ENDS.len())],
    );
    format!("{year}-{month:02}-{day:02} {number:06} {what}, {end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_knows_the_same_each_time_and_not_everything() {
        let model = Model::default();
        let at = |query: &str| known(1, &model.sources[0], query, 0);
        assert_eq!(at("1 A ST"), at("1 A ST"));
        let hits = (0..1_000).filter(|n| at(&format!("{n} A ST")) != Known::default());
        let hits = hits.count();
        assert!((380..520).contains(&hits), "{hits}");
    }

    #[test]
    fn a_source_that_is_never_up_answers_nothing() {
        let mut model = Model::default();
        model.sources.iter_mut().for_each(|source| {
            source.up_h = 0.0;
            source.down_min = 1e9;
        });
        let mut sources = Sources::new(1, &model, 1_000);
        for source in 0..model.sources.len() {
            let reply = sources.ask(source, "q", 500, 0);
            assert!(!matches!(reply, Reply::Answer(..)), "{reply:?}");
        }
    }
}
