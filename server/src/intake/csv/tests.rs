#![allow(clippy::unwrap_used)]
use std::io::{BufReader, Cursor, Read};

use super::record::RECORD_BYTES_MAX;
use packet::UnitState;

use super::*;
use crate::intake::report::{CallStatus, UnitReport};
use crate::intake::shared_files::shared_file;

const HEADER: &str = "id,time,location,latitude,longitude,district,nature,status\n";
const GOOD: &str = "7,2018-05-01 00:00:14,\"1 A ST,MKE\",43.0,-87.9,5,FIGHT,Advised\n";

/// By its rule and not its name, so that no time zone database is needed.
fn chicago() -> TimeZone {
    TimeZone::posix("CST6CDT,M3.2.0,M11.1.0").unwrap()
}

fn rows(file: impl AsRef<[u8]>) -> Vec<Result<CallReport, BadRow>> {
    let reader = Cursor::new(file.as_ref().to_vec());
    CallRows::open(reader, "mpd", chicago()).unwrap().collect()
}

fn refused(file: impl AsRef<[u8]>) -> CsvError {
    CallRows::open(Cursor::new(file.as_ref().to_vec()), "mpd", chicago()).unwrap_err()
}

/// Line and column of each bad row, and how many good ones there are.
fn faults(file: &str) -> (Vec<(u64, String)>, usize) {
    let rows = rows(file);
    let good = rows.iter().filter(|row| row.is_ok()).count();
    let bad = rows.into_iter().filter_map(Result::err);
    (bad.map(|bad| (bad.line, bad.fault.field)).collect(), good)
}

#[test]
fn a_row_becomes_a_call_with_the_citys_own_time() {
    let all = rows(format!("{HEADER}{GOOD}"));
    let call = all[0].as_ref().unwrap();
    assert_eq!(call.number, "7");
    assert_eq!(call.received, "2018-05-01T05:00:14Z".parse().unwrap());
    assert_eq!(call.location, "1 A ST,MKE");
    assert_eq!((call.latitude, call.longitude), (Some(43.0), Some(-87.9)));
    assert_eq!(
        call.status,
        CallStatus::Closed {
            disposition: "Advised".to_owned()
        }
    );
}

#[test]
fn a_time_that_the_clocks_skip_or_have_twice_is_still_a_call() {
    for (local, utc) in [
        ("2018-03-11 02:30:00", "2018-03-11T08:30:00Z"),
        ("2018-11-04 01:30:00", "2018-11-04T06:30:00Z"),
    ] {
        let all = rows(format!(
            "{HEADER}{}",
            GOOD.replace("2018-05-01 00:00:14", local)
        ));
        assert_eq!(all[0].as_ref().unwrap().received, utc.parse().unwrap());
    }
}

#[test]
fn columns_may_come_in_any_order_with_strangers_among_them_and_without_the_optional() {
    let all = rows(
        "\u{feff}Nature,zip,narrative,ID,location,time\r\nFIGHT,53202,\"two\r\nmen\",7,1 A ST,2018-05-01T00:00:14\r\n",
    );
    let call = all[0].as_ref().unwrap();
    assert_eq!((call.nature.as_str(), call.number.as_str()), ("FIGHT", "7"));
    assert_eq!(call.narrative, ["two\r\nmen"]);
    assert_eq!((call.latitude, &call.status), (None, &CallStatus::Open));
}

#[test]
fn the_columns_of_a_live_cad_say_when_how_urgent_and_who() {
    let all = rows(
        "id,time,updated,location,nature,priority,plates,units\n\
         7,2018-05-01 00:00:14,2018-05-01T00:09:00-05:00,1 A ST,FIGHT,2,ABC123; XYZ9,\"4A12, 4A13=on_scene;K9 2=clear\"\n",
    );
    let call = all[0].as_ref().unwrap();
    assert_eq!(call.received, "2018-05-01T05:00:14Z".parse().unwrap());
    assert_eq!(call.updated, "2018-05-01T05:09:00Z".parse().unwrap());
    assert_eq!(call.priority, Some(2));
    assert_eq!(call.plates, ["ABC123", "XYZ9"]);
    let unit = |name: &str, status| UnitReport {
        status,
        ..name.into()
    };
    assert_eq!(
        call.units,
        [
            unit("4A12", None),
            unit("4A13", Some(UnitState::OnScene)),
            unit("K9 2", Some(UnitState::Clear))
        ]
    );
    for (from, to, column) in [
        (",2,ABC", ",6,ABC", "priority"),
        (",2,ABC", ",P1,ABC", "priority"),
        ("=clear", "=gone", "units"),
        ("K9 2=clear", "=clear", "units"),
        ("ABC123; XYZ9", "ABC123 XYZ9 1234567", "plates"),
        ("2018-05-01T00:09", "noon", "updated"),
    ] {
        let file = "id,time,updated,location,nature,priority,plates,units\n\
            7,2018-05-01 00:00:14,2018-05-01T00:09:00-05:00,1 A ST,FIGHT,2,ABC123; XYZ9,\"4A12;K9 2=clear\"\n";
        let broken = file.replace(from, to);
        assert_ne!(broken, file);
        assert_eq!(faults(&broken), (vec![(2, column.to_owned())], 0), "{to}");
    }
    let many = format!(
        "id,time,location,nature,units\n7,2018-05-01 00:00:14,A,B,{}\n",
        "a;".repeat(21)
    );
    assert_eq!(faults(&many), (vec![(2, "units".to_owned())], 0));
}

#[test]
fn a_call_still_in_service_is_open() {
    let all = rows(format!(
        "{HEADER}{}",
        GOOD.replace("Advised", "Service in Progress")
    ));
    assert_eq!(all[0].as_ref().unwrap().status, CallStatus::Open);
}

#[test]
fn each_kind_of_bad_row_is_named_with_its_line_and_the_rest_goes_on() {
    for (from, to, field) in [
        ("7,", ",", "id"),
        ("2018-05-01 00:00:14", "2018-13-01 00:00:14", "time"),
        ("2018-05-01 00:00:14", "2018-05-01T00:00:14+99", "time"),
        ("2018-05-01 00:00:14", "", "time"),
        ("\"1 A ST,MKE\"", "", "location"),
        ("FIGHT", "\" \"", "nature"),
        ("43.0", "90.1", "latitude"),
        ("43.0", "NaN", "latitude"),
        ("43.0", "inf", "latitude"),
        ("43.0", "north", "latitude"),
        ("43.0", "", "latitude"),
        ("-87.9", "", "longitude"),
        ("-87.9", "-1e999", "longitude"),
        ("\"1 A ST,MKE\"", "1 A ST,MKE", "row"),
        ("\"1 A ST,MKE\"", "1 \"A\" ST", "row"),
        ("\"1 A ST,MKE\"", "\"1 A\" ST", "row"),
        (",Advised", "", "row"),
        ("FIGHT", "FI\0GHT", "nature"),
    ] {
        let broken = GOOD.replacen(from, to, 1);
        assert_ne!(broken, GOOD);
        let file = format!("{HEADER}{GOOD}{broken}{GOOD}");
        assert_eq!(faults(&file), (vec![(3, field.to_owned())], 2), "{broken}");
    }
}

#[test]
fn line_numbers_count_the_lines_inside_quoted_fields() {
    let long = GOOD.replace("1 A ST,MKE", "1\n\nA \"\"ST\"\"\r\n,MKE");
    let file = format!("{HEADER}{long}\n{}{GOOD}", GOOD.replace("43.0", "x"));
    assert_eq!(faults(&file), (vec![(7, "latitude".to_owned())], 2));
    assert_eq!(
        rows(&file)[0].as_ref().unwrap().location,
        "1\n\nA \"ST\"\r\n,MKE"
    );
}

#[test]
fn a_quote_that_nobody_closes_costs_one_row_not_the_rest_of_the_file() {
    let open = GOOD.replace("ST,MKE\"", "ST");
    let file = format!("{HEADER}{open}{GOOD}{GOOD}{open}");
    assert_eq!(
        faults(&file),
        (vec![(2, "row".to_owned()), (5, "row".to_owned())], 2)
    );
    // No later quote to stumble over: the limit ends it.
    let plain = GOOD.replace("\"1 A ST,MKE\"", "1 A ST");
    let count = 3 * RECORD_BYTES_MAX / plain.len();
    let file = format!("{HEADER}{open}{}", plain.repeat(count));
    assert_eq!(faults(&file), (vec![(2, "row".to_owned())], count));
}

#[test]
fn other_bytes_than_utf_8_are_a_bad_row() {
    let mut file = format!("{HEADER}{GOOD}").into_bytes();
    let at = file.windows(5).position(|part| part == b"FIGHT").unwrap();
    file[at] = 0xff;
    file.extend_from_slice(GOOD.as_bytes());
    let all = rows(&file);
    assert_eq!(all[0].as_ref().unwrap_err().fault.field, "nature");
    assert!(all[1].is_ok());
}

#[test]
fn an_id_that_comes_twice_is_no_error_here() {
    assert_eq!(faults(&format!("{HEADER}{GOOD}{GOOD}")), (vec![], 2));
}

#[test]
fn a_file_without_the_columns_is_refused_up_front_by_their_names() {
    let error = refused("id,when,location,nature\n1,2,3,4\n");
    assert!(matches!(&error, CsvError::MissingColumns { missing, .. } if *missing == ["time"]));
    assert!(error.to_string().contains("time"), "{error}");
    assert!(matches!(refused(""), CsvError::Empty));
    assert!(matches!(refused("\n\r\n"), CsvError::Empty));
    assert!(matches!(refused(b"\x89PNG\r\n\x1a\n"), CsvError::NotCsv(_)));
    assert!(matches!(refused("\"id"), CsvError::NotCsv(_)));
    assert!(matches!(
        refused("id,id,time,location,nature\n"),
        CsvError::ColumnTwice(_)
    ));
    assert!(matches!(refused(vec![b'x'; 1 << 20]), CsvError::NotCsv(_)));
    assert!(matches!(refused("[{\"id\": 1}]"), CsvError::NotCsv(_)));
}

#[test]
fn a_line_without_end_is_read_past_in_bounded_memory() {
    let line = std::io::repeat(b'x').take(64 << 20);
    let file = HEADER
        .as_bytes()
        .chain(line)
        .chain(&b"\n"[..])
        .chain(GOOD.as_bytes());
    let mut calls = CallRows::open(BufReader::new(file), "mpd", chicago()).unwrap();
    let bad = calls.next().unwrap().unwrap_err();
    assert_eq!((bad.line, bad.fault.field.as_str()), (2, "row"));
    assert!(bad.fault.found.len() < 100);
    assert!(calls.next().unwrap().is_ok());
    assert!(calls.next().is_none());
}

#[test]
fn a_file_that_stops_being_readable_says_so_once_and_ends() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let text = format!("{HEADER}{GOOD}");
    let file = BufReader::new(text.as_bytes().chain(Fails));
    let all: Vec<_> = CallRows::open(file, "mpd", chicago()).unwrap().collect();
    assert!(all[0].is_ok());
    assert!(
        all[1]
            .as_ref()
            .unwrap_err()
            .fault
            .found
            .contains("the disk is gone")
    );
    assert_eq!(all.len(), 2);
}

#[test]
fn no_cut_of_a_file_makes_a_call_up() {
    let file = format!("{HEADER}{GOOD}");
    for end in HEADER.len()..file.len() {
        for call in rows(&file[..end]).into_iter().flatten() {
            assert_eq!(
                (call.nature.as_str(), call.longitude),
                ("FIGHT", Some(-87.9))
            );
        }
    }
}

#[test]
fn every_row_of_a_real_fortnight_is_a_call() {
    let name = "data/milwaukee_calls_2018-05-01_to_14.csv";
    let Some(path) = shared_file(name, "every_row_of_a_real_fortnight_is_a_call") else {
        return;
    };
    let file = BufReader::new(std::fs::File::open(path).unwrap());
    let (good, bad): (Vec<_>, Vec<_>) = CallRows::open(file, "mpd", chicago())
        .unwrap()
        .partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (24_039, 0), "{:?}", bad.first());
}
