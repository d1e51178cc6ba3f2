//! `forerunner init`: a new center's configuration, keys and log, and its first supervisor.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use server::config::Config;
use server::people::accounts::checked_name;
use server::people::found;

use crate::Ended;

/// Writes a first configuration, makes the center's keys and log, and prints a link by
/// which the first supervisor adds a passkey. What is not given is asked for on a terminal.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The configuration to write; the data folder comes beside it. Neither may be there.
    #[arg(long, value_name = "FILE", default_value = "center.toml")]
    config: PathBuf,
    /// The center's name, as the console shows it.
    #[arg(long)]
    name: Option<String>,
    /// An agency, as city-pd="City Police"; once for each.
    #[arg(long = "agency", value_name = "ID=NAME")]
    agencies: Vec<String>,
    /// The first supervisor, who lets everybody else in.
    #[arg(long, value_name = "NAME")]
    supervisor: Option<String>,
    /// Whose supervisor that is: an agency's id. The first agency's by default.
    #[arg(long, value_name = "ID")]
    supervisor_agency: Option<String>,
    /// By which name people open the console, as https://rtcc.example.gov. Without it the
    /// console answers this machine alone.
    #[arg(long, value_name = "URL")]
    origin: Option<String>,
    /// Where the console listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7080")]
    console: SocketAddr,
    /// Where devices connect.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7443")]
    sync: SocketAddr,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Agency {
    id: String,
    name: String,
}

pub(crate) async fn run(args: InitArgs) -> Ended {
    let folder = match args.config.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let data = folder.join("data");
    for path in [&args.config, &data] {
        if path.exists() {
            return Err(format!(
                "{} is there already: init makes a new center and touches none. \
                 Name another file with --config, or move it away.",
                path.display()
            ));
        }
    }
    let name = given(args.name, "--name", "The center's name")?;
    let name = checked_name(&name).map_err(|why| format!("--name: {why}"))?;
    let agencies = agencies(args.agencies)?;
    let supervisor = given(
        args.supervisor,
        "--supervisor",
        "The first supervisor's name",
    )?;
    let supervisor = checked_name(&supervisor).map_err(|why| format!("--supervisor: {why}"))?;
    let agency = match args.supervisor_agency {
        Some(id) if agencies.iter().any(|agency| agency.id == id) => id,
        Some(id) => return Err(format!("--supervisor-agency: {id} is none of the agencies")),
        None => agencies[0].id.clone(),
    };
    let text = text(
        &name,
        &agencies,
        args.origin.as_deref(),
        args.console,
        args.sync,
    );
    std::fs::create_dir_all(&folder).map_err(|e| cannot(&folder, &e))?;
    let config = checked(&args.config, &text)?;
    let secret = found::found(&config, &agency, &supervisor)
        .await
        .map_err(|e| e.to_string())?;
    let origin = config.console_origin(config.console.port());
    println!("Wrote {} and {}.", args.config.display(), data.display());
    println!(
        "Start the center:  forerunner serve --config {}",
        args.config.display()
    );
    println!("Then {supervisor} opens this link, once, within 24 hours, and adds a passkey:");
    println!("  {origin}/enrol#{secret}");
    println!("It is shown here this one time; hand it to nobody else.");
    Ok(())
}

/// Writes the file and reads it as the center will; what does not hold leaves nothing.
fn checked(path: &Path, text: &str) -> Result<Config, String> {
    std::fs::write(path, text).map_err(|e| cannot(path, &e))?;
    Config::read(path).map_err(|e| {
        // Why it does not hold is worth more than that it could not be taken back.
        let _ = std::fs::remove_file(path);
        e.to_string()
    })
}

fn cannot(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be written: {error}", path.display())
}

/// What the flag gives, or the person at the terminal.
fn given(flag: Option<String>, name: &str, question: &str) -> Result<String, String> {
    match flag {
        Some(text) => Ok(text),
        None => ask(question)?.ok_or_else(|| format!("{name}: wanted, and nobody is here to ask")),
    }
}

/// `None` where there is no terminal.
fn ask(question: &str) -> Result<Option<String>, String> {
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    print!("{question}: ");
    std::io::stdout().flush().map_err(|e| e.to_string())?;
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(|e| e.to_string())?;
    Ok(Some(line.trim().to_owned()))
}

fn agencies(given: Vec<String>) -> Result<Vec<Agency>, String> {
    let mut read = given
        .iter()
        .map(|text| agency(text))
        .collect::<Result<Vec<_>, _>>()?;
    if !read.is_empty() {
        return Ok(read);
    }
    let question = "An agency, as city-pd=City Police (nothing: no more)";
    while let Some(line) = ask(question)?.filter(|line| !line.is_empty()) {
        read.push(agency(&line)?);
    }
    if read.is_empty() {
        return Err("--agency ID=NAME: at least one is wanted".into());
    }
    Ok(read)
}

fn agency(text: &str) -> Result<Agency, String> {
    let wanted = || {
        format!(
            "--agency: an id of small letters, digits and -, then = and a name, as city-pd=\"City Police\", not {text:?}"
        )
    };
    let (id, name) = text.split_once('=').ok_or_else(wanted)?;
    let is_id = (1..=32).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let name = checked_name(name).map_err(|_| wanted())?;
    if !is_id {
        return Err(wanted());
    }
    Ok(Agency {
        id: id.to_owned(),
        name,
    })
}

/// The file: what must be there, and beside it where the rest is said.
fn text(
    name: &str,
    agencies: &[Agency],
    origin: Option<&str>,
    console: SocketAddr,
    sync: SocketAddr,
) -> String {
    let host = origin
        .and_then(|origin| origin.strip_prefix("https://"))
        .map(|host| host.split(':').next().unwrap_or(host));
    // TOML's strings have JSON's escapes.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut names = vec!["localhost", "127.0.0.1"];
    names.extend(host.filter(|host| *host != "localhost"));
    let mut text = format!(
        "# Made by `forerunner init`. All that can stand here: README.md, server/src/config.rs.\n\
         name = {}\n\
         # The log and the keys: encrypted, or readable by this user alone.\n\
         data = \"data\"\n\
         # Devices: TLS 1.3 with client certificates.\n\
         sync = \"{sync}\"\n\
         # The analysts' pages and the API.\n\
         console = \"{console}\"\n\
         # By which devices and browsers know the center; certificates are made for these.\n\
         names = {names:?}\n\n\
         [sign_in]\n",
        quoted(name)
    );
    match origin {
        Some(origin) => text.push_str(&format!(
            "# Passkeys are bound to this name for ever.\norigin = {}\n",
            quoted(origin)
        )),
        None => text.push_str(
            "# By which name people open the console. Without it, it answers this machine alone.\n\
             # Passkeys are bound to this name for ever.\n\
             # origin = \"https://rtcc.example.gov\"\n",
        ),
    }
    text.push_str(
        "# What everybody acknowledges at each sign-in (CJIS AC-8): your agency's own words.\n\
         # notice = \"\"\"…\"\"\"\n\
         # Exempt from lock and end without use (AC-11, SC-10).\n\
         # dispatch_consoles = [\"10.20.30.40\"]\n",
    );
    for agency in agencies {
        text.push_str(&format!(
            "\n[[agencies]]\nid = {}\nname = {}\nunits = []\nofficers = []\n",
            quoted(&agency.id),
            quoted(&agency.name)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn args(folder: &Path) -> InitArgs {
        InitArgs {
            config: folder.join("center.toml"),
            name: Some("Three Rivers \"RTCC\"".into()),
            agencies: vec!["city-pd=City Police".into(), "so=County Sheriff".into()],
            supervisor: Some("Sam Lee".into()),
            supervisor_agency: Some("so".into()),
            origin: Some("https://rtcc.example.gov".into()),
            console: "0.0.0.0:7080".parse().unwrap(),
            sync: "0.0.0.0:7443".parse().unwrap(),
        }
    }

    #[tokio::test]
    async fn a_new_folder_gets_a_center_and_one_that_has_something_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        run(args(folder.path())).await.unwrap();
        let config = Config::read(&folder.path().join("center.toml")).unwrap();
        assert_eq!(config.name, "Three Rivers \"RTCC\"");
        assert_eq!(config.agencies.len(), 2);
        assert!(config.data.join("center.db").is_file());
        let again = run(args(folder.path())).await.unwrap_err();
        assert!(again.contains("center.toml is there already"), "{again}");
        std::fs::remove_file(folder.path().join("center.toml")).unwrap();
        let again = run(args(folder.path())).await.unwrap_err();
        assert!(again.contains("data is there already"), "{again}");
    }

    #[tokio::test]
    async fn what_does_not_fit_is_named_and_leaves_nothing() {
        let wrong = |change: fn(&mut InitArgs), says: &'static str| async move {
            let folder = tempfile::tempdir().unwrap();
            let mut args = args(folder.path());
            change(&mut args);
            let why = run(args).await.unwrap_err();
            assert!(why.contains(says), "{why}");
            assert_eq!(folder.path().read_dir().unwrap().count(), 0, "{says}");
        };
        wrong(
            |a| a.agencies = vec!["City Police".into()],
            "--agency: an id",
        )
        .await;
        wrong(|a| a.supervisor_agency = Some("fd".into()), "fd is none of").await;
        wrong(|a| a.supervisor = Some(" ".into()), "--supervisor: name").await;
        wrong(|a| a.origin = Some("http://rtcc".into()), "sign_in.origin").await;
        wrong(|a| a.origin = None, "sign_in.origin").await;
    }
}
