use super::*;

const HEADER: &str = "id,time,location,nature,status\n";

fn row(id: &str, nature: &str) -> String {
    format!("{id},2026-05-01 00:00:14,1 MAIN ST,{nature},\n")
}

fn watched(folder: &Path) -> Vec<CadConfig> {
    ["pd", "sheriff"]
        .map(|agency| {
            let path = folder.join(agency);
            std::fs::create_dir(&path).unwrap();
            CadConfig {
                folder: Some(path),
                ..section(agency)
            }
        })
        .into()
}

#[tokio::test]
async fn a_whole_file_is_read_and_a_bad_row_is_told_with_its_line() {
    let bench = Bench::start(watched).await;
    let file = format!(
        "{HEADER}{}8,noon,1 MAIN ST,FIGHT,\n{}",
        row("7", "FIRE"),
        row("9", "FIGHT")
    );
    std::fs::write(bench.folder.path().join("pd/a.csv"), file).unwrap();
    // Two agencies may use the same number.
    let theirs = format!("{HEADER}{}", row("7", "TRESPASS"));
    std::fs::write(bench.folder.path().join("sheriff/a.csv"), theirs).unwrap();
    bench.until_numbers_are(&["7", "7", "9"]).await;
    let calls = bench.calls().await;
    assert_eq!(
        (calls[0].1.as_str(), calls[1].1.as_str()),
        ("FIRE", "TRESPASS")
    );
    let door = bench.cad("pd").folder.view();
    assert_eq!((door.rows, door.bad_rows), (2, 1), "{door:?}");
    assert!(
        door.faults[0].starts_with("a.csv: line 3: time: wanted a local time"),
        "{door:?}"
    );
    assert!(door.heard_ms.is_some() && door.trouble.is_none());
}

#[tokio::test]
async fn a_half_written_file_is_not_read_before_it_is_whole() {
    let bench = Bench::start(watched).await;
    let half = bench.folder.path().join("pd/half.csv");
    let cut = "8,2026-05-01 00:00:14,1 MAIN ST,FIGHT,Adv";
    std::fs::write(&half, format!("{HEADER}{}{cut}", row("7", "FIRE"))).unwrap();
    std::fs::write(
        bench.folder.path().join("pd/.new.csv"),
        format!("{HEADER}{}", row("5", "FIRE")),
    )
    .unwrap();
    std::fs::write(
        bench.folder.path().join("pd/new.csv.part"),
        format!("{HEADER}{}", row("6", "FIRE")),
    )
    .unwrap();
    // When this one has been read, the other has been looked at as often.
    std::fs::write(
        bench.folder.path().join("pd/whole.csv"),
        format!("{HEADER}{}", row("9", "FIRE")),
    )
    .unwrap();
    bench.until_numbers_are(&["9"]).await;
    let mut text = std::fs::read_to_string(&half).unwrap();
    text.push_str("ised\n");
    std::fs::write(&half, text).unwrap();
    bench.until_numbers_are(&["7", "8", "9"]).await;
    let calls = bench.calls().await;
    assert!(!calls[1].2, "{calls:?}");
}

#[tokio::test]
async fn what_was_read_is_not_read_again_after_a_start_and_what_grew_is() {
    let mut bench = Bench::start(watched).await;
    let path = bench.folder.path().join("pd/day.csv");
    std::fs::write(&path, format!("{HEADER}{}", row("7", "FIRE"))).unwrap();
    bench.until_numbers_are(&["7"]).await;
    bench.stop().await;
    bench.start_again().await;
    std::fs::write(
        bench.folder.path().join("pd/more.csv"),
        format!("{HEADER}{}", row("8", "FIRE")),
    )
    .unwrap();
    bench.until_numbers_are(&["7", "8"]).await;
    // Rows are counted after their commit, which shows the call.
    bench
        .until("the row is counted", async || {
            bench.cad("pd").folder.view().rows > 0
        })
        .await;
    assert_eq!(bench.cad("pd").folder.view().rows, 1);
    let grown = std::fs::read_to_string(&path).unwrap() + &row("9", "FIRE");
    std::fs::write(&path, grown).unwrap();
    bench.until_numbers_are(&["7", "8", "9"]).await;
    // That a file is gone is not an error, and is forgotten.
    std::fs::remove_file(&path).unwrap();
    bench
        .until("the file is forgotten", async || {
            let read = bench.center().log.readers().read(|connection| {
                Ok(
                    connection.query_row("SELECT count(*) FROM cad_files", [], |row| {
                        row.get::<_, u32>(0)
                    })?,
                )
            });
            read.await.unwrap() == 1
        })
        .await;
}

#[tokio::test]
async fn a_file_that_is_no_file_of_calls_and_a_folder_that_is_gone_are_told() {
    let bench = Bench::start(watched).await;
    std::fs::write(bench.folder.path().join("pd/a.csv"), "id,when\n7,noon\n").unwrap();
    bench
        .until("the file is told", async || {
            let door = bench.cad("pd").folder.view();
            door.faults
                .iter()
                .any(|fault| fault.contains("a.csv: the first line lacks the column time"))
        })
        .await;
    std::fs::remove_dir_all(bench.folder.path().join("sheriff")).unwrap();
    bench
        .until("the folder is told", async || {
            let trouble = bench.cad("sheriff").folder.view().trouble;
            trouble.is_some_and(|why| why.contains("sheriff cannot be read"))
        })
        .await;
}
