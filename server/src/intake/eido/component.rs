//! Components: what every one of them must have, and following references.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::intake::reading::Node;
use crate::intake::report::IntakeError;

/// A component whose prologue (`$id`, `lastUpdateTimeStamp`,
/// `updatedByAgencyReference`) is as the schema has it.
#[derive(Clone, Debug)]
pub(super) struct Component<'a> {
    pub(super) node: Node<'a>,
    pub(super) id: Node<'a>,
    pub(super) updated: Timestamp,
    pub(super) updated_by: Reference<'a>,
}

/// A `{"$ref": …}`.
#[derive(Clone, Debug)]
pub(super) struct Reference<'a> {
    target: Node<'a>,
}

/// What a required field must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Text,
    List,
    Time,
}

/// All components under one key.
#[derive(Debug)]
pub(super) struct Components<'a> {
    pub(super) all: Vec<Component<'a>>,
    by_id: HashMap<&'a str, usize>,
}

impl<'a> Component<'a> {
    pub(super) fn of(node: Node<'a>) -> Result<Self, IntakeError> {
        let id = node.need("$id", "text")?;
        id.str()?;
        let updated_by = node.need("updatedByAgencyReference", "a reference")?;
        Ok(Self {
            id,
            updated: node
                .need("lastUpdateTimeStamp", "a time (RFC 3339)")?
                .timestamp()?,
            updated_by: Reference::of(&updated_by)?,
            node,
        })
    }

    pub(super) fn require(&self, fields: &[(&str, Shape)]) -> Result<(), IntakeError> {
        for (key, shape) in fields {
            match shape {
                Shape::Text => self.node.need(key, "text")?.str().map(drop)?,
                Shape::List => self.node.need(key, "a list")?.list().map(drop)?,
                Shape::Time => self
                    .node
                    .need(key, "a time (RFC 3339)")?
                    .timestamp()
                    .map(drop)?,
            }
        }
        Ok(())
    }

    /// The references in the list under `key`.
    pub(super) fn references(&self, key: &str) -> Result<Vec<Reference<'a>>, IntakeError> {
        self.node.items(key)?.iter().map(Reference::of).collect()
    }
}

impl<'a> Reference<'a> {
    fn of(node: &Node<'a>) -> Result<Self, IntakeError> {
        let target = node.need("$ref", "the $id of a component")?;
        target.str()?;
        Ok(Self { target })
    }

    /// The `$id` that is meant, and where it stands.
    pub(super) fn target(&self) -> &Node<'a> {
        &self.target
    }
}

impl<'a> Components<'a> {
    pub(super) fn of(
        root: &Node<'a>,
        key: &str,
        required: &[(&str, Shape)],
    ) -> Result<Self, IntakeError> {
        let mut all = Vec::new();
        let mut by_id = HashMap::new();
        for node in root.items(key)? {
            let component = Component::of(node)?;
            component.require(required)?;
            by_id.entry(component.id.str()?).or_insert(all.len());
            all.push(component);
        }
        Ok(Self { all, by_id })
    }

    /// The component that is meant; `None` while it has not come.
    pub(super) fn follow(
        &self,
        reference: &Reference<'a>,
    ) -> Result<Option<&Component<'a>>, IntakeError> {
        let at = self.by_id.get(reference.target.str()?);
        Ok(at.and_then(|at| self.all.get(*at)))
    }
}
