use packet::DeviceNumber;

use super::super::{Grace, Life, StepWhat, end_closed};
use super::*;
use crate::shifts::{self, Shift};

/// More than there are.
const ENDED_MAX: usize = 10;

impl Bench {
    /// What happened to a call, as its own document tells it.
    pub(super) fn life(&mut self, call: CallId) -> Vec<StepWhat> {
        let document_id = DocumentId::new(call, Compartment::Call);
        let entries = self.write(move |ledger| document(ledger.sql(), document_id));
        let mut life = Life::default();
        let steps = entries.iter().flat_map(|logged| life.read(logged));
        steps.map(|step| step.what).collect()
    }
}

fn unit_step(state: UnitState) -> StepWhat {
    let unit = "1A1".into();
    StepWhat::Unit { unit, state }
}

fn closed(disposition: &str) -> CallStatus {
    let disposition = disposition.into();
    CallStatus::Closed { disposition }
}

#[test]
fn a_calls_life_is_told_step_by_step_and_late_and_repeated_messages_add_none() {
    let mut bench = Bench::new();
    let shots = |second| CallReport {
        nature: "SHOTS FIRED".into(),
        ..said("7", second)
    };
    let told = [
        said("7", 0),
        CallReport {
            units: vec!["1A1".into()],
            ..said("7", 10)
        },
        CallReport {
            units: vec![unit("1A1", UnitState::OnScene)],
            ..shots(20)
        },
        CallReport {
            units: vec![unit("1A1", UnitState::Clear)],
            ..said("7", 30)
        },
        CallReport {
            status: closed("Advised"),
            ..said("7", 40)
        },
    ];
    let mut call = None;
    for message in told.clone() {
        call = Some(bench.tell(message).call);
    }
    let call = call.unwrap();
    let nature = |to: &str| StepWhat::Renamed { to: to.into() };
    let mut steps = vec![
        StepWhat::Opened { by_officer: false },
        unit_step(UnitState::Assigned),
        StepWhat::Upgraded { from: 3, to: 1 },
        nature("SHOTS FIRED"),
        unit_step(UnitState::OnScene),
        StepWhat::Downgraded { from: 1, to: 3 },
        nature("TRESPASS"),
        unit_step(UnitState::Clear),
        StepWhat::Closed {
            disposition: Some("Advised".into()),
        },
    ];
    assert_eq!(bench.life(call), steps);
    for message in told.into_iter().rev() {
        bench.tell(message.clone());
        bench.tell(message);
    }
    // And one that was never heard, from before the end.
    bench.tell(CallReport {
        units: vec![unit("1A1", UnitState::EnRoute)],
        ..shots(15)
    });
    assert_eq!(bench.life(call), steps);
    bench.tell(said("7", 50));
    steps.push(StepWhat::Reopened);
    assert_eq!(bench.life(call), steps);
}

#[test]
fn a_closed_calls_packet_stays_to_the_end_of_the_shift_in_which_it_closed() {
    let mut bench = Bench::new();
    let on = |device| Shift {
        device: DeviceNumber(device),
        officer: "Diaz".into(),
        badge: "7".into(),
        unit: "1A1".into(),
        agency: "pd".into(),
        expires_ms: i64::MAX,
    };
    let sign_on = |bench: &mut Bench, device| {
        bench.write(move |ledger| shifts::sign_on(ledger, &on(device)).map(drop));
    };
    let sign_off = |bench: &mut Bench, device| {
        bench.write(move |ledger| shifts::sign_off(ledger, DeviceNumber(device)));
    };
    let ended =
        |bench: &mut Bench| bench.write(|ledger| end_closed(ledger, Grace::Shift, ENDED_MAX));

    sign_on(&mut bench, 1);
    let put_on = CallReport {
        units: vec!["1A1".into()],
        ..said("7", 0)
    };
    bench.tell(put_on);
    assert_eq!(ended(&mut bench), 0, "an open call stays");
    bench.tell(CallReport {
        status: closed("Advised"),
        ..said("7", 10)
    });
    assert_eq!(ended(&mut bench), 0, "its report is still to be written");
    // The clock of the log counts in milliseconds.
    std::thread::sleep(std::time::Duration::from_millis(2));
    sign_on(&mut bench, 2);
    assert_eq!(ended(&mut bench), 0);
    sign_off(&mut bench, 1);
    assert_eq!(
        ended(&mut bench),
        1,
        "the next shift on the unit does not hold it"
    );
}
