#![allow(clippy::unwrap_used)]

use std::path::Path;

use packet::QueryWhat;
use serde_json::json;

use super::*;

fn source(text: &str, folder: &Path) -> SourceConfig {
    let mut source: SourceConfig = toml::from_str(text).unwrap();
    source.beside(folder);
    source
}

fn open(text: &str, folder: &Path) -> Result<Connector, String> {
    let source = source(text, folder);
    let secret = source.secret.as_ref().map(|secret| secret.read().unwrap());
    Connector::open(&source, secret).map_err(|(field, wanted)| format!("{field}: {wanted}"))
}

fn ask(what: QueryWhat, value: &str) -> Question {
    Question {
        subject: Subject::parse(what, value).unwrap(),
        purpose: Some("C".into()),
        reason: None,
    }
}

fn plate(value: &str) -> Question {
    ask(QueryWhat::Plate, value)
}

fn why(error: FetchError) -> String {
    match error {
        FetchError::Refused(why) | FetchError::Failed { why, .. } => why,
    }
}

/// A database of one table.
fn database(folder: &Path) -> rusqlite::Connection {
    let database = rusqlite::Connection::open(folder.join("dmv.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE vehicles (plate TEXT, state TEXT, year INTEGER, owner TEXT, photo BLOB);
             INSERT INTO vehicles VALUES ('ABC123', 'WI', 2011, 'A. PERSON', x'00ff');",
        )
        .unwrap();
    database
}

fn over_sqlite(select: &str) -> String {
    format!(
        "name = \"DMV\"\nasks = \"plate\"\nsql = {{ database = \"dmv.db\", select = {select:?} }}\n"
    )
}

#[tokio::test]
async fn a_sqlite_file_is_asked_by_parameters_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path());
    let select = "SELECT owner, year, photo FROM vehicles WHERE plate = :plate AND (state = :state OR :state = '')";
    let dmv = open(&over_sqlite(select), folder.path()).unwrap();
    let expected = json!([{"owner": "A. PERSON", "year": 2011, "photo": null}]);
    assert_eq!(dmv.fetch(&plate("ABC123 WI")).await.unwrap(), expected);
    assert_eq!(dmv.fetch(&plate("ABC123")).await.unwrap(), expected);
    assert_eq!(dmv.fetch(&plate("ABC124")).await.unwrap(), json!([]));
    // What is asked is a value, whatever it looks like.
    let hostile = Question {
        subject: Subject::Plate {
            plate: "x' OR '1'='1".into(),
            state: None,
        },
        ..plate("AB1")
    };
    assert_eq!(dmv.fetch(&hostile).await.unwrap(), json!([]));
    drop(database);
}

#[tokio::test]
async fn a_sqlite_file_is_only_read_and_what_is_too_much_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path());
    for (select, says) in [
        (
            "WITH x AS (SELECT :plate) SELECT nosuch FROM vehicles",
            "no such column",
        ),
        ("SELECT * FROM nosuch WHERE :plate", "no such table"),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, :plate FROM n",
            "over 200 rows",
        ),
        (
            "SELECT :plate, hex(zeroblob(1000000)) AS long",
            "over 262144 bytes",
        ),
    ] {
        let dmv = open(&over_sqlite(select), folder.path()).unwrap();
        let error = why(dmv.fetch(&plate("ABC123")).await.unwrap_err());
        assert!(error.contains(says), "{select}: {error}");
    }
    for (select, says) in [
        (
            "DELETE FROM vehicles WHERE plate = :plate",
            "sql.select: one SELECT",
        ),
        ("SELECT 1", "sql.select: plate in it"),
    ] {
        let error = open(&over_sqlite(select), folder.path()).unwrap_err();
        assert!(error.contains(says), "{select}: {error}");
    }
    let missing = over_sqlite("SELECT :plate").replace("dmv.db", "none.db");
    let dmv = open(&missing, folder.path()).unwrap();
    let error = dmv.fetch(&plate("ABC123")).await.unwrap_err();
    assert!(
        matches!(error, FetchError::Failed { again: true, .. }),
        "{error:?}"
    );
    assert!(!folder.path().join("none.db").exists());
    drop(database);
}

#[tokio::test]
async fn a_statement_of_a_question_that_is_given_up_ends() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path());
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT :plate, count(*) FROM n";
    let dmv = open(&over_sqlite(endless), folder.path()).unwrap();
    let question = plate("ABC123");
    let fetch = dmv.fetch(&question);
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(50), fetch)
            .await
            .is_err()
    );
    // It held the file; its end lets go of it. (This test ends only when its threads have.)
    database
        .execute_batch("PRAGMA wal_checkpoint; DROP TABLE vehicles")
        .unwrap();
}

const WARRANTS: &str = "\u{feff}LAST,FIRST,DOB,CHARGE\r\n\
    O'DOE,JANE,1984-05-03,\"ROBBERY, ARMED\"\r\n\
    SMITH,JOHN,1990-01-01,THEFT\r\n";

const OVER_CSV: &str = "name = \"Warrants\"\nasks = \"person\"\n\
    file = { csv = \"warrants.csv\", match = { last = \"LAST\", first = \"FIRST\" } }\n";

#[tokio::test]
async fn a_csv_file_is_asked_by_its_columns_and_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("warrants.csv");
    std::fs::write(&path, WARRANTS).unwrap();
    let warrants = open(OVER_CSV, folder.path()).unwrap();
    let jane = ask(QueryWhat::Person, "jane odoe");
    let found = warrants.fetch(&jane).await.unwrap();
    assert_eq!(
        found,
        json!([{"LAST": "O'DOE", "FIRST": "JANE", "DOB": "1984-05-03", "CHARGE": "ROBBERY, ARMED"}])
    );
    assert_eq!(
        warrants
            .fetch(&ask(QueryWhat::Person, "Doe, Jane"))
            .await
            .unwrap(),
        json!([])
    );
    std::fs::write(&path, "LAST,FIRST\nO'DOE,JANE\nODOE,JANE\n").unwrap();
    let found = warrants.fetch(&jane).await.unwrap();
    assert_eq!(found.as_array().unwrap().len(), 2);
    std::fs::remove_file(&path).unwrap();
    let error = warrants.fetch(&jane).await.unwrap_err();
    assert!(
        matches!(error, FetchError::Failed { again: true, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_csv_file_that_cannot_be_read_says_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let warrants = open(OVER_CSV, folder.path()).unwrap();
    let jane = ask(QueryWhat::Person, "jane odoe");
    for (text, says) in [
        ("", "line 1: there is no header"),
        ("LAST,DOB\n", "line 1: there is no column FIRST"),
        (
            "LAST,FIRST\nA,B\nA\n",
            "line 3: 1 fields, and the header has 2",
        ),
        ("LAST,FIRST\nA,\"B\n", "line 2: wanted a quote that closes"),
    ] {
        std::fs::write(folder.path().join("warrants.csv"), text).unwrap();
        let error = why(warrants.fetch(&jane).await.unwrap_err());
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn a_source_that_cannot_be_asked_names_its_field() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "hunter2").unwrap();
    std::fs::write(folder.path().join("no.pem"), "hunter2").unwrap();
    let http = |http: &str| format!("name = \"A\"\nasks = \"plate\"\nhttp = {{ {http} }}\n");
    let secret = "secret = { file = \"token\" }\n";
    for (text, says) in [
        (http("url = \"https://a/{plat}\""), "http.url: in braces one of"),
        (http("url = \"https://a/x\""), "http.url: plate in it, to be asked about plate"),
        (http("url = \"https://{plate}/x\""), "http.url: a host and a port without braces"),
        (http("url = \"https://a:b@c/{plate}\""), "no user or password"),
        (http("url = \"ftp://a/{plate}\""), "http.url: https:// or http://"),
        (http("url = \"a/{plate}\""), "http.url: an address such as"),
        (http("url = \"https://a/\", body = \"{plate}\", content_type = \"image/png\""), "http.content_type: JSON"),
        (http("url = \"https://a/{plate}\", headers = { \"a b\" = \"c\" }"), "http.headers: "),
        (http("url = \"https://a/{plate}\", headers = { a = \"{plate}\" }"), "{secret} or {purpose}"),
        (http("url = \"https://a/{plate}\", headers = { a = \"{secret}\" }"), "secret: where it is"),
        (http("url = \"https://a/{plate}\", ca = \"none.pem\""), "http.ca: certificates in PEM"),
        (http("url = \"https://a/{plate}\", ca = \"no.pem\""), "http.ca: certificates in PEM"),
        (
            "name = \"A\"\nasks = \"position\"\nfile = { csv = \"a\", match = { plate = \"B\" } }".into(),
            "asks: no position",
        ),
        (
            "name = \"A\"\nasks = \"plate\"\nfile = { csv = \"a\", match = { purpose = \"B\" } }".into(),
            "file.match: what is asked about",
        ),
        (
            "name = \"A\"\nasks = [\"plate\", \"phone\"]\nfile = { csv = \"a\", match = { plate = \"B\" } }".into(),
            "file.match: phone in it",
        ),
        (
            format!("name = \"A\"\nasks = \"plate\"\n{secret}sql = {{ database = \"postgresql://a@db.example/x\", select = \"SELECT :plate\" }}"),
            "sql.ca: the file of the certificate authority",
        ),
    ] {
        let error = open(&text, folder.path()).unwrap_err();
        assert!(error.contains(says) && !error.contains("hunter2"), "{text}: {error}");
    }
    let good =
        http("url = \"https://a/?p={plate}\", headers = { authorization = \"Bearer {secret}\" }");
    let opened = open(&format!("{secret}{good}"), folder.path()).unwrap();
    assert!(!format!("{opened:?}").contains("hunter2"));
}
