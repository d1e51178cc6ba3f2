//! The one made-up center of these tests.

use std::net::SocketAddr;
use std::path::Path;

pub const AGENCY: &str = "cedarport-pd";
/// Its units; officers have the badges 101 to 104.
pub const UNITS: [&str; 4] = ["1A1", "1A2", "1B1", "1B2"];

/// The first badge of those officers who are only many.
pub const MORE_BADGES: usize = 10_000;

/// `center.toml`, with its data in `data` and these ports.
#[must_use]
pub fn config_text(data: &Path, sync: SocketAddr, console: SocketAddr) -> String {
    config_text_of(&UNITS.map(str::to_owned), 0, data, sync, console)
}

/// … for an agency with these units, and so many officers more: badges from
/// [`MORE_BADGES`] on.
pub(crate) fn config_text_of(
    units: &[String],
    more_officers: usize,
    data: &Path,
    sync: SocketAddr,
    console: SocketAddr,
) -> String {
    let units: Vec<_> = units.iter().map(|unit| format!("{unit:?}")).collect();
    let units = units.join(", ");
    let more = (MORE_BADGES..).take(more_officers);
    let more: String = more
        .map(|badge| format!("    {{ badge = \"{badge}\", name = \"Officer {badge}\" }},\n"))
        .collect();
    let address = sync.ip();
    format!(
        r#"
name = "Test RTCC"
data = {data:?}
sync = "{sync}"
names = ["localhost", "127.0.0.1", "{address}"]
console = "{console}"
console_tls = false

[[agencies]]
id = "{AGENCY}"
name = "Cedarport Police"
units = [{units}]
officers = [
    {{ badge = "101", name = "Diaz" }},
    {{ badge = "102", name = "Ferris" }},
    {{ badge = "103", name = "Okafor" }},
    {{ badge = "104", name = "Lindqvist" }},
{more}]
"#
    )
}
