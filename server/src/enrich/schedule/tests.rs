#![allow(clippy::unwrap_used)]

use super::*;

const LIMITS: Limits = Limits {
    timeout_ms: 1_000,
    deadline_ms: 60_000,
    in_flight_max: 4,
    per_minute_max: 60_000,
    cache_ms: 0,
};

type Heard = (i64, u32, usize, Told<u32>);

/// What a modelled source says, and when: of source, question and now.
type Answers = fn(usize, u32, i64) -> Option<(i64, Fetched<u32>)>;

/// A scheduler with modelled sources, in virtual time.
struct City {
    scheduler: Scheduler<u32, u32, u32>,
    now_ms: i64,
    /// What becomes of an attempt at this source, begun at this time: after how long, and
    /// what. `None`: it never says anything.
    answers: Answers,
    /// (when, attempt, what), as they will come.
    under_way: Vec<(i64, u64, Fetched<u32>)>,
    heard: Vec<Heard>,
    /// (when, source, question)
    asked: Vec<(i64, usize, u32)>,
    /// Attempts in flight, each with its source; and the most at a time.
    in_flight: Vec<(u64, usize)>,
    in_flight_most: usize,
}

impl City {
    fn new(limits: &[Limits], answers: Answers) -> Self {
        Self {
            scheduler: Scheduler::new(limits, 256),
            now_ms: 0,
            answers,
            under_way: Vec::new(),
            heard: Vec::new(),
            asked: Vec::new(),
            in_flight: Vec::new(),
            in_flight_most: 0,
        }
    }

    fn ask(&mut self, waiter: u32, source: usize, question: u32, urgency: u8) {
        let ask = Ask {
            waiter,
            source,
            question,
            urgency,
        };
        let effects = self.scheduler.ask(self.now_ms, ask);
        self.obey(effects);
    }

    fn obey(&mut self, effects: Effects<u32, u32, u32>) {
        for stop in effects.stop {
            self.under_way.retain(|(_, attempt, _)| *attempt != stop);
            self.in_flight.retain(|(attempt, _)| *attempt != stop);
        }
        for fetch in effects.fetch {
            self.asked.push((self.now_ms, fetch.source, fetch.question));
            self.in_flight.push((fetch.attempt, fetch.source));
            self.in_flight_most = self.in_flight_most.max(self.in_flight.len());
            if let Some((after, what)) = (self.answers)(fetch.source, fetch.question, self.now_ms) {
                self.under_way
                    .push((self.now_ms + after, fetch.attempt, what));
            }
        }
        for tell in effects.tell {
            let heard = (self.now_ms, tell.waiter, tell.source, tell.told);
            self.heard.push(heard);
        }
    }

    /// Until nothing is left to happen, or this time has come.
    fn run_until(&mut self, end_ms: i64) {
        loop {
            self.under_way
                .sort_by_key(|(at, attempt, _)| (*at, *attempt));
            let answer = self.under_way.first().map(|(at, ..)| *at);
            let due = self.scheduler.due_ms();
            let Some(next) = answer
                .into_iter()
                .chain(due)
                .min()
                .filter(|at| *at <= end_ms)
            else {
                self.now_ms = end_ms;
                return;
            };
            self.now_ms = self.now_ms.max(next);
            let random = self.now_ms.unsigned_abs();
            let effects = if answer == Some(next) {
                let (_, attempt, what) = self.under_way.remove(0);
                self.in_flight.retain(|(other, _)| *other != attempt);
                self.scheduler.fetched(self.now_ms, random, attempt, what)
            } else {
                self.scheduler.due(self.now_ms, random)
            };
            self.obey(effects);
        }
    }

    fn last_words(&self) -> Vec<&Heard> {
        self.heard
            .iter()
            .filter(|(.., told)| told.is_final())
            .collect()
    }
}

fn answered(heard: &Heard) -> Option<(u32, i64)> {
    match &heard.3 {
        Told::Answered {
            answer, took_ms, ..
        } => Some((*answer, *took_ms)),
        _ => None,
    }
}

fn error() -> Fetched<u32> {
    Fetched::Failed {
        why: "it answered 500".into(),
        again: true,
    }
}

#[test]
fn a_dead_source_and_a_slow_one_cost_the_others_nothing() {
    // Ten that answer in 50 ms, five that never do, five that take 900 ms.
    let mut city = City::new(&[LIMITS; 20], |source, question, _| match source {
        0..10 => Some((50, Fetched::Answer(question))),
        10..15 => None,
        _ => Some((900, Fetched::Answer(question))),
    });
    for call in 0..100 {
        for source in 0..20 {
            city.ask(call, source, call, 1);
        }
    }
    city.run_until(600_000);
    let fast = city.last_words().into_iter().filter(|heard| heard.2 < 10);
    let took: Vec<i64> = fast.map(|heard| answered(heard).unwrap().1).collect();
    assert_eq!(took.len(), 1_000);
    // Four at a time, 50 ms each: what it would be with no other source there.
    assert_eq!(took.iter().max(), Some(&(100 / 4 * 50)));
    assert_eq!(
        city.last_words().len(),
        2_000,
        "each asker hears one last word"
    );
    assert!(city.in_flight_most <= 20 * 4);
    assert_eq!(city.scheduler.open_questions(), 0);
    assert_eq!(city.scheduler.due_ms(), None);
}

#[test]
fn the_bound_on_all_is_divided_so_that_nobody_takes_anothers_place() {
    let many = Limits {
        in_flight_max: 100,
        ..LIMITS
    };
    let mut city = City::new(&[many; 4], |source, question, _| {
        (source == 3).then_some((10, Fetched::Answer(question)))
    });
    city.scheduler = Scheduler::new(&[many; 4], 8);
    for question in 0..50 {
        for source in 0..4 {
            city.ask(question, source, question, 1);
        }
    }
    city.run_until(500);
    assert_eq!(city.in_flight_most, 8);
    assert_eq!(
        city.last_words()
            .iter()
            .filter(|heard| heard.2 == 3)
            .count(),
        50
    );
}

#[test]
fn the_same_question_for_two_packets_is_asked_once_and_both_are_told() {
    let mut city = City::new(&[LIMITS], |_, question, _| {
        Some((400, Fetched::Answer(question)))
    });
    city.ask(1, 0, 7, 2);
    city.run_until(100);
    city.ask(2, 0, 7, 1);
    city.run_until(1_000);
    assert_eq!(city.asked.len(), 1);
    let took: Vec<_> = city
        .heard
        .iter()
        .map(|heard| (heard.1, answered(heard)))
        .collect();
    assert_eq!(took, [(1, Some((7, 400))), (2, Some((7, 300)))]);
}

#[test]
fn an_answer_is_good_for_as_long_as_the_source_is_configured_and_says_how_old_it_is() {
    let kept = Limits {
        cache_ms: 5_000,
        ..LIMITS
    };
    let mut city = City::new(&[kept], |_, question, _| {
        Some((100, Fetched::Answer(question)))
    });
    city.ask(1, 0, 7, 1);
    city.run_until(5_000);
    city.ask(2, 0, 7, 1);
    assert!(matches!(
        city.heard[1].3,
        Told::Answered {
            as_of_ms: 100,
            took_ms: 0,
            ..
        }
    ));
    city.run_until(5_100);
    city.ask(3, 0, 7, 1);
    city.run_until(6_000);
    assert_eq!(city.asked.len(), 2);
}

#[test]
fn the_most_urgent_question_is_asked_first_and_a_call_may_become_more_urgent() {
    let one = Limits {
        in_flight_max: 1,
        ..LIMITS
    };
    let mut city = City::new(&[one], |_, question, _| {
        Some((10, Fetched::Answer(question)))
    });
    for (question, urgency) in [(0, 5), (1, 5), (2, 3), (3, 1), (4, 5)] {
        city.ask(question, 0, question, urgency);
    }
    city.scheduler.hurry(0, &4, 0);
    city.run_until(1_000);
    let order: Vec<u32> = city.asked.iter().map(|(.., question)| *question).collect();
    assert_eq!(order, [0, 4, 3, 2, 1]);
}

#[test]
fn a_failure_is_tried_again_with_jitter_and_said_once_the_asker_has_waited() {
    let mut city = City::new(&[LIMITS], |_, question, now_ms| {
        let what = if now_ms < 3_000 {
            error()
        } else {
            Fetched::Answer(question)
        };
        Some((10, what))
    });
    city.ask(1, 0, 7, 1);
    city.run_until(60_000);
    let gaps: Vec<i64> = city
        .asked
        .windows(2)
        .map(|two| two[1].0 - two[0].0)
        .collect();
    for (gap, most) in gaps.iter().zip([500, 1_000, 2_000]) {
        assert!((10 + most / 2..=10 + most).contains(gap), "{gaps:?}");
    }
    let [retrying, last] = &city.heard[..] else {
        panic!("{:?}", city.heard)
    };
    assert!(retrying.0 >= ANNOUNCE_AFTER_MS);
    assert_eq!(
        retrying.3,
        Told::Retrying {
            why: "it answered 500".into()
        }
    );
    assert_eq!(answered(last).unwrap().0, 7);
}

#[test]
fn two_that_failed_together_do_not_come_back_together() {
    let mut city = City::new(&[LIMITS, LIMITS], |_, _, _| Some((10, error())));
    city.ask(1, 0, 7, 1);
    city.ask(1, 1, 8, 1);
    city.run_until(1_000);
    assert_ne!(city.asked[2].0, city.asked[3].0);
}

#[test]
fn what_never_answers_is_announced_retried_and_has_timed_out_by_the_deadline() {
    let mut city = City::new(&[LIMITS], |_, _, _| None);
    city.ask(1, 0, 7, 1);
    city.run_until(600_000);
    let words: Vec<&Told<u32>> = city.heard.iter().map(|heard| &heard.3).collect();
    assert!(
        matches!(
            words[..],
            [Told::Retrying { .. }, Told::TimedOut { took_ms, .. }] if *took_ms <= 60_000
        ),
        "{words:?}"
    );
    assert!((2..=usize::from(ATTEMPTS_MAX)).contains(&city.asked.len()));

    let slow = Limits {
        timeout_ms: 10_000,
        ..LIMITS
    };
    let mut city = City::new(&[slow], |_, question, _| {
        Some((9_000, Fetched::Answer(question)))
    });
    city.ask(1, 0, 7, 1);
    city.run_until(600_000);
    assert_eq!(city.heard[0], (ANNOUNCE_AFTER_MS, 1, 0, Told::Asked));
    assert_eq!(answered(&city.heard[1]).unwrap().1, 9_000);
}

#[test]
fn what_asking_again_would_not_change_is_final_at_once() {
    let mut city = City::new(&[LIMITS, LIMITS], |source, _, _| {
        let what = match source {
            0 => Fetched::Refused("it answered 403".into()),
            _ => Fetched::Failed {
                why: "no JSON".into(),
                again: false,
            },
        };
        Some((10, what))
    });
    city.ask(1, 0, 7, 1);
    city.ask(1, 1, 7, 1);
    city.run_until(60_000);
    assert_eq!(city.asked.len(), 2);
    assert!(matches!(&city.heard[0].3, Told::Refused { why, .. } if why.contains("403")));
    assert!(matches!(&city.heard[1].3, Told::Failed { why, .. } if why.contains("JSON")));
}

#[test]
fn a_source_that_fails_in_a_row_is_left_alone_until_one_try_finds_it_back() {
    let mut city = City::new(&[LIMITS], |_, question, now_ms| {
        let what = if now_ms < 20_000 {
            error()
        } else {
            Fetched::Answer(question)
        };
        Some((10, what))
    });
    for question in 0..40 {
        city.ask(question, 0, question, 1);
    }
    city.run_until(2_000);
    assert!(city.scheduler.is_left_alone(0));
    let until_open = city.asked.len();
    // No more than were under way when it opened.
    assert!(until_open <= BREAKER_FAILURES as usize + usize::from(LIMITS.in_flight_max));
    city.run_until(20_000);
    assert!(
        city.asked.len() - until_open <= 4,
        "one try at a time: {:?}",
        city.asked
    );
    city.run_until(60_000);
    assert!(!city.scheduler.is_left_alone(0));
    let answered = city.heard.iter().filter_map(answered).count();
    assert_eq!(answered, 40, "all are answered once it is back");
}

#[test]
fn the_rate_holds_over_any_minute() {
    let slow = Limits {
        per_minute_max: 60,
        in_flight_max: 100,
        deadline_ms: 300_000,
        ..LIMITS
    };
    let mut city = City::new(&[slow], |_, question, _| {
        Some((1, Fetched::Answer(question)))
    });
    for question in 0..200 {
        city.ask(question, 0, question, 1);
    }
    city.run_until(300_000);
    assert_eq!(city.asked.len(), 200);
    let at_once = city.asked.iter().filter(|(at, ..)| *at == 0).count();
    assert_eq!(at_once, 5);
    for (index, (from, ..)) in city.asked.iter().enumerate() {
        let within = city.asked[index..]
            .iter()
            .filter(|(at, ..)| at - from < 60_000);
        assert!(within.count() <= 65);
    }
}

#[test]
fn what_waits_is_bounded_and_the_least_urgent_is_given_up_and_told() {
    let one = Limits {
        in_flight_max: 1,
        ..LIMITS
    };
    let mut city = City::new(&[one], |_, _, _| None);
    for question in 0..=u32::try_from(WAITING_MAX).unwrap() {
        city.ask(question, 0, question, 3);
    }
    assert_eq!(city.heard, []);
    city.ask(9_999, 0, 9_999, 1);
    assert_eq!(city.heard.len(), 1);
    assert_ne!(city.heard[0].1, 9_999);
    assert!(matches!(&city.heard[0].3, Told::Failed { why, .. } if why.contains("wait for it")));
}

#[test]
fn one_asker_more_than_may_wait_for_a_question_asks_it_again() {
    let mut city = City::new(&[LIMITS], |_, question, _| {
        Some((10, Fetched::Answer(question)))
    });
    for waiter in 0..=u32::try_from(WAITERS_MAX).unwrap() {
        city.ask(waiter, 0, 7, 1);
    }
    city.run_until(100);
    assert_eq!(city.asked.len(), 2);
    assert_eq!(city.last_words().len(), WAITERS_MAX + 1);
}

#[test]
fn an_attempt_that_was_given_up_and_answers_after_all_is_ignored() {
    let mut scheduler = Scheduler::<u32, u32, u32>::new(&[LIMITS], 4);
    let ask = Ask {
        waiter: 1,
        source: 0,
        question: 7,
        urgency: 1,
    };
    let begun = scheduler.ask(0, ask).fetch[0].attempt;
    let due = scheduler.due_ms().unwrap();
    assert_eq!(due, 1_000);
    assert_eq!(scheduler.due(due, 0).stop, [begun]);
    let late = scheduler.fetched(due + 1, 0, begun, Fetched::Answer(7));
    assert!(late.tell.is_empty() && late.fetch.is_empty());
}

#[test]
fn whatever_sources_do_each_asker_hears_one_last_word_by_its_deadline() {
    for seed in 0..50 {
        let mut random = seed;
        let mut next = move || {
            random = jittered(i64::MAX, random).unsigned_abs();
            random
        };
        let mut city = City::new(&[LIMITS; 3], |source, question, now_ms| {
            let chance = jittered(
                1 << 40,
                now_ms.unsigned_abs() ^ u64::from(question) << 20 ^ source as u64,
            );
            match chance % 5 {
                0 => None,
                1 => Some((chance % 900, error())),
                2 => Some((chance % 700, Fetched::Refused("no".into()))),
                _ => Some((chance % 1_500, Fetched::Answer(question))),
            }
        });
        let mut asked = std::collections::HashMap::new();
        for waiter in 0..300 {
            let (source, question) = ((next() % 3) as usize, (next() % 100) as u32);
            asked.insert(waiter, city.now_ms);
            city.ask(waiter, source, question, (next() % 5) as u8);
            let until = city.now_ms + (next() % 200).cast_signed();
            city.run_until(until);
        }
        city.run_until(10_000_000);
        for (waiter, asked_ms) in asked {
            let heard: Vec<_> = city
                .heard
                .iter()
                .filter(|heard| heard.1 == waiter)
                .collect();
            let (last, before) = heard.split_last().unwrap();
            assert!(last.3.is_final() && before.len() <= 2, "{heard:?}");
            assert!(before.iter().all(|heard| !heard.3.is_final()));
            assert!(last.0 <= asked_ms + i64::from(LIMITS.deadline_ms));
        }
        assert_eq!(city.scheduler.open_questions(), 0);
        assert_eq!(city.scheduler.due_ms(), None);
    }
}
