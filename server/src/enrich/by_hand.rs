//! A source asked at the command line, to see whether it works. It is on record like any
//! other question: whoever may read the center's keys is no exception.

use packet::{CallId, Subject};

use super::plan::{Asker, Behalf, Plan, plan};
use crate::audit::Record;
use crate::backup::{KEYS, LOG};
use crate::config::Config;
use crate::identity::LogKey;
use crate::log;
use crate::policy::{Act, Role};

/// Who asks, as the audit log names it.
const WHO: &str = "operator, at the command line";

/// What is asked of the source of this name about this, or why not.
#[must_use]
pub fn plan_by_hand(
    config: &Config,
    name: &str,
    subject: Subject,
    purpose: Option<&str>,
    reason: Option<&str>,
) -> Plan {
    let usual = config.purposes.first().map(|purpose| purpose.code.as_str());
    let behalf = Behalf {
        // No packet's: nothing is written into one.
        call: CallId(0),
        query: None,
        by: WHO.into(),
        device: None,
        role: Role::Operator,
        purpose: purpose.or(usual).unwrap_or_default().to_owned(),
        reason: reason.map(ToOwned::to_owned),
    };
    let mut sources = config.sources.clone();
    for source in &mut sources {
        // By hand each is asked that is named.
        source.automatic = source.name == name;
    }
    plan(&sources, &config.purposes, &behalf, &[subject])
}

/// Whether this center has run: without a log nothing can be put on record.
#[must_use]
pub fn has_log(config: &Config) -> bool {
    config.data.join(LOG).exists()
}

/// Puts on record what is about to be asked.
///
/// # Errors
/// When there is no log, or one that cannot be written, in one sentence.
pub fn put_on_record(config: &Config, source: &str, asker: &Asker) -> Result<(), String> {
    let record = Record {
        object: source.to_owned(),
        detail: "asked".into(),
        subjects: asker.subject.clone().into_iter().collect(),
        purpose: Some(asker.behalf.purpose.clone()),
        reason: asker.behalf.reason.clone(),
        ..Record::of(WHO, Act::AskSource)
    };
    let key = LogKey::open(&config.data.join(KEYS)).map_err(|e| e.to_string())?;
    let path = config.data.join(LOG);
    log::put_on_record(&path, &key.store_key, &record).map_err(|e| e.to_string())
}
