use super::super::{Life, StepWhat};
use super::*;

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
