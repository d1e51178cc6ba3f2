//! What the document is about: its incident or, before there is one, its call.

use jiff::Timestamp;

use super::component::{Component, Components, Reference, Shape};
use super::some_text;
use crate::intake::reading::Node;
use crate::intake::report::{
    CallStatus, DISPOSITION_CHARS_MAX, DISTRICT_CHARS_MAX, IntakeError, NATURE_CHARS_MAX,
    NUMBER_CHARS_MAX, PRIORITY_MAX, checked_text,
};

/// A call transfer comes before any incident: the caller dialled 911, and that
/// is all that is known.
const NATURE_EMERGENCY: &str = "911 CALL";

pub(super) struct Subject<'a> {
    pub(super) number: String,
    pub(super) nature: String,
    pub(super) received: Timestamp,
    pub(super) priority: Option<u8>,
    pub(super) district: Option<String>,
    pub(super) status: CallStatus,
    pub(super) location_refs: Vec<Reference<'a>>,
    /// What has no field of its own, in words.
    pub(super) remarks: Vec<String>,
}

impl<'a> Subject<'a> {
    /// `None` while neither an incident nor a call is there.
    pub(super) fn of(
        root: &Node<'a>,
        document: &Component<'a>,
    ) -> Result<Option<Self>, IntakeError> {
        let calls = Components::of(
            root,
            "callComponent",
            &[
                ("callStateRegistryText", Shape::Text),
                ("standardPrimaryCallType", Shape::Text),
                ("direction", Shape::Text),
                ("callStartTimestamp", Shape::Time),
            ],
        )?;
        let incident = root.get("incidentComponent")?;
        let incident = incident.map(Component::of).transpose()?;
        for about in incident.iter().chain(&calls.all) {
            about.references("notesReference")?;
        }
        match (incident, calls.all.first()) {
            (Some(incident), _) => of_incident(document, &incident, &calls).map(Some),
            (None, Some(call)) => of_call(call, &calls).map(Some),
            (None, None) => Ok(None),
        }
    }
}

fn of_incident<'a>(
    document: &Component<'a>,
    incident: &Component<'a>,
    calls: &Components<'a>,
) -> Result<Subject<'a>, IntakeError> {
    let node = &incident.node;
    let common = node.need("incidentTypeCommonRegistryText", "text")?;
    let common = common.text(NATURE_CHARS_MAX)?;
    let own_text = some_text(node.get("incidentTypeInternalText")?, NATURE_CHARS_MAX)?;
    let own_code = some_text(node.get("incidentTypeInternalCode")?, NATURE_CHARS_MAX)?;
    let number = match some_text(node.get("internalIncidentId")?, NUMBER_CHARS_MAX)? {
        Some(number) => number,
        None => bare_id(&document.id)?,
    };
    let mut location_refs = incident.references("locationReference")?;
    if location_refs.is_empty() {
        location_refs = call_locations(calls)?;
    }
    let (priority, remark) = priority(node)?;
    Ok(Subject {
        number,
        nature: own_text.or(own_code).unwrap_or(common),
        received: first_start(calls)?.unwrap_or(incident.updated),
        priority,
        district: some_text(node.get("beatOrDispatchGroupText")?, DISTRICT_CHARS_MAX)?,
        status: status(node)?,
        location_refs,
        remarks: remark.into_iter().collect(),
    })
}

fn of_call<'a>(call: &Component<'a>, calls: &Components<'a>) -> Result<Subject<'a>, IntakeError> {
    let kind = call.node.need("standardPrimaryCallType", "text")?;
    let kind = kind.text(NATURE_CHARS_MAX)?;
    let own = some_text(call.node.get("localCallType")?, NATURE_CHARS_MAX)?;
    let nature = own.unwrap_or_else(|| {
        if kind.eq_ignore_ascii_case("emergency") {
            NATURE_EMERGENCY.to_owned()
        } else {
            kind
        }
    });
    Ok(Subject {
        number: bare_id(&call.id)?,
        nature,
        received: first_start(calls)?.unwrap_or(call.updated),
        priority: None,
        district: None,
        status: CallStatus::Open,
        location_refs: call_locations(calls)?,
        remarks: Vec::new(),
    })
}

/// An id without the words that all ids begin with (NENA-STA-010, 2.1.6 and
/// 2.1.7): `urn:emergency:uid:callid:a56e:bcf.example` is `a56e:bcf.example`.
fn bare_id(id: &Node<'_>) -> Result<String, IntakeError> {
    let whole = id.str()?;
    let bare = ["urn:emergency:uid:callid:", "urn:emergency:uid:incidentid:"]
        .iter()
        .find_map(|prefix| whole.strip_prefix(prefix))
        .unwrap_or(whole);
    checked_text(bare, NUMBER_CHARS_MAX).map_err(|(wanted, found)| id.error(wanted, found))
}

fn first_start(calls: &Components<'_>) -> Result<Option<Timestamp>, IntakeError> {
    let mut first = None;
    for call in &calls.all {
        let start = call
            .node
            .need("callStartTimestamp", "a time")?
            .timestamp()?;
        first = Some(first.map_or(start, |first: Timestamp| first.min(start)));
    }
    Ok(first)
}

fn call_locations<'a>(calls: &Components<'a>) -> Result<Vec<Reference<'a>>, IntakeError> {
    let mut references = Vec::new();
    for call in &calls.all {
        references.extend(call.references("locationReference")?);
    }
    Ok(references)
}

/// The priority on our scale; one that is on another scale is kept in words.
fn priority(incident: &Node<'_>) -> Result<(Option<u8>, Option<String>), IntakeError> {
    let common = incident.get("incidentCommonPriorityNumber")?;
    let common = common.map(|number| number.whole()).transpose()?;
    let own = some_text(
        incident.get("incidentPriorityInternalText")?,
        NATURE_CHARS_MAX,
    )?;
    let on_our_scale = |number: i64| {
        u8::try_from(number)
            .ok()
            .filter(|number| (1..=PRIORITY_MAX).contains(number))
    };
    if let Some(priority) = common.and_then(on_our_scale) {
        return Ok((Some(priority), None));
    }
    if let Some(priority) = own
        .as_deref()
        .and_then(|own| on_our_scale(own.parse().ok()?))
    {
        return Ok((Some(priority), None));
    }
    let words = common.map(|number| number.to_string()).or(own);
    Ok((
        None,
        words.map(|words| format!("Dispatch's own priority: {words}")),
    ))
}

fn status(incident: &Node<'_>) -> Result<CallStatus, IntakeError> {
    const WORDS_OVER: [&str; 4] = ["closed", "cleared", "cancelled", "canceled"];
    let mut over = None;
    for word in incident.items("incidentStatusCommonRegistryText")? {
        let word = word.str()?.trim();
        if word.eq_ignore_ascii_case("active") {
            return Ok(CallStatus::Open);
        }
        if WORDS_OVER
            .iter()
            .any(|over| word.eq_ignore_ascii_case(over))
        {
            over = Some(word);
        }
    }
    let Some(over) = over else {
        return Ok(CallStatus::Open);
    };
    let disposition = disposition(incident)?.unwrap_or_else(|| over.to_owned());
    Ok(CallStatus::Closed { disposition })
}

/// How it ended: the primary disposition, else the first.
fn disposition(incident: &Node<'_>) -> Result<Option<String>, IntakeError> {
    let mut chosen = None;
    for node in incident.items("dispositionComponent")? {
        let component = Component::of(node)?;
        component.require(&[("dispositionCommonRegistryCode", Shape::Text)])?;
        let node = &component.node;
        let primary = node.get("dispositionPrimaryIndicator")?;
        let primary = primary.map_or(Ok(false), |primary| primary.flag())?;
        let text = |key: &str| some_text(node.get(key)?, DISPOSITION_CHARS_MAX);
        let words = text("dispositionDescriptionText")?
            .or(text("dispositionCategoryText")?)
            .or(text("dispositionCommonRegistryCode")?);
        if primary || chosen.is_none() {
            chosen = words.or(chosen);
        }
        if primary {
            break;
        }
    }
    Ok(chosen)
}
