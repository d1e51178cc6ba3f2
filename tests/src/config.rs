//! The one made-up center of these tests.

use std::net::SocketAddr;
use std::path::Path;

pub const AGENCY: &str = "cedarport-pd";
/// Its units; officers have the badges 101 to 104.
pub const UNITS: [&str; 4] = ["1A1", "1A2", "1B1", "1B2"];

/// `center.toml`, with its data in `data` and these ports.
#[must_use]
pub fn config_text(data: &Path, sync: SocketAddr, console: SocketAddr) -> String {
    let units = UNITS.map(|unit| format!("{unit:?}")).join(", ");
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
