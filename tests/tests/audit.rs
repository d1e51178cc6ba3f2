//! The audit log of a whole center: what stands in it, who may look, and what
//! `forerunner audit` says of it.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use forerunner_tests::{AGENCY, Answer, TestApi, TestCenter, TestDevice, forerunner_binary, until};
use server::audit::note::VerifierKey;

/// What `forerunner audit` says and whether it is content.
fn audit(arguments: &[&str]) -> (bool, String) {
    let run = || {
        Command::new(forerunner_binary())
            .arg("audit")
            .args(arguments)
            .output()
    };
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::task::block_in_place(run).unwrap();
    let said = [stdout, stderr].concat();
    assert!(matches!(status.code(), Some(0 | 1)), "{status:?}");
    (status.success(), String::from_utf8(said).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

async fn as_auditor(center: &TestCenter, path: &str) -> Answer {
    let token = center.center().auditor_token.clone();
    TestApi::new(center.api.base.clone(), token)
        .get(path)
        .await
        .unwrap()
}

/// The newest entries of an act, as the API gives them.
async fn entries(center: &TestCenter, query: &str) -> Vec<serde_json::Value> {
    let answer = as_auditor(center, &format!("/v1/audit?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["entries"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_says_who_what_when_from_where_and_why_and_only_auditors_see_it() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    center.note(call, "silver sedan").await;
    device.has_note(call, "silver sedan").await;
    for token in [center.api.token.clone(), "wrong".into()] {
        let api = TestApi::new(center.api.base.clone(), token);
        for path in ["/v1/audit", "/v1/audit/export?form=json"] {
            assert_eq!(api.get(path).await.unwrap().status, 403, "{path}");
        }
    }
    let denied = entries(&center, "act=SeeAudit&allowed=no").await;
    assert_eq!(
        denied.len(),
        2,
        "a denial is on record, with where it came from"
    );
    assert_eq!(denied[0]["from"], "127.0.0.1");
    let reported = entries(&center, "act=ReportCall").await;
    assert_eq!(reported[0]["who"], "Dispatch");
    assert_eq!(reported[0]["from"], "127.0.0.1");
    assert_eq!(reported[0]["object"], call.to_string());
    let at = reported[0]["at"].as_str().unwrap();
    assert_eq!(
        at.len(),
        "2026-05-01T08:00:00.123Z".len(),
        "hundredths of a second: {at}"
    );
    // What a device was given: whose it is, and from which `seq` to which.
    let number = device.core.device().unwrap();
    let given = until("what the device was given is on record", async || {
        let query = format!("device={}&call={call}&act=carry%20call", number.0);
        let given = entries(&center, &query).await;
        (!given.is_empty()).then_some(given)
    })
    .await;
    assert_eq!(given[0]["carriers"][0]["who"], "Diaz (1A1)");
    let opened = entries(&center, "act=OpenSession").await;
    for (entry, by) in [
        (&given[0], "what-is-the-agency's-own"),
        (&opened[0], "devices"),
    ] {
        assert_eq!(entry["agency"], AGENCY);
        let policies = entry["policies"].as_array().unwrap();
        assert!(policies.iter().any(|policy| policy == by), "{entry}");
    }
    assert!(given[0]["through"].as_u64().unwrap() > given[0]["after"].as_u64().unwrap());
    let by_person = entries(&center, "who=diaz").await;
    assert!(!by_person.is_empty());
    // Looking is an entry of its own.
    let looked = entries(&center, "act=SeeAudit&allowed=yes").await;
    assert!(
        looked
            .iter()
            .any(|e| e["detail"].as_str().unwrap().starts_with("who diaz:"))
    );
    for wrong in [
        "call=x",
        "from=yesterday",
        "subject=ABC123",
        "allowed=maybe",
    ] {
        let answer = as_auditor(&center, &format!("/v1/audit?{wrong}")).await;
        assert_eq!(answer.status, 422, "{wrong}");
        assert!(answer.body["field"].is_string(), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_somebody_searched_for_is_found_by_who_asks_and_stands_nowhere() {
    let center = TestCenter::start().await;
    let call = center.api.call("26-1", &[]).await;
    center.note(call, "plate ABC123 seen").await;
    let found = center.api.get("/v1/search?plate=abc-123").await.unwrap();
    assert_eq!(found.status, 200, "{}", found.text);
    let asked = entries(&center, "subject_kind=plate&subject=ABC123&act=Search").await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0]["who"], "dispatch");
    assert!(
        entries(&center, "subject_kind=plate&subject=XYZ987&act=Search")
            .await
            .is_empty()
    );
    let export = as_auditor(&center, "/v1/audit/export?form=csv").await;
    let export = if export.status == 409 {
        until("there is a checkpoint", async || {
            let export = as_auditor(&center, "/v1/audit/export?form=csv").await;
            (export.status == 200).then_some(export)
        })
        .await
    } else {
        export
    };
    assert!(
        !export.text.to_uppercase().contains("ABC123"),
        "{}",
        export.text
    );
    let config = center.config();
    let forget = [
        "forget",
        "--config",
        text(&config),
        "--subject",
        "plate:ABC123",
    ];
    let (done, said) = audit(&[&forget[..], &["--by", "Clerk", "--reason", "order 12-7"]].concat());
    assert!(done && said.contains("The key is destroyed"), "{said}");
    assert!(
        entries(&center, "subject_kind=plate&subject=ABC123")
            .await
            .is_empty()
    );
    let (done, said) = audit(&["verify", "--config", text(&config)]);
    assert!(done, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agency_cosigns_and_the_command_line_verifies_log_backup_export_and_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The witness's key is made on the agency's own machine, and told to the center.
    let mut center = TestCenter::start().await;
    let config = center.config();
    center.api.call("26-1", &[]).await;
    let (done, said) = audit(&[
        "checkpoint",
        "--config",
        text(&config),
        "--to",
        text(&at("first")),
    ]);
    assert!(done, "{said}");
    let key = said
        .lines()
        .find_map(|line| line.strip_prefix("Key: "))
        .unwrap()
        .to_owned();
    VerifierKey::read(&key).unwrap();
    let cosign = |center: &TestCenter| {
        audit(&[
            "cosign",
            "--center",
            &center.api.base,
            "--log",
            &key,
            "--key",
            text(&at("witness")),
            "--name",
            "so.example.gov/witness",
        ])
    };
    let (done, said) = cosign(&center);
    assert!(
        !done && said.contains("none of this center's witnesses"),
        "{said}"
    );
    let witness = said
        .lines()
        .find_map(|line| line.split("(audit.witnesses): ").nth(1));
    let witness = witness.unwrap().trim().to_owned();
    center.stop().await;
    let mut center = center.with(&format!(
        "[[audit.witnesses]]\nagency = \"so\"\nkey = \"{witness}\"\n"
    ));
    center.start_again().await;
    for number in ["26-2", "26-3"] {
        center.api.call(number, &[]).await;
        let (done, said) = audit(&[
            "checkpoint",
            "--config",
            text(&config),
            "--to",
            text(&at(number)),
        ]);
        assert!(done, "{said}");
        let (done, said) = cosign(&center);
        assert!(done && said.contains("Cosigned "), "{said}");
    }
    let (done, said) = audit(&[
        "verify",
        "--config",
        text(&config),
        "--key",
        &key,
        "--checkpoint",
        text(&at("first")),
        "--checkpoint",
        text(&at("26-2")),
    ]);
    assert!(done, "{said}");
    assert!(
        said.contains("so.example.gov/witness has cosigned"),
        "{said}"
    );
    assert!(
        said.contains("it begins with what 2 kept elsewhere say"),
        "{said}"
    );
    let two = |one: &str, other: &str| {
        audit(&[
            "verify",
            "--center",
            &center.api.base,
            "--key",
            &key,
            "--checkpoint",
            text(&at(one)),
            "--checkpoint",
            text(&at(other)),
        ])
    };
    let (done, said) = two("26-2", "first");
    assert!(done && said.contains("begin with"), "{said}");

    let export = at("audit.jsonl");
    let (done, said) = audit(&["export", "--config", text(&config), "--to", text(&export)]);
    assert!(done, "{said}");
    let (done, said) = audit(&["verify", "--export", text(&export), "--key", &key]);
    assert!(done && said.contains("as the center gave it"), "{said}");
    let file = std::fs::read_to_string(&export).unwrap();
    let changed = file.replacen("\"who\":\"Dispatch\"", "\"who\":\"nobody\"", 1);
    std::fs::write(at("changed.jsonl"), changed).unwrap();
    let (done, said) = audit(&[
        "verify",
        "--export",
        text(&at("changed.jsonl")),
        "--key",
        &key,
    ]);
    assert!(!done && said.contains("is not as it was written"), "{said}");

    let backup = center.back_up().await;
    let sums = std::fs::read(backup.join("center.db")).unwrap();
    let (done, said) = audit(&["verify", "--data", text(&backup), "--key", &key]);
    assert!(done, "{said}");
    assert_eq!(
        std::fs::read(backup.join("center.db")).unwrap(),
        sums,
        "it is only read"
    );
    // Who has the keys and the store changes an entry of the center's own log.
    center
        .execute("UPDATE audit SET who = 'nobody' WHERE id = (SELECT min(id) FROM audit WHERE act = 'ReportCall')")
        .await;
    let (done, said) = audit(&["verify", "--config", text(&config)]);
    assert!(
        !done && said.contains("entry ") && said.contains("is not as it was written"),
        "{said}"
    );
    let (done, _) = audit(&["verify", "--data", text(&backup)]);
    assert!(done, "the backup is as it was");

    // The center is lost, and restored from the backup: another log, which begins with what
    // the backup had, and says so of what came later.
    center.api.call("26-4", &[]).await;
    let (done, said) = audit(&[
        "checkpoint",
        "--config",
        text(&config),
        "--to",
        text(&at("later")),
    ]);
    assert!(done, "{said}");
    center.stop().await;
    center.lose_and_restore(&backup);
    let (done, said) = audit(&[
        "verify",
        "--config",
        text(&config),
        "--checkpoint",
        text(&at("26-2")),
    ]);
    assert!(done, "{said}");
    let (done, said) = audit(&[
        "verify",
        "--config",
        text(&config),
        "--checkpoint",
        text(&at("later")),
    ]);
    assert!(
        !done && said.contains("before the center was restored from a backup"),
        "{said}"
    );
    center.start_again().await;
    let (done, said) = cosign(&center);
    assert!(
        !done && said.contains("it is of the log"),
        "a restored log is told to its witnesses: {said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_center_with_a_full_disk_tells_everybody_and_enters_later_what_it_disclosed() {
    let center = TestCenter::start().await;
    let call = center.api.call("26-1", &[]).await;
    let page = async || {
        let answer = center.api.page(&format!("/calls/{call}")).await.unwrap();
        assert_eq!(answer.status, 200);
        answer.text
    };
    assert!(!page().await.contains("class=\"alarm\""));
    // Of the store's pages those that are there, and no more.
    let full = "PRAGMA max_page_count = 1";
    center.execute_now(full).await;
    until("auditing fails, and the page says so", async || {
        page().await.contains("Auditing fails").then_some(())
    })
    .await;
    assert!(center.center().unkept.waiting() > 0);
    assert!(center.center().metrics.audit_failures.get() > 0);
    center.execute_now("PRAGMA max_page_count = 1000000").await;
    until("what waited is entered", async || {
        (center.center().unkept.waiting() == 0).then_some(())
    })
    .await;
    assert!(
        page().await.contains("Auditing failed for a time"),
        "until somebody has seen it"
    );
    let seen = entries(&center, &format!("act=SeePacket&call={call}")).await;
    assert!(seen.len() >= 2, "{seen:?}");
    let failed = entries(&center, "act=AuditFailed").await;
    assert!(
        failed[0]["detail"]
            .as_str()
            .unwrap()
            .contains("its disk is full")
    );
}
