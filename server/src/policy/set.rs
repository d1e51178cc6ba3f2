//! A set of policies: read, validated, and asked.
//!
//! Three parts are in force together. `roles.cedar` is the center's own: what a role may do
//! and what no agreement can permit. The agencies' agreements are the files of a folder, or
//! `agreement.cedar` where the configuration names none. `words.cedarschema` says which words
//! a policy may use; the names of agencies and purposes are put into it from the
//! configuration, so that a policy that names one which is not there is refused at load, with
//! its file, line and column.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy,
    PolicyId, PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use jiff::civil::Date;
use miette::Diagnostic;

use super::who::{CENTER, On, Who};
use super::{Act, Role};
use crate::config::Config;

const WORDS: &str = include_str!("words.cedarschema");
const ROLES: &str = include_str!("roles.cedar");
const AGREEMENT: &str = include_str!("agreement.cedar");

/// Most files of a folder, and most bytes of one.
const FILES_MAX: usize = 200;
const BYTES_MAX: u64 = 1024 * 1024;

/// What is wrong with a file of policies, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PolicyFault {
    pub file: String,
    /// From 1; `None` where it is the file as a whole.
    pub at: Option<(usize, usize)>,
    pub what: String,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => {
                write!(
                    f,
                    "{}: line {line}, column {column}: {}",
                    self.file, self.what
                )
            }
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

/// The names that a center's policies may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    agencies: Vec<String>,
    purposes: Vec<String>,
}

impl Names {
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let agencies = config.agencies.iter().map(|agency| agency.id.clone());
        let purposes = config.purposes.iter().map(|purpose| purpose.code.clone());
        Self::new(agencies, purposes)
    }

    /// The agencies' ids, and the purposes' codes.
    pub fn new(
        agencies: impl IntoIterator<Item = String>,
        purposes: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut agencies: Vec<String> = agencies.into_iter().collect();
        agencies.push(CENTER.into());
        let mut purposes: Vec<String> = purposes.into_iter().collect();
        if purposes.is_empty() {
            purposes.push(String::new());
        }
        Self { agencies, purposes }
    }

    /// The agencies' ids, the center itself last.
    #[must_use]
    pub fn agencies(&self) -> &[String] {
        &self.agencies
    }

    /// The purpose of what nobody says a purpose of.
    #[must_use]
    pub fn purpose(&self) -> &str {
        self.purposes.first().map_or("", String::as_str)
    }

    fn schema(&self) -> Result<Schema, PolicyFault> {
        let listed = |names: &[String]| {
            let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
            quoted.join(", ")
        };
        let text = WORDS
            .replace("\"AGENCIES\"", &listed(&self.agencies))
            .replace("\"PURPOSES\"", &listed(&self.purposes));
        let parsed = Schema::from_cedarschema_str(&text);
        parsed.map(|(schema, _)| schema).map_err(|e| PolicyFault {
            file: "the built-in words.cedarschema".into(),
            at: None,
            what: e.to_string(),
        })
    }
}

/// Where a policy stands, as it is named to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRef {
    pub id: String,
    pub file: String,
    pub line: usize,
}

impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, line {})", self.id, self.file, self.line)
    }
}

/// What the policies say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub allowed: bool,
    /// What made it so; none: no policy permits it.
    pub by: Vec<PolicyRef>,
}

/// What is asked of the policies.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub who: &'a Who,
    pub act: Act,
    pub on: On<'a>,
    pub purpose: &'a str,
    pub today: Date,
}

/// Policies that are in force together.
#[derive(Clone)]
pub struct Policies {
    names: Names,
    validator: Arc<Validator>,
    set: PolicySet,
    actions: HashMap<String, Entity>,
    types: Types,
    refs: HashMap<PolicyId, PolicyRef>,
    /// Some policy names a single person: a decision about one says nothing of another.
    names_people: bool,
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies")
            .field("policies", &self.refs.len())
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Types {
    agency: EntityTypeName,
    role: EntityTypeName,
    compartment: EntityTypeName,
    purpose: EntityTypeName,
    user: EntityTypeName,
    device: EntityTypeName,
    center: EntityTypeName,
    call: EntityTypeName,
    document: EntityTypeName,
    source: EntityTypeName,
}

impl Types {
    fn new() -> Result<Self, String> {
        let of = |name: &str| EntityTypeName::from_str(name).map_err(|e| e.to_string());
        Ok(Self {
            agency: of("Agency")?,
            role: of("Role")?,
            compartment: of("Compartment")?,
            purpose: of("Purpose")?,
            user: of("User")?,
            device: of("Device")?,
            center: of("Center")?,
            call: of("Call")?,
            document: of("Document")?,
            source: of("Source")?,
        })
    }
}

fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

impl Policies {
    /// The built-in ones.
    ///
    /// # Errors
    /// When what is built in does not hold: a test's business.
    pub fn built_in(names: &Names) -> Result<Self, PolicyFault> {
        Self::of(
            names,
            &[("built-in agreement.cedar".into(), AGREEMENT.into())],
        )
    }

    /// The built-in roles, and the agreements that stand in this folder's files.
    ///
    /// # Errors
    /// Names the file, the line and the column, and what was wanted.
    pub fn read(names: &Names, folder: &Path) -> Result<Self, PolicyFault> {
        Self::of(names, &files(folder)?)
    }

    /// The built-in roles, and agreements by the names of their files.
    ///
    /// # Errors
    /// As [`Policies::read`].
    pub fn of(names: &Names, agreements: &[(String, String)]) -> Result<Self, PolicyFault> {
        let built_in = |what: String| PolicyFault {
            file: "the built-in words.cedarschema".into(),
            at: None,
            what,
        };
        let schema = names.schema()?;
        let actions = schema
            .action_entities()
            .map_err(|e| built_in(e.to_string()))?;
        let actions = actions
            .iter()
            .map(|action| (action.uid().id().unescaped().to_owned(), action.clone()))
            .collect();
        let mut all = Self {
            names: names.clone(),
            validator: Arc::new(Validator::new(schema)),
            set: PolicySet::new(),
            actions,
            types: Types::new().map_err(built_in)?,
            refs: HashMap::new(),
            names_people: false,
        };
        all.add("built-in roles.cedar", ROLES)?;
        all.and(agreements)
    }

    /// These, and agreements by the names of their files.
    ///
    /// # Errors
    /// As [`Policies::read`].
    pub fn and(mut self, agreements: &[(String, String)]) -> Result<Self, PolicyFault> {
        for (file, text) in agreements {
            self.add(file, text)?;
        }
        Ok(self)
    }

    fn add(&mut self, file: &str, text: &str) -> Result<(), PolicyFault> {
        let fault = |offset: Option<usize>, what: String| PolicyFault {
            file: file.into(),
            at: offset.map(|offset| place(text, offset)),
            what,
        };
        let parsed = PolicySet::from_str(text).map_err(|errors| match errors.iter().next() {
            Some(error) => fault(offset_of(error), told(error)),
            None => fault(None, errors.to_string()),
        })?;
        if parsed.num_of_templates() > 0 {
            let at = text.find("?principal").or_else(|| text.find("?resource"));
            return Err(fault(
                at,
                "wanted a policy that is whole: none with a place to be filled in".into(),
            ));
        }
        let validated = self.validator.validate(&parsed, ValidationMode::Strict);
        if let Some(error) = validated.validation_errors().next() {
            let of_policy = || {
                parsed
                    .policy(error.policy_id())
                    .and_then(|p| start(text, p))
            };
            return Err(fault(offset_of(error).or_else(of_policy), told(error)));
        }
        for policy in parsed.policies() {
            let at = start(text, policy);
            let wrong = |what: String| Err(fault(at, what));
            let Some(id) = policy.annotation("id").filter(|id| !id.trim().is_empty()) else {
                return wrong("wanted a name for this policy, such as @id(\"agreement-1\")".into());
            };
            let line = at.map_or(1, |at| place(text, at).0);
            for literal in policy.entity_literals() {
                let of = literal.type_name();
                if [&self.types.call, &self.types.document, &self.types.device].contains(&of) {
                    return wrong(format!(
                        "{literal}: wanted no single call, document or device: decisions are kept for all alike"
                    ));
                }
                self.names_people |= *of == self.types.user;
            }
            let known = PolicyId::new(id);
            let named = PolicyRef {
                id: id.into(),
                file: file.into(),
                line,
            };
            if let Some(other) = self.refs.insert(known.clone(), named) {
                return wrong(format!(
                    "wanted an @id that no other policy has: {other} has it"
                ));
            }
            self.set
                .add(policy.new_id(known))
                .map_err(|e| fault(at, e.to_string()))?;
        }
        Ok(())
    }

    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn names_people(&self) -> bool {
        self.names_people
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.refs.len()
    }

    /// Whether a policy may speak of this act.
    #[must_use]
    pub fn knows(&self, act: Act) -> bool {
        self.actions.contains_key(&word(act))
    }

    /// What they say. What cannot be asked, or goes wrong in any policy, is denied.
    #[must_use]
    pub fn judge(&self, question: &Question<'_>) -> Verdict {
        self.asked(question).unwrap_or_else(|why| {
            tracing::error!(act = %question.act.name(), %why, "a decision could not be made");
            Verdict {
                allowed: false,
                by: Vec::new(),
            }
        })
    }

    fn asked(&self, question: &Question<'_>) -> Result<Verdict, String> {
        let action = self
            .actions
            .get(&word(question.act))
            .ok_or("no policy can speak of it")?;
        let (user, device) = self.people(question.who)?;
        let resource = self.resource(&question.on)?;
        let context = self.circumstances(question, device.as_ref())?;
        let request = Request::new(user.uid(), action.uid(), resource.uid(), context, None)
            .map_err(|e| e.to_string())?;
        let entities = [user, resource, action.clone()].into_iter().chain(device);
        let entities = Entities::from_entities(entities, None).map_err(|e| e.to_string())?;
        let response = Authorizer::new().is_authorized(&request, &self.set, &entities);
        if let Some(error) = response.diagnostics().errors().next() {
            // A policy that fails says nothing: were it one that forbids, that would permit.
            return Err(error.to_string());
        }
        let mut by: Vec<PolicyRef> = response
            .diagnostics()
            .reason()
            .filter_map(|id| self.refs.get(id).cloned())
            .collect();
        by.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Ok(Verdict {
            allowed: response.decision() == Decision::Allow,
            by,
        })
    }

    fn people(&self, who: &Who) -> Result<(Entity, Option<Entity>), String> {
        let agency = uid(&self.types.agency, &who.agency);
        let role = uid(&self.types.role, who.role.name());
        let certified = [
            ("CJIS", who.certifications.cjis),
            ("intel", who.certifications.intel),
        ];
        let certifications = certified.into_iter().filter_map(|(name, until)| {
            let until = RestrictedExpression::new_datetime(until?.to_string());
            Some((name.to_owned(), until))
        });
        let certifications =
            RestrictedExpression::new_record(certifications).map_err(|e| e.to_string())?;
        let id = match who.role {
            Role::Officer | Role::Analyst | Role::Supervisor | Role::Auditor => {
                format!("{}/{}", who.agency, who.name)
            }
            _ => who.role.name().to_owned(),
        };
        let user = entity(
            uid(&self.types.user, &id),
            [
                (
                    "agency",
                    RestrictedExpression::new_entity_uid(agency.clone()),
                ),
                ("certifications", certifications),
            ],
            [agency, role],
        )?;
        let device = who.device.as_ref().map(|agency| {
            let agency = uid(&self.types.agency, agency);
            entity(
                uid(&self.types.device, "the device"),
                [(
                    "agency",
                    RestrictedExpression::new_entity_uid(agency.clone()),
                )],
                [agency],
            )
        });
        Ok((user, device.transpose()?))
    }

    fn resource(&self, on: &On<'_>) -> Result<Entity, String> {
        let agency_of = |agency: &str| uid(&self.types.agency, agency);
        let attribute = |uid: &EntityUid| RestrictedExpression::new_entity_uid(uid.clone());
        match *on {
            On::Center => entity(uid(&self.types.center, "center"), [], []),
            On::Document {
                agency,
                compartment,
            } => {
                let call = uid(&self.types.call, "the call");
                let agency = agency_of(agency);
                let compartment = uid(&self.types.compartment, compartment.name());
                let attributes = [
                    ("agency", attribute(&agency)),
                    ("compartment", attribute(&compartment)),
                ];
                let document = uid(&self.types.document, "the document");
                entity(document, attributes, [call, agency, compartment])
            }
            On::Source {
                agency,
                name,
                compartment,
            } => {
                let agency = agency_of(agency);
                let compartment = uid(&self.types.compartment, compartment.name());
                let attributes = [
                    ("agency", attribute(&agency)),
                    ("compartment", attribute(&compartment)),
                ];
                entity(
                    uid(&self.types.source, name),
                    attributes,
                    [agency, compartment],
                )
            }
        }
    }

    fn circumstances(
        &self,
        question: &Question<'_>,
        device: Option<&Entity>,
    ) -> Result<Context, String> {
        let purpose = uid(&self.types.purpose, question.purpose);
        let today = RestrictedExpression::new_datetime(question.today.to_string());
        let device = device.map(|device| {
            let device = RestrictedExpression::new_entity_uid(device.uid());
            ("device".to_owned(), device)
        });
        let said = [
            ("today".to_owned(), today),
            (
                "purpose".to_owned(),
                RestrictedExpression::new_entity_uid(purpose),
            ),
        ];
        Context::from_pairs(said.into_iter().chain(device)).map_err(|e| e.to_string())
    }
}

fn entity<const A: usize, const P: usize>(
    uid: EntityUid,
    attributes: [(&str, RestrictedExpression); A],
    parents: [EntityUid; P],
) -> Result<Entity, String> {
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value));
    Entity::new(uid, HashMap::from(attributes), HashSet::from(parents)).map_err(|e| e.to_string())
}

/// An act as policies write it. What is done to a compartment is one word: the compartment is
/// the document's.
fn word(act: Act) -> String {
    match act {
        Act::Show(_) => "show".into(),
        Act::Carry(_) => "carry".into(),
        Act::Release(_) => "release".into(),
        Act::SearchIn(_) => "search in".into(),
        Act::Retain(_) => "retain".into(),
        Act::Purge(_) => "purge".into(),
        other => other.name(),
    }
}

/// The policies' files, in the order of their names.
fn files(folder: &Path) -> Result<Vec<(String, String)>, PolicyFault> {
    let fault = |path: &Path, what: String| PolicyFault {
        file: path.display().to_string(),
        at: None,
        what,
    };
    let unreadable = |e: std::io::Error| fault(folder, format!("it cannot be read: {e}"));
    let mut paths = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "cedar")
        {
            paths.insert(path);
        }
    }
    if paths.len() > FILES_MAX {
        let what = format!(
            "it has {} files of policies, at most {FILES_MAX} are read",
            paths.len()
        );
        return Err(fault(folder, what));
    }
    let read = |path: &std::path::PathBuf| {
        let failed = |e: std::io::Error| fault(path, format!("it cannot be read: {e}"));
        let bytes = std::fs::metadata(path).map_err(failed)?.len();
        if bytes > BYTES_MAX {
            let what = format!("it has {bytes} bytes, at most {BYTES_MAX} are read");
            return Err(fault(path, what));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        Ok((path.display().to_string(), text))
    };
    paths.iter().map(read).collect()
}

fn start(text: &str, policy: &Policy) -> Option<usize> {
    text.find(&policy.to_string())
}

fn offset_of(error: &impl Diagnostic) -> Option<usize> {
    Some(error.labels()?.next()?.offset())
}

/// What it says, with its advice.
fn told(error: &(impl Diagnostic + fmt::Display)) -> String {
    let mut told = error.to_string();
    if let Some(label) = error.labels().and_then(|mut all| all.next())
        && let Some(label) = label.label()
    {
        told = format!("{told}: {label}");
    }
    match error.help() {
        Some(help) => format!("{told} ({help})").replace('\n', " "),
        None => told.replace('\n', " "),
    }
}

/// Line and column, from 1, in characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}
