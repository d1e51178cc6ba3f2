//! The center, put together: what it is made of, how it starts and how it stops.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use data_encoding::BASE64URL_NOPAD;
use packet::{CallId, CenterId, Compartment, DocumentId, Entry, LinkHow};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::accept::{self, AcceptLimits, Listener};
use crate::arrivals;
use crate::attachments::{self, Workbench};
use crate::audit::note::SigningKey;
use crate::audit::strangers::Strangers;
use crate::audit::{self, Record, Unkept};
use crate::beats;
use crate::cads::{self, CadError, Cads};
use crate::calls::{self, EidoError, Grace, Reported, Taken};
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::enrich;
use crate::exchange::Ids;
use crate::hot_list;
use crate::hub::Hub;
use crate::identity::{CenterKeys, IS_FIPS_BUILD, is_fips_in_force, server_config};
use crate::intake::CallReport;
use crate::intake::eido::Eido;
use crate::log::{Appended, Happening, Log, LogError, LogOptions, Surroundings};
use crate::metrics::Metrics;
use crate::people::{self, People};
use crate::plate_reads;
use crate::policy::{Act, Actor, LivePolicies, PolicyFault, Role};
use crate::premises;
use crate::receipts::{self, ReceiptKind, Reports};
use crate::retention;
use crate::search;
use crate::standing::{self, WITHDRAWN_PER_COMMIT_MAX};
use crate::triage::{Entity, LiveRules, Rules, Triage, explain};
use crate::turns::Turns;
use crate::{api, console};

/// How often what is due by time is looked at.
const TICK_MS: u64 = 1_000;
/// How often what is listed is counted, for Prometheus.
const COUNT_EVERY_TICKS: u64 = 15;
/// Most packets that are taken from units in one commit.
const ENDED_PER_COMMIT_MAX: usize = 200;

/// Why the center did not start: one sentence each.
#[derive(Debug, thiserror::Error)]
pub enum CenterError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the data folder {path} cannot be used: {reason}")]
    Data { path: String, reason: String },
    #[error("the center's keys cannot be used: {0}")]
    Keys(String),
    #[error(
        "fips: the validated cryptographic module is not in force; run the command that `cargo xtask fips` builds, or leave `fips` out"
    )]
    NotFips,
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the triage table cannot be used: {0}")]
    Triage(String),
    #[error("the policies cannot be used: {0}")]
    Policies(#[from] PolicyFault),
    #[error(transparent)]
    Cads(#[from] CadError),
    #[error("people cannot sign in: {0}")]
    SignIn(String),
    #[error("{what} cannot listen on {address}: {reason}")]
    Listen {
        what: &'static str,
        address: SocketAddr,
        reason: String,
    },
}

/// What every part of the running center shares.
#[derive(Debug)]
pub struct Center {
    pub config: Config,
    pub keys: CenterKeys,
    pub log: Log,
    pub hub: Hub,
    pub metrics: Arc<Metrics>,
    /// Where sessions say what was sent, delivered and shown.
    pub reports: Reports,
    /// Who catches up from the disk now.
    pub turns: Turns,
    /// Where attachments are looked at.
    pub workbench: Workbench,
    /// What is known of arrivals.
    pub book: arrivals::Book,
    /// The API's bearer token.
    pub token: String,
    /// … of systems that look through the audit log.
    pub auditor_token: String,
    /// Where devices connect.
    pub sync: SocketAddr,
    /// By what people sign in.
    pub people: People,
    /// What each dispatch system's words mean.
    pub cads: Cads,
    /// How this center's own components of EIDOs are named.
    pub ids: Ids,
    /// Who may do what, as it is in force.
    pub policies: Arc<LivePolicies>,
    rules: Arc<LiveRules>,
    /// What signs the audit log's checkpoints.
    audit_key: SigningKey,
    /// Changes when a saved search gave a notice, or somebody saw one.
    pub notices: watch::Sender<u64>,
    /// What could not be put on record yet.
    pub unkept: Unkept,
    strangers: Strangers,
}

/// A center that serves. Dropping it does not stop it: [`Running::stop`] does.
#[derive(Debug)]
pub struct Running {
    pub center: Arc<Center>,
    /// Where the console and the API are.
    pub console: SocketAddr,
    /// Where devices connect.
    pub sync: SocketAddr,
    /// Tells every task to end; each ends what it has begun.
    stop: CancellationToken,
    /// The tasks, waited for by [`Running::stop`].
    tasks: JoinSet<()>,
    /// No session is left: what they said is the last there will be …
    all_ended: CancellationToken,
    /// … for this to keep.
    collecting: JoinHandle<()>,
}

impl Center {
    /// Opens the data folder and serves until [`Running::stop`].
    ///
    /// # Errors
    /// When it cannot start, in one sentence.
    pub async fn start(config: Config) -> Result<Running, CenterError> {
        config.check()?;
        let sync = listen("the sync port", config.sync).await?;
        let console = listen("the console", config.console).await?;
        Self::start_on(config, sync, console).await
    }

    /// As [`Center::start`], where somebody listens already.
    ///
    /// # Errors
    /// As [`Center::start`].
    pub async fn start_on<L: Listener>(
        config: Config,
        sync_listener: L,
        console_listener: L,
    ) -> Result<Running, CenterError> {
        config.check()?;
        let rules = LiveRules::open(config.triage.as_deref()).map_err(CenterError::Triage)?;
        let rules = Arc::new(rules);
        let policies = Arc::new(LivePolicies::open(&config)?);
        let sources = enrich::Sources::open(&config)?;
        let cads = Cads::open(&config.cads)?;
        let data = config.data.clone();
        let not_usable = |e: std::io::Error| CenterError::Data {
            path: data.display().to_string(),
            reason: e.to_string(),
        };
        std::fs::create_dir_all(&data).map_err(not_usable)?;
        let keys = CenterKeys::open_or_create(&data.join("keys"), &config.names)
            .map_err(|e| CenterError::Keys(e.to_string()))?;
        let auditor_token = token(&data.join("keys").join("auditor-token")).map_err(not_usable)?;
        let token = token(&data.join("keys").join("api-token")).map_err(not_usable)?;
        let sync_tls = server_config(&keys, config.key_exchange)
            .map_err(|e| CenterError::Keys(e.to_string()))?;
        if (config.fips || IS_FIPS_BUILD) && !is_fips_in_force(&sync_tls) {
            return Err(CenterError::NotFips);
        }
        let console_tls = config.console_tls.then(|| sync_tls.clone());

        let (hub, metrics, stop) = (Hub::default(), Metrics::new(), CancellationToken::new());
        let (questions, asked) = enrich::questions();
        let options = LogOptions {
            center: CenterId(keys.center_id()),
            store_key: *keys.store_key(),
            mac_key: *keys.mac_key(),
        };
        let log = {
            let (hub, questions, metrics) = (hub.clone(), questions.clone(), metrics.clone());
            let (reader, triager) = (rules.clone(), rules.clone());
            let surroundings = Surroundings::default()
                .deciding(policies.clone())
                .reading(move |words| reader.current().entities(words))
                .triaging(move |report| triager.current().triage(report))
                .linking(config.links);
            let path = data.join("center.db");
            Log::open_in(&path, &options, &surroundings, move |happenings| {
                count(&metrics, happenings);
                hub.publish(happenings);
                questions.publish(happenings);
            })?
        };
        log.readers()
            .read_blocking(|connection| hub.load(connection))?;
        let beats = config.beats.clone();
        log.write(move |ledger| beats::configure(ledger, &beats))
            .await?;
        log.readers()
            .read_blocking(|connection| questions.resume(connection))?;

        let console = address(&console_listener, config.console)?;
        let sync = address(&sync_listener, config.sync)?;
        let people = People::new(
            &config.console_origin(console.port()),
            &config.name,
            &config.sign_in,
        )
        .map_err(CenterError::SignIn)?;
        let turns = Turns::new(config.limits.catch_ups, config.limits.catch_ups_waiting);
        let (reports, collector) = receipts::reports();
        let audit_key = audit_key(&keys, &log).await?;
        let unseen = log.readers().read(audit::review::unseen_failures).await?;
        let unkept = Unkept::open(&data, unseen);
        let ids = Ids::new(keys.center_id(), &config);
        let center = Arc::new(Self {
            ids,
            config,
            keys,
            log,
            hub,
            metrics,
            reports,
            turns,
            workbench: Workbench::default(),
            book: arrivals::Book::default(),
            token,
            auditor_token,
            sync,
            people,
            cads,
            policies,
            rules,
            notices: watch::channel(0).0,
            unkept,
            strangers: Strangers::default(),
            audit_key,
        });
        let started = Record {
            detail: format!("version {}", env!("CARGO_PKG_VERSION")),
            ..Record::of("the center", Act::StartCenter)
        };
        center.put_on_record(vec![started]).await;
        // Nobody is shown a checkpoint of the log that this one was restored from.
        audit::keep::sign(&center).await;
        let mut tasks = JoinSet::new();
        let limits = AcceptLimits {
            connections_max: center.config.limits.connections,
            connections_per_address_max: center.config.limits.connections_per_address,
            ..AcceptLimits::default()
        };
        let note_address = axum::middleware::from_fn(audit::came_from::note);
        let sync_app = api::sync_router(center.clone(), stop.clone()).layer(note_address.clone());
        let console_app = api::router(center.clone())
            .merge(console::router(center.clone(), stop.clone()))
            .layer(note_address);
        tasks.spawn(serve(
            sync_listener,
            Some(sync_tls),
            sync_app,
            limits.clone(),
            stop.clone(),
        ));
        tasks.spawn(serve(
            console_listener,
            console_tls,
            console_app,
            limits,
            stop.clone(),
        ));
        tasks.spawn(enrich::run(center.clone(), sources, asked, stop.clone()));
        tasks.spawn(enrich::own::clips::run(center.clone(), stop.clone()));
        tasks.spawn(search::watch::run(center.clone(), stop.clone()));
        cads::listen(&center, &mut tasks, &stop);
        tasks.spawn(pass_on_receipts(center.clone(), stop.clone()));
        tasks.spawn(audit::keep::run(center.clone(), stop.clone()));
        tasks.spawn(retention::due::run(center.clone(), stop.clone()));
        // What ended while the center was down is withdrawn before anybody is told of it.
        end_what_is_due(&center).await?;
        tasks.spawn(tick(center.clone(), stop.clone()));
        tasks.spawn(people::watch::run(center.clone(), stop.clone()));
        let rules = center.rules.clone();
        tasks.spawn(rules.watch(center.metrics.clone(), stop.clone()));
        let policies = center.policies.clone();
        tasks.spawn(policies.watch(center.metrics.clone(), stop.clone()));
        tasks.spawn(decide_anew(center.clone(), stop.clone()));
        tasks.spawn(arrivals::watch::run(center.clone(), stop.clone()));
        tasks.spawn(wake_sessions(center.hub.clone(), stop.clone()));
        let all_ended = CancellationToken::new();
        let (keeping, log) = (center.clone(), center.log.clone());
        let unkept = move |records: &[Record], error: &LogError| {
            keeping.unkept.keep(&keeping.keys, records, error);
        };
        let collecting = tokio::spawn(collector.run(log, all_ended.clone(), unkept));
        Ok(Running {
            center,
            console,
            sync,
            stop,
            tasks,
            all_ended,
            collecting,
        })
    }

    /// The rules of triage that are in force.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.current()
    }

    /// What is wrong with the file of triage rules, and each change of that.
    #[must_use]
    pub fn rules_fault(&self) -> tokio::sync::watch::Receiver<Option<String>> {
        self.rules.fault()
    }

    /// Triage of a report, by the center's table.
    #[must_use]
    pub fn triage(&self, report: &CallReport) -> Triage {
        self.rules().triage(report)
    }

    /// What triage finds in words alone.
    #[must_use]
    pub fn triage_words(&self, words: &str) -> Triage {
        self.rules().triage(&explain::of_words("", words))
    }

    /// All that a text names, each with the words that it was read from.
    #[must_use]
    pub fn entities(&self, text: &str) -> Vec<Entity> {
        self.rules().entities(text)
    }

    /// Puts a report into the center's own words, and triages it.
    pub(crate) fn understand(&self, report: &mut CallReport) -> Triage {
        let coded = self.cads.translate(report);
        let mut triage = self.triage(report);
        if let Some(coded) = coded {
            coded.speak(&mut triage);
        }
        triage
    }

    /// Takes what dispatch says of a call.
    ///
    /// # Errors
    /// When it does not fit into entries, or the log cannot take it.
    pub async fn report(&self, mut report: CallReport, by: &str) -> Result<Reported, LogError> {
        let triage = self.understand(&mut report);
        let who = by.to_owned();
        self.log
            .write(move |ledger| {
                let reported = calls::report(ledger, &report, &triage)?;
                audit::record(
                    ledger,
                    &Record {
                        object: reported.call.to_string(),
                        detail: format!("{:?}", reported.news),
                        ..Record::of(who, Act::ReportCall)
                    },
                )?;
                Ok(reported)
            })
            .await
    }

    /// Takes what dispatch says of an incident by EIDO.
    ///
    /// # Errors
    /// When the sum of what was said does not fit, or the log cannot take it.
    pub async fn report_eido(
        self: &Arc<Self>,
        mut message: Eido,
        by: &str,
    ) -> Result<Taken, EidoError> {
        // What this center gave out and gets back is in the packet.
        message.forget(|id, updated_by| self.ids.is_own(id, updated_by));
        let (center, who) = (self.clone(), by.to_owned());
        self.log
            .write(move |ledger| {
                let incident: String = message.id().chars().take(100).collect();
                let understand = |report: &mut CallReport| center.understand(report);
                let own = center.ids.call_of(message.id());
                let taken = calls::tell_eido(ledger, message, own, understand)?;
                let (object, detail) = match taken {
                    Taken::Call(reported) => {
                        (reported.call.to_string(), format!("{:?}", reported.news))
                    }
                    Taken::Awaited => (incident, "Awaited".to_owned()),
                };
                let record = Record {
                    object,
                    detail,
                    ..Record::of(who, Act::ReportCall)
                };
                audit::record(ledger, &record)?;
                Ok(taken)
            })
            .await
    }

    /// Links two calls, as a person says.
    ///
    /// # Errors
    /// When one is not known, both are the same, or one has too many links; or the log's.
    pub async fn link(
        &self,
        call: CallId,
        other: CallId,
        why: String,
        by: &str,
    ) -> Result<bool, LogError> {
        let by = by.to_owned();
        self.log
            .write(move |ledger| {
                let linked = calls::link(ledger, call, other, LinkHow::Hand, &why, &by)?;
                let detail = format!("with {other}");
                audit::record(ledger, &linking(by, call, detail))?;
                Ok(linked)
            })
            .await
    }

    /// Undoes a link, or says no to a proposed one.
    ///
    /// # Errors
    /// When there is none, or the log cannot take it.
    pub async fn unlink(&self, call: CallId, other: CallId, by: &str) -> Result<(), LogError> {
        let by = by.to_owned();
        self.log
            .write(move |ledger| {
                calls::unlink(ledger, call, other, &by)?;
                audit::record(ledger, &linking(by, call, format!("not with {other}")))
            })
            .await
    }

    /// An analyst writes a note, caution or correction on a call. Who may is decided before.
    ///
    /// # Errors
    /// When the call is not known, the entry breaks a limit, or the log cannot take it.
    pub async fn write(&self, call: CallId, entry: Entry, who: &str) -> Result<Appended, LogError> {
        let compartment = match &entry {
            Entry::Caution(_) => Compartment::Safety,
            _ => Compartment::Call,
        };
        self.write_to(DocumentId::new(call, compartment), entry, who)
            .await
    }

    /// As [`Center::write`], into the document that is named.
    ///
    /// # Errors
    /// As [`Center::write`].
    pub async fn write_to(
        &self,
        document: DocumentId,
        entry: Entry,
        who: &str,
    ) -> Result<Appended, LogError> {
        let who = who.to_owned();
        self.log
            .write(move |ledger| {
                let known = ledger
                    .sql()
                    .prepare_cached("SELECT 1 FROM calls WHERE call = ?1")
                    .and_then(|mut s| s.exists([document.call.0.cast_signed()]))
                    .map_err(LogError::from)?;
                if !known {
                    return Err(LogError::Unknown {
                        what: "call",
                        id: document.call.to_string(),
                    });
                }
                let kind = entry.kind();
                let appended = ledger.append(document, entry)?;
                audit::record(
                    ledger,
                    &Record {
                        object: document.to_string(),
                        detail: appended.seq.to_string(),
                        ..Record::of(who, Act::Write(kind))
                    },
                )?;
                Ok(appended)
            })
            .await
    }

    /// Puts a denial on record. That it could not be kept does not let anybody in.
    pub async fn denied(&self, actor: &Actor, act: Act, object: String) {
        let mut detail = String::new();
        if actor.role == Role::Anonymous {
            match self.strangers.enter(clock::now_ms()) {
                Some(0) => {}
                Some(more) => detail = format!("and {more} more that were not entered"),
                None => return,
            }
        }
        let record = Record {
            object,
            detail,
            allowed: false,
            ..Record::by(actor, act)
        };
        self.put_on_record(vec![record]).await;
    }

    /// Puts on record what was done already. What the log cannot take now waits beside it,
    /// and everybody at the console is told.
    pub async fn put_on_record(&self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let waiting = records.clone();
        let kept = self.log.write(move |ledger| {
            let mut records = records.iter();
            records.try_for_each(|record| audit::record(ledger, record))
        });
        if let Err(error) = kept.await {
            self.metrics.audit_failures.inc();
            self.unkept.keep(&self.keys, &waiting, &error);
        }
    }

    /// What signs the audit log's checkpoints.
    #[must_use]
    pub fn audit_key(&self) -> &SigningKey {
        &self.audit_key
    }
}

impl Running {
    /// Ends the sessions, waits for what was begun, and closes the log.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.all_ended.cancel();
        // What it had to say of its own panic it has said.
        let _ = self.collecting.await;
        let stopped = Record::of("the center", Act::StopCenter);
        self.center.put_on_record(vec![stopped]).await;
        audit::keep::sign(&self.center).await;
    }

    /// A token that ends with the center, for what runs beside it.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }
}

/// The key for this log. One that has not signed what is signed is not the center's.
async fn audit_key(keys: &CenterKeys, log: &Log) -> Result<SigningKey, CenterError> {
    let lost = |e: String| CenterError::Keys(e);
    let key = keys.audit().signer(log.incarnation());
    let key = key.map_err(|e| lost(e.to_string()))?;
    let latest = log.readers().read(audit::stored::latest).await?;
    if let Some(latest) = latest {
        audit::stored::verifier(keys.center_id(), keys.audit().public(), &latest.origin)
            .and_then(|key| audit::note::Checkpoint::read(&latest.note, &key))
            .map_err(|e| {
                lost(format!(
                    "the audit key is not the one that signed the audit log ({e}): restore it from the backup"
                ))
            })?;
    }
    Ok(key)
}

fn linking(who: String, call: CallId, detail: String) -> Record {
    Record {
        object: call.to_string(),
        detail,
        ..Record::of(who, Act::LinkCalls)
    }
}

/// The API's token: made at the first start, in a file that only the center's user reads.
fn token(path: &Path) -> std::io::Result<String> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::read_to_string(path) {
        Ok(token) if !token.trim().is_empty() => return Ok(token.trim().to_owned()),
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let mut random = [0; 32];
    rand::fill(&mut random).map_err(|_| std::io::Error::other("no randomness"))?;
    let token = BASE64URL_NOPAD.encode(&random);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    Ok(token)
}

async fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, CenterError> {
    TcpListener::bind(address)
        .await
        .map_err(|e| CenterError::Listen {
            what,
            address,
            reason: e.to_string(),
        })
}

fn address(listener: &impl Listener, asked: SocketAddr) -> Result<SocketAddr, CenterError> {
    listener.local_addr().map_err(|e| CenterError::Listen {
        what: "a port",
        address: asked,
        reason: e.to_string(),
    })
}

async fn serve(
    listener: impl Listener,
    tls: Option<Arc<rustls::ServerConfig>>,
    app: axum::Router,
    limits: AcceptLimits,
    stop: CancellationToken,
) {
    let drained = accept::serve(listener, tls, app, limits, stop).await;
    if drained.connections_cut > 0 {
        tracing::info!(
            connections = drained.connections_cut,
            "connections did not end in time"
        );
    }
}

fn count(metrics: &Metrics, happenings: &[Happening]) {
    for happening in happenings {
        match happening {
            Happening::Change(change) => {
                match &change.entry {
                    Entry::Finding(finding) if finding.source.starts_with(hot_list::SOURCE) => {
                        metrics.hot_list_found.inc();
                    }
                    Entry::Correction(correction)
                        if correction.text.is_none() && change.device.is_none() =>
                    {
                        metrics.withdrawn.inc();
                    }
                    _ => {}
                }
                metrics.changes.inc()
            }
            Happening::Call { opened: true, .. } => metrics.calls.inc(),
            _ => 0,
        };
    }
}

/// Decides about what is carried by devices that are connected each time that policies,
/// people or the date change.
async fn decide_anew(center: Arc<Center>, stop: CancellationToken) {
    let mut changes = center.policies.changes();
    loop {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
        center.hub.decide_anew();
    }
}

/// Until the center stops: then sessions are told so by `stop` itself.
async fn wake_sessions(hub: Hub, stop: CancellationToken) {
    tokio::select! {
        () = hub.ring() => {}
        () = stop.cancelled() => {}
    }
}

/// Tells the devices that wrote something who has seen it. One that is away, or that
/// this falls behind for, learns it at its next hello.
async fn pass_on_receipts(center: Arc<Center>, stop: CancellationToken) {
    let mut happenings = center.log.subscribe();
    loop {
        let group = tokio::select! {
            group = happenings.recv() => group,
            () = stop.cancelled() => return,
        };
        let group = match group {
            Ok(group) => group,
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => continue,
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        };
        for happening in group.iter() {
            let Happening::Receipt(receipt) = happening else {
                continue;
            };
            if receipt.kind != ReceiptKind::Shown {
                continue;
            }
            let (document, after, through) = (receipt.document, receipt.after, receipt.through);
            let authors = center
                .log
                .readers()
                .read(move |connection| receipts::authors(connection, document, after, through))
                .await;
            match authors {
                Ok(mut authors) => {
                    authors.retain(|author| Some(*author) != receipt.device);
                    center.hub.seen(
                        &authors,
                        &sync::frame::SeenFrame {
                            number: receipt.number,
                            document,
                            through,
                            who: receipt.who.clone(),
                            at_ms: receipt.at_ms,
                        },
                    );
                }
                Err(e) => tracing::warn!(error = %e, "receipts could not be passed on"),
            }
        }
    }
}

/// Withdraws what has ended, forgets plate reads that are old, and brings the beats' packets
/// up to date with it.
async fn end_what_is_due(center: &Arc<Center>) -> Result<(), LogError> {
    let log = &center.log;
    while log
        .write(|ledger| standing::withdraw_due(ledger, WITHDRAWN_PER_COMMIT_MAX))
        .await?
        == WITHDRAWN_PER_COMMIT_MAX
    {}
    while log
        .write(|ledger| {
            let at_most = hot_list::ENDED_PER_COMMIT_MAX;
            let entries = hot_list::expire(ledger, at_most)?;
            Ok::<_, LogError>(entries.max(premises::expire(ledger, at_most)?) == at_most)
        })
        .await?
    {}
    let keep_ms = center.config.plate_reads.keep_ms();
    loop {
        let writer = center.clone();
        let (forgotten, closed) = log
            .write(move |ledger| {
                let at_most = plate_reads::ENDED_PER_COMMIT_MAX;
                let forgotten = plate_reads::forget(ledger, keep_ms, at_most)?;
                let triage = |report: &CallReport| writer.triage(report);
                let closed = plate_reads::close_old(ledger, ENDED_PER_COMMIT_MAX, &triage)?;
                Ok::<_, LogError>((forgotten, closed))
            })
            .await?;
        center
            .metrics
            .plate_reads_forgotten
            .inc_by(forgotten as u64);
        if forgotten < plate_reads::ENDED_PER_COMMIT_MAX && closed < ENDED_PER_COMMIT_MAX {
            break;
        }
    }
    beats::tend(center).await
}

async fn count_live(center: &Arc<Center>) {
    let counted = center
        .log
        .readers()
        .read(|connection| {
            let entries = hot_list::page(connection, hot_list::Which::Live, None, 0)?.0;
            Ok((entries, premises::page(connection, Some(true), None, 0)?.0))
        })
        .await;
    if let Ok((entries, premises)) = counted {
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        center.metrics.hot_list_entries.set(gauge(entries));
        center.metrics.premises.set(gauge(premises));
    }
}

/// What is due by time: packets of closed calls leave their units, attachments that
/// nobody finishes leave the store, gauges are read.
async fn tick(center: Arc<Center>, stop: CancellationToken) {
    let grace = match center.config.keep_closed_s {
        Some(s) => Grace::Ms(i64::from(s) * 1_000),
        None => Grace::Shift,
    };
    let mut ticks = 0_u64;
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(TICK_MS)) => {}
            () = stop.cancelled() => return,
        }
        let (devices, calls) = center.hub.counts();
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let (asked, made) = center.policies.decisions();
        center.metrics.policy_decisions.set(count(asked));
        center.metrics.policy_decisions_made.set(count(made));
        center
            .metrics
            .devices
            .set(i64::try_from(devices).unwrap_or(i64::MAX));
        center
            .metrics
            .catch_ups_waiting
            .set(i64::try_from(center.turns.waiting()).unwrap_or(i64::MAX));
        center
            .metrics
            .calls_carried
            .set(i64::try_from(calls).unwrap_or(i64::MAX));
        if let Err(e) = end_what_is_due(&center).await {
            tracing::warn!(error = %e, "what has ended stands for now");
        }
        if ticks.is_multiple_of(COUNT_EVERY_TICKS) {
            count_live(&center).await;
        }
        ticks = ticks.wrapping_add(1);
        let unfinished_before_ms = clock::now_ms() - attachments::UNFINISHED_MS_MAX;
        let swept = center
            .log
            .write(move |ledger| attachments::sweep(ledger, unfinished_before_ms));
        if let Err(e) = swept.await {
            tracing::warn!(error = %e, "unfinished attachments stay for now");
        }
        loop {
            let ended = center
                .log
                .write(move |ledger| calls::end_closed(ledger, grace, ENDED_PER_COMMIT_MAX))
                .await;
            match ended {
                Ok(ended) if ended == ENDED_PER_COMMIT_MAX => {}
                Ok(_) => break,
                Err(e) => {
                    tracing::warn!(error = %e, "closed calls' packets stay on their units for now");
                    break;
                }
            }
        }
    }
}

#[cfg(all(test, not(feature = "fips")))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::AgencyConfig;

    #[tokio::test]
    async fn a_center_that_wants_the_validated_module_does_not_start_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let agency = AgencyConfig {
            id: "pd".into(),
            name: "City Police".into(),
            units: vec![],
            officers: vec![],
        };
        let config = Config {
            fips: true,
            ..Config::on_loopback("Test RTCC", folder.path().join("data"), vec![agency])
        };
        let refused = Center::start(config).await.unwrap_err();
        assert!(matches!(refused, CenterError::NotFips), "{refused}");
        assert!(refused.to_string().starts_with("fips: "), "{refused}");
    }
}
