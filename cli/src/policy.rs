//! `forerunner policy`: what the policies say, of whom and why, and whether they say what an
//! agency expects.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use server::config::Config;
use server::policy::{Names, People, Policies, Role, expect, explain};

use crate::Ended;

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Read and validate a configuration's policies and people.
    Check {
        /// The center's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Say what somebody may do to a document, and which policies make it so. The center may
    /// be running; that a call of its log was asked about is put on record.
    Explain(ExplainArgs),
    /// Hold the policies against what an agency expects of them. Fails where one does not
    /// hold, and says which and why.
    Test {
        /// Expectations (the form is told in docs/policy.md).
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// The center's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// As on this day; today where it is not said.
        #[arg(long, value_name = "DATE")]
        on: Option<String>,
    },
}

#[derive(Debug, Args)]
struct ExplainArgs {
    /// AGENCY/BADGE of an officer, or with --role AGENCY/NAME.
    #[arg(long)]
    user: String,
    /// officer, analyst, supervisor, auditor, dispatch, device, operator or anonymous.
    #[arg(long, default_value = "officer")]
    role: String,
    /// AGENCY/COMPARTMENT for any call of that agency; or CALL/COMPARTMENT or
    /// AGENCY/NUMBER/COMPARTMENT for one that is in the center's log.
    #[arg(long)]
    document: String,
    /// The center's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One of the center's purposes; its first where it is not said.
    #[arg(long, value_name = "CODE")]
    purpose: Option<String>,
    /// As on this day; today where it is not said.
    #[arg(long, value_name = "DATE")]
    on: Option<String>,
}

pub(crate) fn run(args: &PolicyArgs) -> Ended {
    match &args.command {
        PolicyCommand::Check { config } => {
            let (_, policies, _) = read(config)?;
            println!("{} policies hold.", policies.count());
            Ok(())
        }
        PolicyCommand::Explain(args) => explain(args),
        PolicyCommand::Test { files, config, on } => test(files, config, on.as_deref()),
    }
}

fn explain(args: &ExplainArgs) -> Ended {
    let (config, policies, people) = read(&args.config)?;
    let named = |role: &Role| role.name() == args.role;
    let role = Role::ALL.into_iter().find(named).ok_or_else(|| {
        let all = Role::ALL.map(Role::name);
        format!(
            "role: one of {} is wanted, not {}",
            all.join(", "),
            args.role
        )
    })?;
    let today = day(args.on.as_deref())?;
    if let Some(purpose) = &args.purpose
        && !config.purposes.iter().any(|known| known.code == *purpose)
    {
        return Err(format!(
            "purpose: a code of the center's is wanted, not {purpose}"
        ));
    }
    let who = explain::who(&config, &people, role, &args.user)?;
    let document = explain::find(&config, &args.user, &args.document)?;
    println!(
        "{} ({}) of {}, on {today}: {} of a call of {}",
        who.name,
        who.role.name(),
        who.agency,
        document.compartment.name(),
        document.agency
    );
    for (name, until) in [
        ("CJIS", who.certifications.cjis),
        ("intel", who.certifications.intel),
    ] {
        match until {
            Some(until) if until > today => println!("  certified: {name} until {until}"),
            Some(until) => println!("  no longer certified: {name} ended on {until}"),
            None => println!("  not certified: {name}"),
        }
    }
    let purpose = args.purpose.as_deref();
    for explained in explain::explain(&policies, &who, &document, purpose, today) {
        println!("{explained}");
    }
    Ok(())
}

fn test(files: &[PathBuf], config: &std::path::Path, on: Option<&str>) -> Ended {
    let (config, policies, people) = read(config)?;
    let today = day(on)?;
    let (mut held, mut missed) = (0, 0);
    for file in files {
        let report = expect::run(&config, &policies, &people, today, file)?;
        for miss in &report.missed {
            println!("{miss}");
        }
        held += report.held;
        missed += report.missed.len();
    }
    println!("{held} expectations hold, {missed} do not");
    if missed > 0 {
        return Err(format!("{missed} expectations do not hold"));
    }
    Ok(())
}

fn day(on: Option<&str>) -> Result<Date, String> {
    match on {
        Some(on) => on
            .parse()
            .map_err(|_| format!("on: a date such as 2027-01-31 is wanted, not {on}")),
        None => Ok(jiff::Zoned::now().date()),
    }
}

fn read(path: &std::path::Path) -> Result<(Config, Policies, People), String> {
    let config = Config::read(path).map_err(|e| e.to_string())?;
    let names = Names::of(&config);
    let (policies, people) = match &config.policies {
        Some(folder) => {
            let policies = Policies::read(&names, folder).map_err(|e| e.to_string())?;
            let people = People::read(&config.agencies, names.agencies(), folder);
            (policies, people.map_err(|e| e.to_string())?)
        }
        None => {
            let policies = Policies::built_in(&names).map_err(|e| e.to_string())?;
            (policies, People::of(&config.agencies))
        }
    };
    Ok((config, policies, people))
}
