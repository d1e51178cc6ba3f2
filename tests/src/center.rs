//! A center in this process, which can stop and come back at the same address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::HeaderMap;
use packet::{CallId, Caution, DocumentId, Entry, Note};
use server::center::{Center, Running};
use server::config::Config;
use server::log::{Appended, LogError};
use server::people::Post;
use server::people::accounts::{self, NewPerson};
use server::people::sessions::{self, Browser};
use server::receipts::{self, Holder, Receipt};
use tempfile::TempDir;

use crate::ledger::{LoggedEntry, entries_of};
use crate::{AGENCY, TestApi, config_text, until};

/// An analyst's session at the console, as the cookie that proves it.
async fn sign_in(running: &Running) -> String {
    let work = |ledger: &mut server::log::Ledger<'_>| {
        let new = NewPerson {
            agency: Some(AGENCY.into()),
            name: "Analyst (RTCC)".into(),
            post: Post::Analyst,
            certifications: vec![],
        };
        let id = accounts::add(ledger, &new, "a test")?;
        // What reqwest says of itself, and where from.
        let address = Some(Ipv4Addr::LOCALHOST.into());
        let browser = Browser::new(&HeaderMap::new(), address);
        let (session, token) = sessions::begin(ledger, id, "a test", &browser, false)?;
        let session = sessions::by_id(ledger.sql(), session)?.unwrap();
        sessions::acknowledge(ledger, &session)?;
        Ok::<_, LogError>(token)
    };
    let token = running.center.log.write(work).await.unwrap();
    format!("__Host-forerunner={token}")
}

#[derive(Debug)]
pub struct TestCenter {
    running: Option<Running>,
    pub api: TestApi,
    /// Where devices connect, and the console.
    pub sync: SocketAddr,
    pub console: SocketAddr,
    /// Further sections of its configuration.
    also: String,
    dir: TempDir,
}

async fn start(dir: &TempDir, sync: SocketAddr, console: SocketAddr, also: &str) -> Running {
    let path = dir.path().join("center.toml");
    let text = config_text(&dir.path().join("data"), sync, console) + also;
    std::fs::write(&path, text).unwrap();
    Center::start(Config::read(&path).unwrap()).await.unwrap()
}

impl TestCenter {
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// With these further sections in its configuration.
    pub async fn start_with(also: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start_in(dir, Ipv4Addr::LOCALHOST.into(), also).await
    }

    /// Devices reach it at this address of the machine.
    pub async fn start_at(address: IpAddr) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), address, "").await
    }

    /// In this folder, where files that the configuration names may lie already.
    pub async fn start_in(dir: TempDir, address: IpAddr, also: &str) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let running = start(&dir, (address, 0).into(), any, also).await;
        let base = format!("http://{}", running.console);
        let cookie = sign_in(&running).await;
        let api = TestApi::new(base, running.center.token.clone()).signed_in(cookie);
        let (sync, console) = (running.sync, running.console);
        Self {
            running: Some(running),
            api,
            sync,
            console,
            also: also.to_owned(),
            dir,
        }
    }

    /// Where its log and its keys are.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// # Panics
    /// When it is stopped.
    #[must_use]
    pub fn center(&self) -> &Arc<Center> {
        &self.running.as_ref().expect("the center runs").center
    }

    pub async fn stop(&mut self) {
        self.running.take().expect("the center runs").stop().await;
    }

    /// With these further sections in its configuration, at its next start.
    #[must_use]
    pub fn with(mut self, also: &str) -> Self {
        self.also += also;
        self
    }

    /// At the same address, with the same data.
    pub async fn start_again(&mut self) {
        assert!(self.running.is_none());
        self.running = Some(start(&self.dir, self.sync, self.console, &self.also).await);
    }

    /// Backs it up, while it runs, and says where to.
    pub async fn back_up(&self) -> PathBuf {
        let config = self.center().config.clone();
        let to = self.dir.path().join("backup");
        let document_keys = self.dir.path().join("document-keys.db");
        let made = {
            let to = to.clone();
            tokio::task::spawn_blocking(move || server::backup::make(&config, &to, &document_keys))
        };
        made.await.unwrap().unwrap();
        to
    }

    /// The stopped center's disk is lost, and a backup takes its place. Says where the lost
    /// data were put.
    ///
    /// # Panics
    /// When it runs.
    pub fn lose_and_restore(&mut self, backup: &Path) -> PathBuf {
        assert!(self.running.is_none());
        let data = self.dir.path().join("data");
        let restored = server::backup::restore(
            backup,
            &data,
            Some(&self.dir.path().join("document-keys.db")),
            true,
        )
        .unwrap();
        restored.set_aside.unwrap()
    }

    /// An analyst's note.
    pub async fn note(&self, call: CallId, text: &str) -> Appended {
        let (text, by) = (text.to_owned(), "an analyst".to_owned());
        let entry = Entry::Note(Note { text, by });
        self.center()
            .write(call, entry, "an analyst")
            .await
            .unwrap()
    }

    /// An analyst's caution.
    pub async fn caution(&self, call: CallId, text: &str) -> Appended {
        let (text, by) = (text.to_owned(), "an analyst".to_owned());
        let entry = Entry::Caution(Caution {
            text,
            by,
            ends_ms: None,
        });
        self.center()
            .write(call, entry, "an analyst")
            .await
            .unwrap()
    }

    /// The call's entries, in the order of the log.
    pub async fn entries(&self, call: CallId) -> Vec<LoggedEntry> {
        let readers = self.center().log.readers();
        readers.read(move |c| entries_of(c, call)).await.unwrap()
    }

    /// The texts of the call's notes, in the order of the log.
    pub async fn notes(&self, call: CallId) -> Vec<String> {
        let entries = self.entries(call).await;
        let note = |logged: LoggedEntry| match logged.entry {
            Entry::Note(note) => Some(note.text),
            _ => None,
        };
        entries.into_iter().filter_map(note).collect()
    }

    /// Waits until the log has exactly these notes of the call, in any order.
    pub async fn has_notes(&self, call: CallId, wanted: &[&str]) {
        let mut wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
        wanted.sort();
        until("the log has the notes, each once", async || {
            let mut found = self.notes(call).await;
            found.sort();
            (found == wanted).then_some(())
        })
        .await;
    }

    /// An analyst has the document on the screen through here.
    pub async fn look_at(&self, document: DocumentId, through: u64) {
        let holder = Holder {
            device: None,
            who: "an analyst".into(),
        };
        let looked = move |ledger: &mut server::log::Ledger<'_>| {
            let at_ms = server::clock::now_ms();
            receipts::shown(ledger, &holder, document, through, at_ms)
        };
        self.center().log.write(looked).await.unwrap();
    }

    pub async fn receipts(&self, document: DocumentId) -> Vec<Receipt> {
        let read = move |c: &rusqlite::Connection| receipts::of_document(c, document);
        self.center().log.readers().read(read).await.unwrap()
    }

    /// The file of its configuration.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.dir.path().join("center.toml")
    }

    /// What is on record of the sources: who asked, whether they might, and what: about what
    /// kind of subject, since whom is a hash.
    pub async fn asked_of_sources(&self) -> Vec<(String, bool, String)> {
        let read = |c: &rusqlite::Connection| {
            let mut statement = c.prepare(
                "SELECT who, allowed, concat(detail, ' about ', substr(json_extract(subjects, '$[0]'), 1, instr(json_extract(subjects, '$[0]'), ':') - 1),
                     '; purpose ', purpose, '; reason: ', coalesce(reason, 'none given'))
                 FROM audit WHERE act = 'AskSource' ORDER BY id",
            )?;
            let rows =
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.center().log.readers().read(read).await.unwrap()
    }

    /// Runs a pragma of the connection that writes.
    pub async fn execute_now(&self, sql: &'static str) {
        let work = move |ledger: &mut server::log::Ledger<'_>| -> Result<(), LogError> {
            ledger.sql().query_row(sql, [], |_| Ok(()))?;
            Ok(())
        };
        self.center().log.write(work).await.unwrap();
    }

    /// Runs SQL on the center's store, to make what would take a month.
    pub async fn execute(&self, sql: &'static str) {
        let work = move |ledger: &mut server::log::Ledger<'_>| -> Result<(), LogError> {
            ledger.sql().execute_batch(sql)?;
            Ok(())
        };
        self.center().log.write(work).await.unwrap();
    }
}
