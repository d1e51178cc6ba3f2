//! The one made-up center of these tests.

use std::net::SocketAddr;
use std::path::Path;

pub const AGENCY: &str = "cedarport-pd";
/// Its units; officers have the badges 101 to 104.
pub const UNITS: [&str; 4] = ["1A1", "1A2", "1B1", "1B2"];

/// `center.toml`, with its data in `data` and these ports.
#[must_use]
pub fn config_text(data: &Path, sync: SocketAddr, console: SocketAddr) -> String {
    config_text_of(&UNITS.map(str::to_owned), data, sync, console)
}

/// … for an agency with these units.
pub(crate) fn config_text_of(
    units: &[String],
    data: &Path,
    sync: SocketAddr,
    console: SocketAddr,
) -> String {
    let units: Vec<_> = units.iter().map(|unit| format!("{unit:?}")).collect();
    let units = units.join(", ");
    format!(
        r#"
name = "Test RTCC"
data = {data:?}
sync = "{sync}"
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
]
"#
    )
}
