//! Who watches the demo: one made-up supervisor, let in by a single-use link.

use server::log::LogError;
use server::people::Post;
use server::people::accounts::{self, NewPerson};
use server::people::links::{self, LinkFor};

use super::Shared;

const NAME: &str = "Morgan Ellis";
/// As the audit log names who makes the account and the link.
const BY: &str = "the demo";

/// Where the person signs in. Each start makes another link; the one before is void.
pub(super) async fn sign_in(center: &Shared, console: &str) -> Result<String, String> {
    let agency = center
        .config
        .agencies
        .first()
        .map(|agency| agency.id.clone());
    let made = center.log.write(move |ledger| {
        let people = accounts::all(ledger.sql(), None)?;
        let id = match people.iter().find(|person| person.name == NAME) {
            Some(person) => person.id,
            None => {
                let new = NewPerson {
                    agency,
                    name: NAME.into(),
                    post: Post::Supervisor,
                    certifications: vec![],
                };
                accounts::add(ledger, &new, BY)?
            }
        };
        links::new(ledger, id, LinkFor::Demo, BY)
    });
    let secret = made.await.map_err(|e: LogError| e.to_string())?;
    Ok(format!("{console}/sign-in#{secret}"))
}
