//! The pages by which people sign in, and the one for supervisors about them.

use askama::Template;

use super::HeaderView;

/// `GET /sign-in`
#[derive(Debug, Clone, Template)]
#[template(path = "sign_in_page.html")]
pub struct SignInPage {
    pub center_name: String,
    /// Where it leads to.
    pub to: String,
    /// Agencies with a sign-in of their own, by id and name.
    pub providers: Vec<(String, String)>,
}

/// `GET /enrol`: adds a passkey by a single-use link.
#[derive(Debug, Clone, Template)]
#[template(path = "enrol_page.html")]
pub struct EnrolPage {
    pub center_name: String,
}

/// `GET /notice`: until it is acknowledged.
#[derive(Debug, Clone, Template)]
#[template(path = "notice_to_read_page.html")]
pub struct NoticeToReadPage {
    pub center_name: String,
    pub notice: String,
    pub to: String,
}

/// What stands in the place of any page while its session is locked.
#[derive(Debug, Clone, Template)]
#[template(path = "locked_page.html")]
pub struct LockedPage {
    pub center_name: String,
}

/// `GET /people`
#[derive(Debug, Clone, Template)]
#[template(path = "people_page.html")]
pub struct PeoplePage {
    pub header: HeaderView,
    pub agency: String,
    /// An auditor sees it all and changes nothing.
    pub may_change: bool,
    /// Why what was asked was not done.
    pub refused: Option<String>,
    /// The link that was just made, and for whom: shown this once.
    pub made: Option<MadeView>,
    pub form: PersonFormView,
    pub people: Vec<PersonRowView>,
}

#[derive(Debug, Clone)]
pub struct MadeView {
    pub name: String,
    pub link: String,
}

/// What was in the form when it was refused.
#[derive(Debug, Clone, Default)]
pub struct PersonFormView {
    pub name: String,
    pub role: String,
    pub certifications: String,
}

impl PersonFormView {
    pub const ROLES: [(&'static str, &'static str); 3] = [
        ("analyst", "Analyst"),
        ("supervisor", "Supervisor"),
        ("auditor", "Auditor"),
    ];
}

#[derive(Debug, Clone)]
pub struct PersonRowView {
    pub number: i64,
    pub name: String,
    pub role: String,
    /// Each with its last day, and whether that is over.
    pub certifications: Vec<(String, bool)>,
    /// As the form takes them.
    pub certifications_text: String,
    pub seen: String,
    /// Since when, by whom and why.
    pub disabled: Option<String>,
    pub locked: Option<String>,
    /// The person's agency has a sign-in of its own; by which claim it names the person;
    /// whether it has done so.
    pub has_provider: bool,
    pub claim: String,
    pub is_bound: bool,
    pub passkeys: Vec<PasskeyRowView>,
}

#[derive(Debug, Clone)]
pub struct PasskeyRowView {
    pub number: i64,
    pub label: String,
    pub added: String,
    pub used: String,
}
