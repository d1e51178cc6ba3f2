//! What deciding costs inside a real session, beside what a note takes to a device.
//!
//! 100 officers, each on a device of their own, hold 200 documents (100 calls of two). The
//! center is `forerunner serve`, a process of its own: how many decisions it makes while the
//! sessions open and while notes travel is read from its `/metrics`; what one costs, made anew
//! by Cedar or taken from what is kept, is measured here on the same code, policies and people.

use std::time::{Duration, Instant};

use forerunner_tests::{ServedCenter, TestApi, UNITS};
use packet::{Compartment, DocumentId};
use server::policy::{Act, Certifications, LivePolicies, On, Role, Who};
use tokio::sync::mpsc;

use crate::fleet::{self, Online};
use crate::notes;
use crate::row::{Row, quantile};

const OFFICERS: usize = 100;
const CALLS: usize = 100;
const NOTES: u64 = 200;
const EVERY: Duration = Duration::from_millis(50);
/// Gauges are read once a second.
const READ: Duration = Duration::from_millis(2_500);

pub(crate) async fn run() -> Vec<Row> {
    let units = [UNITS[0].to_owned()];
    let center = ServedCenter::start_with(&units, OFFICERS).await;
    let mut calls = Vec::new();
    for number in 0..CALLS {
        calls.push(center.api.call(&format!("P-{number}"), &[UNITS[0]]).await);
    }
    let lights = fleet::enrol(&center.api, &units, OFFICERS).await;
    let before = decisions(&center.api).await;
    let (came, mut received) = mpsc::unbounded_channel();
    let mut online = Online::new(came);
    online.join(lights).await;
    notes::settled(&mut received).await;
    let opened = decisions(&center.api).await;

    let call = calls[0];
    let sent = notes::send(&center.api, call, 0..NOTES, EVERY).await;
    let document = DocumentId::new(call, Compartment::Call);
    let wanted = OFFICERS * sent.len();
    let is_note = |came: &crate::light::Came| came.is_note && came.document == document;
    let came = notes::take(&mut received, is_note, wanted).await.unwrap();
    let took = notes::took_ms(&came, &sent);
    let told = decisions(&center.api).await;
    online.leave().await;

    let cold = costs_us(|policies, who, act, on| {
        let _ = policies.explain(who, act, on, None);
    });
    let kept = costs_us(|policies, who, act, on| {
        let _ = policies.decide(who, act, on);
    });
    let per_session = (opened - before) / OFFICERS as f64;
    // The console's form asks once or so for each note; devices are asked for nothing.
    let per_delivery = (told - opened) / wanted as f64;
    let mut rows = Vec::new();
    for (figure, at) in [("p50", 0.5), ("p99", 0.99)] {
        let delivery_us = quantile(&took, at) * 1_000.0;
        let (cold, kept) = (quantile(&cold, at), quantile(&kept, at));
        rows.push(Row::new("a decision, made by Cedar", figure).ours(cold, "us"));
        rows.push(Row::new("a decision that is kept", figure).ours(kept, "us"));
        rows.push(
            Row::new(
                "a session's opening: what its 200 documents cost to decide",
                figure,
            )
            .ours(kept * per_session, "us"),
        );
        rows.push(Row::new("a note to a device", figure).ours(delivery_us, "us"));
        rows.push(
            Row::new("of that, deciding", figure)
                .ours(100.0 * kept * per_delivery / delivery_us, "%")
                .goal(1.0),
        );
        rows.push(
            Row::new("… if a decision were made by Cedar each time", figure)
                .ours(100.0 * cold / delivery_us, "%"),
        );
    }
    rows.push(Row::new("decisions", "for each session that opens").ours(per_session, "times"));
    rows.push(Row::new("decisions", "for each note to a device").ours(per_delivery, "times"));
    rows
}

/// How often the center has decided so far.
async fn decisions(api: &TestApi) -> f64 {
    tokio::time::sleep(READ).await;
    let text = api.download("/metrics").await.bytes;
    let text = String::from_utf8(text).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("forerunner_policy_decisions "));
    line.unwrap().trim().parse().unwrap()
}

/// What each of many decisions of many people takes, in microseconds.
fn costs_us(decide: impl Fn(&LivePolicies, &Who, Act, On<'_>)) -> Vec<f64> {
    let agencies = ["pd", "so", "campus"].map(String::from);
    let policies = LivePolicies::built_in(&agencies);
    let day = |n: usize| format!("2030-01-{:02}", 1 + n % 28).parse().ok();
    let people = (0..OFFICERS).map(|n| Who {
        agency: agencies[n % 3].as_str().into(),
        name: n.to_string().into(),
        certifications: Certifications {
            cjis: day(n),
            intel: None,
        },
        device: Some(agencies[n % 3].as_str().into()),
        ..Who::of(Role::Officer)
    });
    let people: Vec<Who> = people.collect();
    let mut costs = Vec::new();
    for round in 0..3 {
        for who in &people {
            for (agency, compartment) in agencies
                .iter()
                .flat_map(|agency| Compartment::ALL.map(|compartment| (agency, compartment)))
            {
                let on = On::Document {
                    agency,
                    compartment,
                };
                let began = Instant::now();
                decide(&policies, who, Act::Carry(compartment), on);
                let took = began.elapsed();
                // In the first round what is kept has to be made.
                if round > 0 {
                    costs.push(took.as_secs_f64() * 1e6);
                }
            }
        }
    }
    costs
}
