//! `forerunner sources check` and `forerunner sources try`: whether the sources of a
//! configuration work, and what comes of what they say.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use packet::{Confidence, Finding, QueryWhat, Subject};
use server::config::Config;
use server::enrich::by_hand::{has_log, plan_by_hand, put_on_record};
use server::enrich::plan::Planned;
use server::enrich::{Asks, Brings, FetchError, Source, SourceConfig, Sources, Tried};

use crate::Ended;

/// Most characters of a raw answer that are shown.
const RAW_CHARS_MAX: usize = 4_000;

#[derive(Debug, Subcommand)]
pub(crate) enum SourcesCommand {
    /// Ask each source something, and say which of them work.
    Check {
        /// The center's configuration. The center may be running.
        #[arg(long, value_name = "FILE", default_value = "center.toml")]
        config: PathBuf,
    },
    /// Ask one source, and show what it said beside what comes of it.
    Try(TryArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TryArgs {
    /// The source, as the configuration names it.
    name: String,
    /// The center's configuration. The center may be running.
    #[arg(long, value_name = "FILE", default_value = "center.toml")]
    config: PathBuf,
    #[command(flatten)]
    about: About,
    /// A purpose code of the center's; without one the usual.
    #[arg(long, value_name = "CODE")]
    purpose: Option<String>,
    /// Why, in your own words, where the source wants to know.
    #[arg(long, value_name = "WORDS")]
    reason: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct About {
    /// Such as "5237 N 35TH ST".
    #[arg(long)]
    address: Option<String>,
    /// Such as ABC123, or "ABC123 WI".
    #[arg(long)]
    plate: Option<String>,
    /// Such as "DOE, JANE 1984-05-03".
    #[arg(long)]
    person: Option<String>,
    /// Such as 414-555-0137.
    #[arg(long)]
    phone: Option<String>,
    /// Latitude and longitude in degrees, such as 43.04,-87.91.
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true)]
    position: Option<String>,
}

impl About {
    fn subject(&self) -> Result<Subject, String> {
        for (what, value) in [
            (QueryWhat::Address, &self.address),
            (QueryWhat::Plate, &self.plate),
            (QueryWhat::Person, &self.person),
            (QueryWhat::Phone, &self.phone),
        ] {
            if let Some(value) = value {
                return Subject::parse(what, value).map_err(|e| format!("wanted {e}, not {value}"));
            }
        }
        position(self.position.as_deref().unwrap_or_default())
    }
}

fn position(text: &str) -> Result<Subject, String> {
    let wanted = || format!("wanted latitude and longitude such as 43.04,-87.91, not {text}");
    let (latitude, longitude) = text.split_once(',').ok_or_else(wanted)?;
    let e6 = |degrees: &str, most: f64| {
        let degrees: f64 = degrees.trim().parse().ok()?;
        #[allow(clippy::cast_possible_truncation)] // within 180 degrees it fits
        (-most..=most)
            .contains(&degrees)
            .then(|| (degrees * 1e6).round() as i32)
    };
    Ok(Subject::Position {
        latitude_e6: e6(latitude, 90.0).ok_or_else(wanted)?,
        longitude_e6: e6(longitude, 180.0).ok_or_else(wanted)?,
    })
}

pub(crate) async fn run(command: SourcesCommand) -> Ended {
    match command {
        SourcesCommand::Check { config } => check(&read(&config)?).await,
        SourcesCommand::Try(args) => try_one(&read(&args.config)?, &args).await,
    }
}

fn read(path: &std::path::Path) -> Result<Config, String> {
    Config::read(path).map_err(|e| e.to_string())
}

/// All side by side, told in the order of the configuration.
async fn check(config: &Config) -> Ended {
    let sources = Sources::open(config).map_err(|e| e.to_string())?;
    if sources.is_empty() {
        return Err("the configuration has no sources".into());
    }
    say_whether_on_record(config);
    let checks = sources.iter().map(|source| check_one(config, source));
    let told = futures_util::future::join_all(checks).await;
    let width = sources
        .iter()
        .map(|source| source.config.name.chars().count())
        .max();
    let mut broken = 0;
    for (source, told) in sources.iter().zip(told) {
        for (asks, said) in told {
            let (mark, words) = match said {
                Ok(words) => ("works", words),
                Err(words) => {
                    broken += 1;
                    ("FAILS", words)
                }
            };
            println!(
                "{mark}  {:width$}  {:8}  {words}",
                source.config.name,
                asks.word(),
                width = width.unwrap_or(0)
            );
        }
    }
    match broken {
        0 => Ok(()),
        1 => Err("1 question was not answered".into()),
        broken => Err(format!("{broken} questions were not answered")),
    }
}

type Said = (Asks, Result<String, String>);

async fn check_one(config: &Config, source: &Source) -> Vec<Said> {
    let mut all = Vec::new();
    for asks in &source.config.asks {
        let said = match sample(&source.config, *asks) {
            Ok(subject) => {
                ask(
                    config,
                    source,
                    subject,
                    None,
                    Some("forerunner sources check"),
                )
                .await
            }
            Err(why) => Err(why),
        };
        let usable = said.and_then(|(words, tried)| tried.brings.map(|_| words));
        all.push((*asks, usable));
    }
    all
}

/// The configuration's sample where it fits, else something made up.
fn sample(source: &SourceConfig, asks: Asks) -> Result<Subject, String> {
    let made_up = |what, value: &str| {
        let sample = source.sample.as_deref();
        let parsed = sample.and_then(|sample| Subject::parse(what, sample).ok());
        parsed.map_or_else(
            || Subject::parse(what, value).map_err(|e| e.to_string()),
            Ok,
        )
    };
    match asks {
        Asks::Address => made_up(QueryWhat::Address, "1 TEST ST"),
        Asks::Plate => made_up(QueryWhat::Plate, "TEST00"),
        Asks::Person => made_up(QueryWhat::Person, "TEST, TEST 1900-01-01"),
        Asks::Phone => made_up(QueryWhat::Phone, "555-0100"),
        Asks::Position => position(source.sample.as_deref().unwrap_or("0,0")),
    }
}

async fn try_one(config: &Config, args: &TryArgs) -> Ended {
    let subject = args.about.subject()?;
    let sources = Sources::open(config).map_err(|e| e.to_string())?;
    let Some(source) = sources
        .iter()
        .find(|source| source.config.name == args.name)
    else {
        let names: Vec<_> = sources
            .iter()
            .map(|source| source.config.name.as_str())
            .collect();
        return Err(format!(
            "the configuration has no source {}: it has {}",
            args.name,
            names.join(", ")
        ));
    };
    let (purpose, reason) = (args.purpose.as_deref(), args.reason.as_deref());
    say_whether_on_record(config);
    let name = &source.config.name;
    let asked = ask(config, source, subject, purpose, reason).await;
    let (words, tried) = asked.map_err(|why| format!("{name}: {why}"))?;
    println!("{name}: {words}");
    let raw = serde_json::to_string_pretty(&tried.raw).map_err(|e| e.to_string())?;
    println!("\nWhat it said:");
    indented(&raw.chars().take(RAW_CHARS_MAX).collect::<String>());
    if raw.chars().count() > RAW_CHARS_MAX {
        println!("  … and more");
    }
    println!("\nWhat comes of it:");
    match &tried.brings {
        Ok(brings) => show(brings),
        Err(why) => return Err(format!("{name}: {why}")),
    }
    Ok(())
}

fn say_whether_on_record(config: &Config) {
    if !has_log(config) {
        eprintln!("This center has no log yet: what is asked is not on record.");
    }
}

fn indented(text: &str) {
    for line in text.lines() {
        println!("  {line}");
    }
}

fn show(brings: &Brings) {
    if brings.is_nothing() {
        println!("  nothing: it knows nothing of this");
    }
    for caution in &brings.cautions {
        println!("  CAUTION  {}", caution.text);
        println!("           by {}", caution.by);
    }
    for finding in &brings.findings {
        println!("  Finding  {}", finding.title);
        for line in finding.text.lines() {
            println!("           {line}");
        }
        println!("           ({})", about(finding));
    }
    if brings.left_out > 0 {
        println!(
            "  … and {} more, which no packet would show",
            brings.left_out
        );
    }
}

/// What a screen says of a finding besides its words.
fn about(finding: &Finding) -> String {
    let mut all = vec![match finding.confidence {
        Confidence::Exact => "an exact match".to_owned(),
        Confidence::Partial => "a lead to verify: it matches in part".to_owned(),
        Confidence::Phonetic => "a lead to verify: it sounds alike".to_owned(),
        Confidence::Nearby => "a lead to verify: near by".to_owned(),
    }];
    let date = |ms| jiff::Timestamp::from_millisecond(ms).map(|at| at.strftime("%F").to_string());
    let recorded = finding.recorded_ms.and_then(|ms| date(ms).ok());
    all.extend(recorded.map(|date| format!("recorded {date}")));
    let ends = finding.ends_ms.and_then(|ms| date(ms).ok());
    all.extend(ends.map(|date| format!("ends {date}")));
    all.extend(finding.link.clone());
    all.join(", ")
}

/// Such as "1 finding" and "2 findings".
fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// Asks once, on record, within the time that an attempt has.
async fn ask(
    config: &Config,
    source: &Source,
    subject: Subject,
    purpose: Option<&str>,
    reason: Option<&str>,
) -> Result<(String, Tried), String> {
    let plan = plan_by_hand(config, &source.config.name, subject, purpose, reason);
    if let Some(not_asked) = plan.not_asked.first() {
        return Err(format!("not asked: {}", not_asked.why));
    }
    let Some(Planned {
        question, asker, ..
    }) = plan.asks.into_iter().next()
    else {
        let words: Vec<_> = source.config.asks.iter().map(|asks| asks.word()).collect();
        return Err(format!("it is asked about: {}", words.join(", ")));
    };
    if has_log(config) {
        put_on_record(config, &source.config.name, &asker)?;
    }
    let began = Instant::now();
    let limit = Duration::from_millis(source.config.timeout_ms.into());
    let tried = match tokio::time::timeout(limit, source.try_once(&question)).await {
        Ok(Ok(tried)) => tried,
        Ok(Err(FetchError::Refused(why))) => return Err(format!("it refuses: {why}")),
        Ok(Err(FetchError::Failed { why, .. })) => return Err(why),
        Err(_) => return Err(format!("no answer in {} ms", source.config.timeout_ms)),
    };
    let took_ms = began.elapsed().as_millis();
    let brought = match &tried.brings {
        Ok(brings) if brings.is_nothing() => "nothing found".to_owned(),
        Ok(brings) => format!(
            "{}, {}",
            counted(brings.findings.len(), "finding"),
            counted(brings.cautions.len(), "caution")
        ),
        Err(_) => "what it said cannot be used".to_owned(),
    };
    Ok((
        format!("about {}, answered in {took_ms} ms: {brought}", asker.shown),
        tried,
    ))
}
