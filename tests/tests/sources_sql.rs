//! Sources in a real PostgreSQL, and the commands that try sources.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use forerunner_tests::{Manner, Postgres, TestCenter, TestSource, forerunner_binary};
use packet::{QueryWhat, Subject};
use serde_json::json;
use server::config::Config;
use server::enrich::{FetchError, Question, Sources};

const TABLES: &str = "
    CREATE TABLE vehicles (plate text, state text, year integer, owner text, seen timestamptz);
    INSERT INTO vehicles VALUES
        ('ABC123', 'WI', 2011, 'A. PERSON', '2018-01-01 10:00:00Z'),
        ('ABC123', 'IL', 1999, 'B. PERSON', NULL);
    CREATE TABLE touched (at timestamptz);
    CREATE FUNCTION touch() RETURNS text LANGUAGE sql AS
        'INSERT INTO touched VALUES (now()) RETURNING ''touched''';
    CREATE ROLE stranger LOGIN PASSWORD 'correct-horse-42';";

/// A configuration with one source that asks this.
fn config(folder: &Path, database: &str, select: &str, more: &str) -> Config {
    let path = folder.join("center.toml");
    let text = format!(
        "name = \"Test\"\ndata = \"data\"\nsync = \"127.0.0.1:0\"\nconsole = \"127.0.0.1:0\"\n\
         [[agencies]]\nid = \"pd\"\nname = \"Police\"\nunits = []\nofficers = []\n\
         [[sources]]\nname = \"DMV\"\nasks = \"plate\"\nsecret = {{ file = \"password\" }}\n{more}\n\
         [sources.sql]\ndatabase = {database:?}\nselect = {select:?}\n"
    );
    std::fs::write(&path, text).unwrap();
    Config::read(&path).unwrap()
}

fn plate(value: &str) -> Question {
    Question {
        subject: Subject::parse(QueryWhat::Plate, value).unwrap(),
        purpose: None,
        reason: None,
    }
}

/// A folder with a password and the server's certificate in it.
fn folder(postgres: &Postgres) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let password = std::fs::read(postgres.password_file()).unwrap();
    std::fs::write(folder.path().join("password"), password).unwrap();
    std::fs::write(folder.path().join("server.pem"), postgres.certificate()).unwrap();
    folder
}

async fn ask(config: &Config, question: &Question) -> Result<serde_json::Value, FetchError> {
    let sources = Sources::open(config).unwrap();
    sources[0].try_once(question).await.map(|tried| tried.raw)
}

fn why(error: FetchError) -> String {
    match error {
        FetchError::Refused(why) => format!("refused: {why}"),
        FetchError::Failed { why, again } => format!("failed, again {again}: {why}"),
    }
}

#[tokio::test]
async fn a_postgres_is_asked_by_parameters_over_tls_and_only_read() {
    let name = "a_postgres_is_asked_by_parameters_over_tls_and_only_read";
    let Some(postgres) = Postgres::start(name) else {
        return;
    };
    postgres.run(TABLES).await;
    let folder = folder(&postgres);
    let url = postgres.url_without_password();
    let select = "SELECT plate AS title, year, owner, seen::date AS recorded FROM vehicles \
                  WHERE plate = :plate AND (state = :state OR :state = '') ORDER BY year DESC";
    let over =
        |database: &str, select: &str, more: &str| config(folder.path(), database, select, more);
    let plain = over(&url, select, "");
    let found = ask(&plain, &plate("ABC123 WI")).await.unwrap();
    let expected = json!([
        {"title": "ABC123", "year": 2011, "owner": "A. PERSON", "recorded": "2018-01-01"}
    ]);
    assert_eq!(found, expected);
    let both = ask(&plain, &plate("ABC123")).await.unwrap();
    assert_eq!(both.as_array().unwrap().len(), 2);
    // What is asked is a value, whatever it looks like.
    let hostile = Question {
        subject: Subject::Plate {
            plate: "x' OR '1'='1".into(),
            state: None,
        },
        ..plate("AB1")
    };
    assert_eq!(ask(&plain, &hostile).await.unwrap(), json!([]));

    let over_tls =
        "SELECT ssl::text AS title, :plate FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let mut secure = over(&url.replace("127.0.0.1", "localhost"), over_tls, "");
    secure.sources[0].sql.as_mut().unwrap().ca = Some(folder.path().join("server.pem"));
    let found = ask(&secure, &plate("ABC123")).await.unwrap();
    assert_eq!(found[0]["title"], "true", "{found}");
    let stranger = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    std::fs::write(folder.path().join("server.pem"), stranger.cert.pem()).unwrap();
    let error = why(ask(&secure, &plate("ABC123")).await.unwrap_err());
    assert!(error.starts_with("failed, again false"), "{error}");

    for (select, says) in [
        // It may call what writes, and nothing is written.
        (
            "SELECT touch() AS t, :plate",
            "failed, again true: cannot execute INSERT in a read-only transaction",
        ),
        (
            "SELECT nosuch, :plate FROM vehicles",
            "failed, again false: column \"nosuch\" does not exist",
        ),
        (
            "SELECT year FROM vehicles WHERE year = :plate",
            "failed, again false: operator does not exist",
        ),
        (
            "SELECT pg_sleep(30), :plate",
            "failed, again true: canceling statement due to statement timeout",
        ),
        (
            "SELECT repeat('x', 300000) AS long, :plate",
            "failed, again false: its answer is over 262144 bytes",
        ),
        (
            "SELECT generate_series(1, 1000000000) AS g, :plate",
            "failed, again false: its answer has over 200 rows",
        ),
    ] {
        let config = over(&url, select, "timeout_ms = 500");
        let error = why(ask(&config, &plate("ABC123")).await.unwrap_err());
        assert!(error.contains(says), "{select}: {error}");
    }
    let forbidden = over(&url.replace("forerunner@", "stranger@"), select, "");
    let error = why(ask(&forbidden, &plate("ABC123")).await.unwrap_err());
    assert!(error.starts_with("refused: permission denied"), "{error}");
    std::fs::write(folder.path().join("password"), "hunter2").unwrap();
    let error = why(ask(&over(&url, select, ""), &plate("ABC123"))
        .await
        .unwrap_err());
    assert!(
        error.starts_with("refused: password authentication failed"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
    drop(postgres);
    let error = why(ask(&over(&url, select, ""), &plate("ABC123"))
        .await
        .unwrap_err());
    assert!(error.starts_with("failed, again true"), "{error}");
}

fn forerunner(arguments: &[&str], config: &Path) -> Output {
    let mut command = Command::new(forerunner_binary());
    command.args(arguments).arg("--config").arg(config);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

// The command is waited for on this thread: what it asks answers on others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sources_are_checked_and_tried_at_the_command_line_and_that_is_on_record() {
    let good = TestSource::start(Manner::answers(
        r#"{"plate": "ABC123", "state": "WI", "make": "Ford", "model": "F-150", "year": 2011,
            "color": "red", "registered_owner": "A. PERSON", "status": "stolen",
            "recorded": "2018-01-01"}"#,
    ))
    .await;
    let unfit = TestSource::start(Manner::answers("[1]")).await;
    let broken = TestSource::start(Manner::status(500)).await;
    let section = |name: &str, source: &TestSource| {
        format!(
            "\n[[sources]]\nname = \"{name}\"\nasks = \"plate\"\ngives = \"registration\"\n\
             reason = true\nhttp = {{ url = \"{}\" }}\n",
            source.url("/v?plate={plate}")
        )
    };
    let sections = [
        section("Vehicles", &good),
        section("Unfit", &unfit),
        section("Broken", &broken),
    ];
    let center = TestCenter::start_with(&sections.concat()).await;
    let config = center.config();
    let run = |arguments: &[&str]| tokio::task::block_in_place(|| forerunner(arguments, &config));

    let checked = run(&["sources", "check"]);
    let text = said(&checked);
    assert!(!checked.status.success(), "{text}");
    for line in [
        "works  Vehicles  plate     about TEST00, answered in",
        "1 finding, 1 caution",
        "FAILS  Unfit     plate     its answer does not fit",
        "FAILS  Broken    plate     it answered 500",
        "2 questions were not answered",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let of_plate = ["sources", "try", "Vehicles", "--plate", "ABC123"];
    let unreasoned = said(&run(&of_plate));
    assert!(
        unreasoned.contains("Vehicles: not asked: it wants a reason"),
        "{unreasoned}"
    );
    let why = ["--reason", "a new connection"];
    let tried = run(&[&of_plate[..], &why].concat());
    let text = said(&tried);
    assert!(tried.status.success(), "{text}");
    for line in [
        "\"registered_owner\": \"A. PERSON\"",
        "CAUTION  Plate ABC123 WI is listed as stolen",
        "Finding  Plate ABC123 WI",
        "2011 red Ford F-150",
        "(an exact match, recorded 2018-01-01)",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // What cannot be read is shown as it came, and said.
    let text = said(&run(&[
        "sources", "try", "Unfit", "--plate", "ABC123", "--reason", "x",
    ]));
    assert!(text.contains("What it said"), "{text}");
    assert!(text.contains("its answer does not fit"), "{text}");
    for (arguments, says) in [
        (
            &["Nobody", "--plate", "ABC123"][..],
            "no source Nobody: it has Vehicles",
        ),
        (
            &["Vehicles", "--phone", "5550100", "--reason", "x"],
            "Vehicles: it is asked about: plate",
        ),
        (&["Vehicles", "--plate", "!"], "wanted a plate of 2 to 8"),
        (&["Vehicles"], "--plate"),
        (
            &["Vehicles", "--plate", "ABC123", "--purpose", "Z"],
            "there is no purpose Z",
        ),
    ] {
        let output = run(&[&["sources", "try"][..], arguments].concat());
        assert!(!output.status.success());
        assert!(said(&output).contains(says), "{}", said(&output));
    }
    let on_record = center.asked_of_sources().await;
    let asked = "asked about plate; purpose C; reason: a new connection";
    let by_hand = |(who, allowed, detail): &(String, bool, String)| {
        who == "operator, at the command line" && *allowed && detail == asked
    };
    assert!(on_record.iter().any(by_hand), "{on_record:?}");
}
