use super::super::export::{self, Form, NoExport, VerifiedExport};
use super::*;

async fn exported(bench: &Bench, criteria: find::Criteria, form: Form) -> String {
    let key = bench.key.clone();
    bench
        .read(move |c| {
            let mut file = Vec::new();
            export::write(c, &key, &criteria, form, 10_000, &mut file)
                .map_err(|e| LogError::Store(e.to_string()))?;
            Ok(String::from_utf8(file).unwrap())
        })
        .await
}

fn verified(file: &str, bench: &Bench) -> Result<VerifiedExport, NoExport> {
    export::verify(file.as_bytes(), Some(bench.key.verifier()))
}

fn faults(file: &str, bench: &Bench) -> Vec<Fault> {
    verified(file, bench).unwrap().faults
}

#[tokio::test]
async fn an_export_proves_itself_and_each_change_of_it_is_named() {
    let (bench, _) = Bench::of(300).await;
    let file = exported(&bench, find::Criteria::default(), Form::Json).await;
    let whole = verified(&file, &bench).unwrap();
    assert_eq!(whole.faults, []);
    assert_eq!(
        (whole.entries, whole.of, whole.by_known_key),
        (300, 300, true)
    );
    let lines: Vec<&str> = file.lines().collect();
    let without = |gone: &[usize]| -> String {
        let kept = lines.iter().enumerate().filter(|(n, _)| !gone.contains(n));
        kept.map(|(_, line)| format!("{line}\n")).collect()
    };
    // Line 0 is the head: entry n stands in line n.
    for (gone, id) in [(1, 1), (150, 150), (300, 300)] {
        assert_eq!(
            faults(&without(&[gone]), &bench),
            [Fault::Missing { from: id, to: id }]
        );
    }
    assert_eq!(faults(&without(&[301]), &bench), [Fault::NoSeal]);
    let changed = file.replace(
        r#""object":"0000000000000005/call""#,
        r#""object":"0000000000000006/call""#,
    );
    assert!(faults(&changed, &bench).contains(&Fault::Changed { id: 5 }));
    let at = lines[7].find("\"at\":\"20").unwrap();
    let mut other_time = lines[7].to_owned();
    other_time.replace_range(at + 6..at + 8, "19");
    let changed = file.replace(lines[7], &other_time);
    assert_eq!(faults(&changed, &bench), [Fault::Changed { id: 7 }]);
    let mut swapped = lines.clone();
    swapped.swap(9, 10);
    assert_eq!(
        faults(&(swapped.join("\n") + "\n"), &bench),
        [Fault::Moved { id: 9 }]
    );
    // Another center's key, and a head of another log.
    let other = SigningKey::new("forerunner/x/audit/1", KeyKind::Note, &[8; 32]).unwrap();
    assert!(export::verify(file.as_bytes(), Some(other.verifier())).is_err());
    assert!(!export::verify(file.as_bytes(), None).unwrap().by_known_key);
    assert!(verified(&file.replace("\\n300\\n", "\\n299\\n"), &bench).is_err());
    assert!(verified("", &bench).is_err());
}

/// An entry that the center has, put into an export that it did not ask for.
#[tokio::test]
async fn an_export_of_some_entries_cannot_be_made_more_or_less() {
    let (bench, _) = Bench::of(40).await;
    let some = find::Criteria {
        call: Some(CallId(3)),
        ..find::Criteria::default()
    };
    let all = exported(&bench, find::Criteria::default(), Form::Json).await;
    let file = exported(&bench, some, Form::Json).await;
    let whole = verified(&file, &bench).unwrap();
    assert_eq!(
        (whole.entries, whole.asked.as_str()),
        (2, "call 0000000000000003")
    );
    let lines: Vec<&str> = file.lines().collect();
    let foreign = all.lines().nth(30).unwrap();
    let more = [lines[0], lines[1], lines[2], foreign, lines[3]].join("\n") + "\n";
    assert_eq!(faults(&more, &bench), [Fault::NotGiven { id: 30 }]);
    let less = [lines[0], lines[1], lines[3]].join("\n") + "\n";
    assert_eq!(faults(&less, &bench), [Fault::Missing { from: 23, to: 23 }]);
    // One taken out and another put in its place.
    let other = [lines[0], lines[1], foreign, lines[3]].join("\n") + "\n";
    assert!(verified(&other, &bench).is_err());
}

#[tokio::test]
async fn a_csv_has_a_line_an_entry_and_no_formula() {
    let bench = Bench::new();
    bench
        .enter_one(Record {
            detail: "a, \"b\"".into(),
            subjects: Subject::read("plate", "ABC123").into_iter().collect(),
            ..Record::of("=cmd|' /C calc'!A0", Act::SeePacket)
        })
        .await;
    bench.sign().await;
    let file = exported(&bench, find::Criteria::default(), Form::Csv).await;
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("id,at,who,agency,"));
    assert!(lines[1].contains(",'=cmd|"), "{}", lines[1]);
    assert!(lines[1].contains("\"a, \"\"b\"\"\""), "{}", lines[1]);
    assert!(!file.contains("ABC123"));
    let at = lines[1].split(',').nth(1).unwrap();
    assert_eq!(at.len(), "2026-05-01T08:00:00.123Z".len(), "{at}");
}
