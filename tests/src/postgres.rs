//! A PostgreSQL of a test's own: Debian's, on a private port and folder, gone with the test.
//!
//! It speaks TLS with a certificate of its own ([`Postgres::certificate`]) and wants a
//! password (SCRAM-SHA-256), as an agency's does. PostgreSQL refuses to run as root: there
//! it runs as the user whom Debian's package makes.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::wait::skipped;

/// Where Debian's packages put it, a folder a version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Whom Debian's package makes.
const USER: &str = "postgres";
const PASSWORD: &str = "correct-horse-42";

/// Running until it is dropped.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    port: u16,
    certificate: String,
    folder: TempDir,
}

impl Postgres {
    /// `None`, said and put on the list of skipped tests, where this machine has none.
    #[must_use]
    pub fn start(test: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            skipped(test, "there is no PostgreSQL (Debian: postgresql)");
            return None;
        };
        let as_user = match other_user() {
            Ok(user) => user,
            Err(why) => {
                skipped(test, &why);
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let issued = rcgen::generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()]);
        let issued = issued.unwrap();
        std::fs::write(at("password"), PASSWORD).unwrap();
        std::fs::write(at("server.crt"), issued.cert.pem()).unwrap();
        std::fs::write(at("server.key"), issued.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(at("server.key"), Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = as_user {
            for path in [folder.path().to_owned(), at("server.key"), at("password")] {
                chown(path, Some(user), Some(group)).unwrap();
            }
        }
        let made = command(&programs.join("initdb"), as_user)
            .current_dir(folder.path())
            .args([
                "--pgdata=data",
                "--username=forerunner",
                "--pwfile=password",
            ])
            .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"])
            .arg("--no-sync")
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = free_port();
        let mut child = command(&programs.join("postgres"), as_user)
            .current_dir(folder.path())
            .args(["-D", "data", "-h", "127.0.0.1", "-p", &port.to_string()])
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "fsync=off", "-c", "shared_buffers=16MB"])
            .args(["-c", "ssl=on"])
            .args(["-c", "ssl_cert_file=../server.crt"])
            .args(["-c", "ssl_key_file=../server.key"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let said: Vec<String> = log
            .by_ref()
            .map_while(Result::ok)
            .take_while(|line| !line.contains("ready to accept connections"))
            .collect();
        // It stops when nobody reads what it says.
        std::thread::spawn(move || log.map_while(Result::ok).for_each(drop));
        assert!(child.try_wait().unwrap().is_none(), "{said:?}");
        Some(Self {
            child,
            port,
            certificate: issued.cert.pem(),
            folder,
        })
    }

    /// With the user's name and without the password, as a configuration has it.
    #[must_use]
    pub fn url_without_password(&self) -> String {
        format!("postgresql://forerunner@127.0.0.1:{}/postgres", self.port)
    }

    /// With the password.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgresql://forerunner:{PASSWORD}@127.0.0.1:{}/postgres",
            self.port
        )
    }

    /// The server's own certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A file in its folder that holds the password and nothing else.
    #[must_use]
    pub fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// Runs statements, one after another.
    pub async fn run(&self, statements: &str) {
        let (client, connection) = tokio_postgres::connect(&self.url(), tokio_postgres::NoTls)
            .await
            .unwrap();
        let talking = tokio::spawn(connection);
        client.batch_execute(statements).await.unwrap();
        drop(client);
        talking.await.unwrap().unwrap();
    }
}

impl Drop for Postgres {
    /// At once: nothing in it is worth a checkpoint.
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-QUIT", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

/// The folder of the newest version's programs.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").is_file() && bin.join("postgres").is_file())
        .collect();
    versions.sort();
    versions.pop().map(|(_, bin)| bin)
}

/// The user and group to be, where this is root.
fn other_user() -> Result<Option<(u32, u32)>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(|e| e.to_string())?;
    let fields = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields[0] == USER);
    let ids = fields.and_then(|fields| {
        let id = |at: usize| fields.get(at)?.parse().ok();
        Some((id(2)?, id(3)?))
    });
    ids.map(Some).ok_or_else(|| {
        format!("PostgreSQL does not run as root, and there is no user {USER} to run it as")
    })
}

fn command(program: &Path, as_user: Option<(u32, u32)>) -> Command {
    let Some((user, group)) = as_user else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"))
        .arg("--clear-groups")
        .arg(program);
    command
}

/// Free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_postgres_of_a_tests_own_wants_its_password() {
        let Some(postgres) = Postgres::start("a_postgres_of_a_tests_own_wants_its_password") else {
            return;
        };
        postgres.run("CREATE TABLE plates (plate text)").await;
        let without = postgres.url_without_password();
        let refused = tokio_postgres::connect(&without, tokio_postgres::NoTls).await;
        assert!(refused.is_err());
    }
}
