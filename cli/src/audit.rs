//! `forerunner audit`: the audit log verified, exported, signed, witnessed.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};
use server::audit::Subject;
use server::audit::export::{self, Form};
use server::audit::find::{Criteria, FindRequest};
use server::audit::note::{Checkpoint, KeyKind, Note, SigningKey, VerifierKey, random_seed};
use server::audit::tree::{Hash, is_consistent};
use server::audit::verify::{Fault, Verified, former_in};
use server::audit::witness::{ConsistencyView, judge};
use server::audit::{offline, subjects};
use server::config::Config;

use crate::Ended;

/// How long the center may take for one answer.
const ANSWER_S_MAX: u64 = 30;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Hold a log, a backup or an export against its checkpoints, or two checkpoints against
    /// each other: say which entry was changed, removed or moved, and end with 1.
    Verify(VerifyArgs),
    /// Write entries to a file: JSON that proves itself, or CSV for a spreadsheet.
    Export(ExportArgs),
    /// Sign what is there now; print the checkpoint, and the key that verifies it.
    Checkpoint(CheckpointArgs),
    /// On an agency's own machine: cosign the center's newest checkpoint, when it is proved
    /// to begin with the one that was cosigned before.
    Cosign(CosignArgs),
    /// Destroy the key by which the entries about somebody are found: a lawful purge.
    Forget(ForgetArgs),
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["config", "data", "export", "center"])))]
pub(crate) struct VerifyArgs {
    /// The center's configuration: its log, and its witnesses' lines. It may be running.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A center's data folder, or a backup.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// An export in JSON.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// The center's API, for the proof between two checkpoints.
    #[arg(long, value_name = "URL", requires = "key")]
    center: Option<String>,
    /// A checkpoint that was kept elsewhere. Can be given several times; with --center twice.
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The center's key, as `forerunner audit checkpoint` prints it.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The certificate authority of a center with TLS on the console's port (PEM).
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormArg {
    Json,
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The center's configuration. The center may be running.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A file that is not there yet.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    #[arg(long, default_value = "json")]
    form: FormArg,
    /// A part of the name of who did it.
    #[arg(long, default_value = "")]
    who: String,
    /// What was looked up, such as plate:ABC123 (plate, person, phone, address, words).
    #[arg(long, default_value = "", value_name = "KIND:VALUE")]
    subject: String,
    /// A call's id.
    #[arg(long, default_value = "")]
    call: String,
    /// A device's number.
    #[arg(long, default_value = "")]
    device: String,
    /// A time (RFC 3339), or a date (UTC).
    #[arg(long, default_value = "")]
    from: String,
    #[arg(long, default_value = "")]
    to_time: String,
    #[arg(long, default_value = "")]
    purpose: String,
}

#[derive(Debug, Args)]
pub(crate) struct CheckpointArgs {
    /// The center's configuration. The center may be running.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Write the checkpoint to this file, too.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CosignArgs {
    /// The center's API.
    #[arg(long, value_name = "URL")]
    center: String,
    /// The center's key, as `forerunner audit checkpoint` prints it at the center.
    #[arg(long, value_name = "KEY")]
    log: String,
    /// This witness's key: made when it is not there. The last checkpoint that it has
    /// cosigned lies beside it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The certificate authority of a center with TLS on the console's port (PEM).
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The witness's name, such as so.example.gov/witness: for a key that is made.
    #[arg(long)]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetArgs {
    /// The center's configuration. The center may be running.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Whom, such as person:DOE, JANE (plate, person, phone, address, words).
    #[arg(long, value_name = "KIND:VALUE")]
    subject: String,
    /// Who has it done.
    #[arg(long)]
    by: String,
    /// Why, such as a court's order and its number.
    #[arg(long)]
    reason: String,
}

pub(crate) async fn run(command: AuditCommand) -> Ended {
    match command {
        AuditCommand::Verify(args) => verify(&args).await,
        AuditCommand::Export(args) => export(args),
        AuditCommand::Checkpoint(args) => checkpoint(&args),
        AuditCommand::Cosign(args) => cosign(&args).await,
        AuditCommand::Forget(args) => forget(&args),
    }
}

async fn verify(args: &VerifyArgs) -> Ended {
    let key = args.key.as_deref().map(VerifierKey::read).transpose();
    let key = key.map_err(|e| format!("--key: {e}"))?;
    if let Some(file) = &args.export {
        return verify_export(file, key.as_ref());
    }
    if let Some(center) = &args.center {
        let key = key.ok_or("--key is wanted with --center")?;
        return verify_two(center, &args.checkpoint, &key, args.ca.as_deref()).await;
    }
    let (data, witnesses) = match (&args.config, &args.data) {
        (Some(config), _) => {
            let config = read(config)?;
            let witnesses = config.audit.verifiers();
            (config.data, witnesses)
        }
        (None, Some(data)) => (data.clone(), Vec::new()),
        (None, None) => return Err("wanted --config, --data, --export or --center".into()),
    };
    let former = args.checkpoint.iter().map(|path| former_in(path));
    let former: Vec<_> = former.collect::<Result<_, _>>()?;
    let verified = offline::verify(&data, &former, &witnesses, key.as_ref());
    let verified = verified.map_err(|e| e.to_string())?;
    told(&verified.faults, verified.more_faults)?;
    println!("{}", summary(&verified, former.len()));
    Ok(())
}

fn summary(verified: &Verified, former: usize) -> String {
    let Verified {
        purged_through,
        last,
        checkpoints,
        signed,
        witnessed,
        ..
    } = verified;
    let mut said = format!(
        "The audit log is as it was written: {} entries",
        last - purged_through
    );
    if *purged_through > 0 {
        said += &format!(", the first {purged_through} purged");
    }
    said += &format!("; {checkpoints} checkpoints hold, the last of {signed} entries");
    if last > signed {
        said += &format!("; {} entries are newer than any checkpoint", last - signed);
    }
    if former > 0 {
        said += &format!("; it begins with what {former} kept elsewhere say");
    }
    for (witness, size) in witnessed {
        said += &format!("; {witness} has cosigned {size}");
    }
    said + "."
}

/// Nothing where there is nothing to tell.
fn told(faults: &[Fault], more: u64) -> Ended {
    let Some(first) = faults.first() else {
        return Ok(());
    };
    for fault in faults {
        println!("{fault}");
    }
    if more > 0 {
        println!("and {more} more");
    }
    let count = faults.len() as u64 + more;
    let others = match count {
        1 => String::new(),
        2 => " (and one more fault)".into(),
        _ => format!(" (and {} more faults)", count - 1),
    };
    Err(format!(
        "the audit log is not as it was written: {first}{others}"
    ))
}

fn verify_export(path: &Path, key: Option<&VerifierKey>) -> Ended {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let file = File::open(path).map_err(|e| failed(&e))?;
    let verified = export::verify(BufReader::new(file), key).map_err(|e| failed(&e))?;
    told(&verified.faults, 0)?;
    let known = if verified.by_known_key {
        ""
    } else {
        " Whose key it is, the file alone says: give the center's with --key."
    };
    println!(
        "The export is as the center gave it: {} entries of {}; asked: {}.{known}",
        verified.entries, verified.of, verified.asked
    );
    Ok(())
}

async fn verify_two(
    center: &str,
    checkpoints: &[PathBuf],
    key: &VerifierKey,
    ca: Option<&Path>,
) -> Ended {
    let [one, other] = checkpoints else {
        return Err("--center is for the proof between two: give --checkpoint twice".into());
    };
    let read = |path: &PathBuf| {
        let former = former_in(path)?;
        Checkpoint::read(&former.note, key)
            .map(|(checkpoint, _)| checkpoint)
            .map_err(|e| format!("{}: {e}", path.display()))
    };
    let (one, other) = (read(one)?, read(other)?);
    let (former, later) = if one.size <= other.size {
        (one, other)
    } else {
        (other, one)
    };
    let proof = proof(&client(ca)?, center, former.size, later.size).await?;
    if !is_consistent(former.size, &former.root, later.size, &later.root, &proof) {
        return Err(format!(
            "the first {} of the {} entries are not those that were signed before: entries were changed, removed or reordered",
            former.size, later.size
        ));
    }
    println!(
        "The {} entries begin with the {} of before.",
        later.size, former.size
    );
    Ok(())
}

fn export(args: ExportArgs) -> Ended {
    let config = read(&args.config)?;
    let (subject_kind, subject) = match args.subject.split_once(':') {
        Some((kind, value)) => (kind.to_owned(), value.to_owned()),
        None if args.subject.is_empty() => Default::default(),
        None => return Err("--subject: KIND:VALUE, such as plate:ABC123".into()),
    };
    let criteria = Criteria::of(&FindRequest {
        who: args.who,
        subject_kind,
        subject,
        call: args.call,
        device: args.device,
        from: args.from,
        to: args.to_time,
        purpose: args.purpose,
        ..FindRequest::default()
    })
    .map_err(|e| e.to_string())?;
    let form = match args.form {
        FormArg::Json => Form::Json,
        FormArg::Csv => Form::Csv,
    };
    let exported =
        offline::export(&config, &criteria, form, &args.to).map_err(|e| e.to_string())?;
    println!(
        "{} entries in {}, by the checkpoint of {}.",
        exported.entries,
        args.to.display(),
        exported.checkpoint
    );
    Ok(())
}

fn checkpoint(args: &CheckpointArgs) -> Ended {
    let (note, key) = offline::checkpoint(&read(&args.config)?).map_err(|e| e.to_string())?;
    let note = note.ok_or("there is no entry yet: start the center once")?;
    if let Some(to) = &args.to {
        std::fs::write(to, &note)
            .map_err(|e| format!("{} cannot be written: {e}", to.display()))?;
    }
    println!("{note}\nKey: {key}");
    Ok(())
}

fn forget(args: &ForgetArgs) -> Ended {
    let kinds = subjects::KINDS.join(", ");
    let wanted = || format!("--subject: KIND:VALUE, where KIND is one of {kinds}");
    let (kind, value) = args.subject.split_once(':').ok_or_else(wanted)?;
    let subject = Subject::read(kind, value).ok_or_else(wanted)?;
    let was_known = offline::forget_subject(&read(&args.config)?, &subject, &args.by, &args.reason)
        .map_err(|e| e.to_string())?;
    if was_known {
        println!(
            "The key is destroyed: no entry is found by this any more. Backups from before still have it."
        );
    } else {
        println!("Nobody has looked this up: there was nothing to forget.");
    }
    Ok(())
}

fn read(path: &Path) -> Result<Config, String> {
    Config::read(path).map_err(|e| e.to_string())
}

fn client(ca: Option<&Path>) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(ANSWER_S_MAX));
    if let Some(ca) = ca {
        let failed = |e: &dyn std::fmt::Display| format!("--ca {}: {e}", ca.display());
        let pem = std::fs::read(ca).map_err(|e| failed(&e))?;
        let certificate = reqwest::Certificate::from_pem(&pem).map_err(|e| failed(&e))?;
        builder = builder.tls_certs_only([certificate]);
    }
    builder.build().map_err(|e| e.to_string())
}

async fn get(client: &reqwest::Client, url: &str) -> Result<String, String> {
    let answer = client.get(url).send().await;
    let answer = answer.map_err(|e| format!("the center does not answer: {e}"))?;
    let is_good = answer.status().is_success();
    let text = answer.text().await.map_err(|e| e.to_string())?;
    if is_good {
        Ok(text)
    } else {
        Err(format!("the center answers: {text}"))
    }
}

async fn proof(
    client: &reqwest::Client,
    center: &str,
    from: u64,
    to: u64,
) -> Result<Vec<Hash>, String> {
    if from == 0 || from == to {
        return Ok(Vec::new());
    }
    let center = center.trim_end_matches('/');
    let url = format!("{center}/v1/audit/consistency?from={from}&to={to}");
    let view: ConsistencyView =
        serde_json::from_str(&get(client, &url).await?).map_err(|e| e.to_string())?;
    let proof: Option<Vec<Hash>> = view.proof.iter().map(|hash| Hash::read(hash)).collect();
    proof.ok_or_else(|| "the center's proof is none".to_owned())
}

async fn cosign(args: &CosignArgs) -> Ended {
    let log = VerifierKey::read(&args.log).map_err(|e| format!("--log: {e}"))?;
    let key = witness_key(&args.key, args.name.as_deref())?;
    let kept = args.key.with_extension("checkpoint");
    let former = match std::fs::read_to_string(&kept) {
        Ok(note) => Some(
            Checkpoint::of(&Note::read(&note).map_err(|e| e.to_string())?)
                .map_err(|e| format!("{}: {e}", kept.display()))?,
        ),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(format!("{} cannot be read: {e}", kept.display())),
    };
    let client = client(args.ca.as_deref())?;
    let center = args.center.trim_end_matches('/');
    let note = get(&client, &format!("{center}/v1/audit/checkpoint")).await?;
    let (later, _) = Checkpoint::read(&note, &log)
        .map_err(|e| format!("the center's checkpoint was not cosigned: {e}"))?;
    let proof = match &former {
        Some(former) if former.origin == later.origin && former.size < later.size => {
            proof(&client, center, former.size, later.size).await?
        }
        _ => Vec::new(),
    };
    judge(former.as_ref(), &later, &proof).map_err(|e| {
        format!(
            "not cosigned: {e}. What was cosigned before is in {}: keep it",
            kept.display()
        )
    })?;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH);
    let line = key.cosign(&later, now_s.unwrap_or_default().as_secs());
    // What is remembered is durable before anybody has the line (c2sp.org/tlog-witness).
    let whole = note + &line;
    write_durably(&kept, whole.as_bytes())?;
    let answer = client
        .post(format!("{center}/v1/audit/cosignatures"))
        .body(whole)
        .send()
        .await
        .map_err(|e| format!("the center does not answer: {e}"))?;
    if !answer.status().is_success() {
        let why = answer.text().await.unwrap_or_default();
        return Err(format!("the center did not take the line: {why}"));
    }
    println!(
        "Cosigned {} entries as {}.",
        later.size,
        key.verifier().name()
    );
    Ok(())
}

fn witness_key(path: &Path, name: Option<&str>) -> Result<SigningKey, String> {
    let failed = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let (name, seed) = match std::fs::read_to_string(path) {
        Ok(text) => {
            let mut lines = text.lines();
            let (Some(name), Some(seed)) = (lines.next(), lines.next()) else {
                return Err(failed(&"no witness's key"));
            };
            (name.to_owned(), seed.to_owned())
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let name = name
                .ok_or("--name is wanted for a key that is made, such as so.example.gov/witness")?;
            let seed = random_seed().ok_or("this machine gives no randomness")?;
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path).map_err(|e| failed(&e))?;
            writeln!(file, "{name}\n{seed}").map_err(|e| failed(&e))?;
            file.sync_all().map_err(|e| failed(&e))?;
            (name.to_owned(), seed)
        }
        Err(e) => return Err(failed(&e)),
    };
    let seed = Hash::read(&seed).ok_or_else(|| failed(&"no witness's key"))?;
    let key = SigningKey::new(&name, KeyKind::Witness, &seed.0).map_err(|e| failed(&e))?;
    println!(
        "This witness's key, for the center's configuration (audit.witnesses): {}",
        key.verifier()
    );
    Ok(key)
}

fn write_durably(path: &Path, bytes: &[u8]) -> Ended {
    let failed = |e: std::io::Error| format!("{} cannot be written: {e}", path.display());
    let half = path.with_extension("half");
    let mut file = File::create(&half).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&half, path).map_err(failed)
}
