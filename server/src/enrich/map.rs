//! From a source's answer to findings and cautions: a jq program for each source.
//!
//! The program (`gives` names one that is built in, `mapping` a file) gets the answer as
//! JSON, and `$asked`: `{"what": "plate", "shown": "ABC123 WI", "plate": "ABC123", …}`. It
//! gives one object for each entry:
//!
//! * a finding: `title`, and if there is more to say `text`, `topic`, `recorded` (a date, a
//!   time of RFC 3339, or seconds since 1970), `confidence`, `link`, `ends`;
//! * a caution: `caution`, and if known `by` and `ends`.
//!
//! Nothing at all means that the source knows nothing. What does not fit is said, not
//! guessed: an object with a field that is none of these fails the answer.
//!
//! It is jq as `jaq` has it, without what reaches outside (`env`, `now`, `input`, `halt`,
//! `debug`), and in bounds: see [`run`].

mod brings;
mod run;

use std::path::Path;
use std::sync::Arc;

use packet::Subject;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

pub use self::brings::Brings;
pub(super) use self::brings::{Labels, brings};
use self::run::Program;
use super::fill::Name;

/// Most mappings at a time. A thread cannot be taken back: one that does not end keeps
/// its place.
const AT_ONCE_MAX: usize = 4;
/// Longest program, in bytes.
const PROGRAM_BYTES_MAX: u64 = 64 * 1024;

/// The shapes of answers that the center can read by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gives {
    /// Prior incidents and cautions at an address.
    Records,
    /// A vehicle's registration.
    Registration,
    /// Cameras near a place, the nearest first.
    Cameras,
    /// Persons by their name: who they are, and what is open against them.
    Persons,
    /// Whose telephone number it is.
    Subscriber,
    /// Rows of a table, one finding each, its columns by their names.
    Rows,
}

impl Gives {
    fn program(self) -> (&'static str, &'static str) {
        match self {
            Self::Records => ("records.jq", include_str!("map/records.jq")),
            Self::Registration => ("registration.jq", include_str!("map/registration.jq")),
            Self::Cameras => ("cameras.jq", include_str!("map/cameras.jq")),
            Self::Persons => ("persons.jq", include_str!("map/persons.jq")),
            Self::Subscriber => ("subscriber.jq", include_str!("map/subscriber.jq")),
            Self::Rows => ("rows.jq", include_str!("map/rows.jq")),
        }
    }
}

/// A source's mapping, compiled.
#[derive(Debug, Clone)]
pub(super) struct Mapping(Arc<Program>);

impl Mapping {
    pub(super) fn built_in(gives: Gives) -> Result<Self, String> {
        let (name, text) = gives.program();
        Self::compile(name, text)
    }

    /// # Errors
    /// Says where the program is wrong.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let failed = |e: std::io::Error| format!("{shown} cannot be read: {e}");
        if std::fs::metadata(path).map_err(failed)?.len() > PROGRAM_BYTES_MAX {
            return Err(format!("{shown} is over {PROGRAM_BYTES_MAX} bytes"));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        Self::compile(&shown.to_string(), &text)
    }

    fn compile(name: &str, text: &str) -> Result<Self, String> {
        Program::compile(name, text).map(|program| Self(Arc::new(program)))
    }
}

/// Where mappings run: few at a time, each on a thread of its own.
#[derive(Debug, Clone)]
pub(super) struct Mapper {
    places: Arc<Semaphore>,
}

impl Default for Mapper {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE_MAX)),
        }
    }
}

impl Mapper {
    /// What the program says of an answer. `Null` is no answer: the program is not run.
    ///
    /// # Errors
    /// One sentence for the packet: why the answer cannot be used.
    pub(super) async fn map(
        &self,
        mapping: &Mapping,
        answer: Value,
        subject: &Subject,
        labels: &Labels,
    ) -> Result<Brings, String> {
        if answer.is_null() {
            return Ok(Brings::default());
        }
        let place = self.places.clone().acquire_owned().await;
        let (program, asked) = (mapping.0.clone(), asked(subject));
        let (done, outputs) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("mapping".into())
            .stack_size(run::STACK_BYTES)
            .spawn(move || {
                let _place = place;
                let _ = done.send(program.run(answer, asked));
            })
            .map_err(|e| format!("its answer cannot be read now: {e}"))?;
        let outputs = outputs
            .await
            .map_err(|_| "its mapping gave up".to_owned())??;
        brings(outputs, labels)
    }
}

/// What the program sees of the question.
fn asked(subject: &Subject) -> Value {
    let what = match subject {
        Subject::Address(_) => "address",
        Subject::Plate { .. } => "plate",
        Subject::Person { .. } => "person",
        Subject::Phone(_) => "phone",
        Subject::Position { .. } => "position",
    };
    let mut asked = json!({"what": what, "shown": subject.shown()});
    for (name, word) in Name::ALL {
        let value = name.value(subject);
        if !value.is_empty() {
            asked[word] = value.into();
        }
    }
    asked
}

#[cfg(test)]
mod tests;
