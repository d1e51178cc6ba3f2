//! How the callers can be called back, as lines of narrative: a number that is in the
//! packet can be asked of the sources, and called.

use super::component::Components;
use crate::intake::reading::Node;
use crate::intake::report::IntakeError;

pub(super) fn lines(root: &Node<'_>) -> Result<Vec<String>, IntakeError> {
    let callbacks = Components::of(root, "callbackComponent", &[])?;
    let mut lines: Vec<String> = Vec::new();
    for callback in &callbacks.all {
        let mut numbers = Vec::new();
        for uri in callback.node.items("callBackInformationUri")? {
            numbers.extend(number(uri.str()?));
        }
        if let Some(updated) = callback.node.get("updatedCbn")? {
            let uri = updated.need("updatedCbnIdentifierUri", "text")?;
            numbers.extend(number(uri.str()?));
        }
        for number in numbers {
            let line = format!("Call back: {number}");
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    Ok(lines)
}

/// The number in a `tel:` URI (RFC 3966), without its parameters.
fn number(uri: &str) -> Option<String> {
    let number = uri.trim().strip_prefix("tel:")?;
    let number = number.split(';').next()?.trim();
    (!number.is_empty()).then(|| number.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telephone_number_is_read_and_another_uri_is_not() {
        assert_eq!(
            number("tel:+1-414-555-0101;ext=7").as_deref(),
            Some("+1-414-555-0101")
        );
        assert_eq!(number("sip:4145550101@osp.example"), None);
        assert_eq!(number("tel:;"), None);
    }
}
