//! A jq program, and running it in bounds.
//!
//! A program is its operator's, as is the rest of the configuration, so it is held against
//! mistakes and against what an answer may make of it: it must end. Evaluating one costs a
//! look at the program at every step; that look is ours ([`Fuel`]), and it counts. Beyond
//! [`STEPS_MAX`], [`RUN_MS_MAX`] or [`STACK_BYTES_USED_MAX`] the run unwinds, which no
//! `try` of the program can stop. What a program itself makes large, such as a string
//! doubled again and again, is not bounded.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use jaq_core::box_iter::BoxIter;
use jaq_core::data::HasLut;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::native::{Fun, bome, run, v};
use jaq_core::{Compiler, Ctx, DataT, Error, Exn, Filter, Lut, ValX, Vars, unwrap_valr};
use jaq_json::Val;
use serde_json::Value;

/// Most steps of one run.
const STEPS_MAX: u32 = 500_000;
/// How long one run may take.
const RUN_MS_MAX: u64 = 5_000;
/// How many steps between looks at the clock.
const STEPS_A_LOOK: u32 = 1_024;
/// A run's thread has so much stack …
pub(super) const STACK_BYTES: usize = 64 << 20;
/// … of which a program may use half: what it has built is taken down on the rest.
const STACK_BYTES_USED_MAX: usize = STACK_BYTES / 2;
/// Most objects that a program may give; how many of them become entries is for others to say.
const OUTPUTS_MAX: usize = 1_000;
/// Most values within all that it gives, and how deep.
const OUTPUT_VALUES_MAX: usize = 50_000;
const OUTPUT_DEPTH_MAX: usize = 32;

/// What each program is told of the question, by this name.
const ASKED: &str = "$asked";
/// What programs have besides jq's own.
const PRELUDE: &str = include_str!("prelude.jq");
/// Of jq's own filters, what reaches outside, or is ours: `range` counts each number, and
/// `fromjson` reads no deeper than an answer is read.
const NOT_JAQS: [&str; 7] = [
    "halt",
    "env",
    "now",
    "debug_empty",
    "stderr_empty",
    "range",
    "fromjson",
];
/// … and what is written in terms of them.
const NOT_JAQS_DEFINITIONS: [&str; 4] = ["halt", "halt_error", "debug", "stderr"];

/// The kind of data that programs work on.
struct Bounded;

impl DataT for Bounded {
    type V<'a> = Val;
    type Data<'a> = Fuel<'a>;
}

/// Asked for the program at each step, it counts the steps.
#[derive(Clone)]
struct Fuel<'a> {
    lut: &'a Lut<Bounded>,
    tank: &'a Tank,
}

impl<'a> HasLut<'a, Bounded> for Fuel<'a> {
    fn lut(&self) -> &'a Lut<Bounded> {
        self.tank.spend();
        self.lut
    }
}

struct Tank {
    steps: Cell<u32>,
    began: Instant,
    /// Where the stack was when the run began.
    base: usize,
}

/// Why a run was ended; carried by the unwinding.
#[derive(Debug, Clone, Copy)]
enum Spent {
    Steps,
    Time,
    Stack,
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps => write!(f, "its mapping did not end in {STEPS_MAX} steps"),
            Self::Time => write!(f, "its mapping did not end in {RUN_MS_MAX} ms"),
            Self::Stack => f.write_str("its mapping calls itself too deeply"),
        }
    }
}

impl Tank {
    fn new() -> Self {
        Self {
            steps: Cell::new(0),
            began: Instant::now(),
            base: stack_position(),
        }
    }

    fn spend(&self) {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        let spent = if steps > STEPS_MAX {
            Spent::Steps
        } else if self.base.abs_diff(stack_position()) > STACK_BYTES_USED_MAX {
            Spent::Stack
        } else if steps.is_multiple_of(STEPS_A_LOOK)
            && self.began.elapsed() > Duration::from_millis(RUN_MS_MAX)
        {
            Spent::Time
        } else {
            return;
        };
        resume_unwind(Box::new(spent));
    }
}

/// Near enough: where something on the stack is now.
#[inline(never)]
fn stack_position() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}

pub(super) struct Program {
    filter: Filter<Bounded>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Program")
    }
}

impl Program {
    /// # Errors
    /// Says where it is wrong.
    pub(super) fn compile(name: &str, text: &str) -> Result<Self, String> {
        let prelude = jaq_core::load::parse(PRELUDE, |parser| parser.defs());
        let defs = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs())
            .filter(|def| !NOT_JAQS_DEFINITIONS.contains(&def.name))
            .chain(prelude.ok_or("the prelude does not parse")?);
        let loader = Loader::new(defs);
        let arena = Arena::default();
        let program = File {
            code: text,
            path: (),
        };
        let place = |code: &str, at: &str| {
            let offset = (at.as_ptr().addr()).saturating_sub(code.as_ptr().addr());
            let before = code.get(..offset).unwrap_or(code);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
            let found: String = at
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(40)
                .collect();
            format!("{name}, line {line}, column {column}, at \u{201c}{found}\u{201d}")
        };
        let modules = loader.load(&arena, program).map_err(|errors| {
            let first = errors.into_iter().next();
            first.map_or_else(
                || format!("{name} is no jq program"),
                |(file, error)| {
                    use jaq_core::load::Error as E;
                    match error {
                        E::Io(all) => all.first().map_or_else(String::new, |(path, why)| {
                            format!("{}: {why}", place(file.code, path))
                        }),
                        E::Lex(all) => all.first().map_or_else(String::new, |(want, at)| {
                            format!("{}: expected {}", place(file.code, at), want.as_str())
                        }),
                        E::Parse(all) => all.first().map_or_else(String::new, |(want, at)| {
                            format!("{}: expected {}", place(file.code, at), want.as_str())
                        }),
                    }
                },
            )
        })?;
        let funs = jaq_core::funs()
            .chain(jaq_std::funs())
            .chain(jaq_json::funs())
            .filter(|(name, ..)| !NOT_JAQS.contains(name))
            .chain(ours());
        let filter = Compiler::default()
            .with_funs(funs)
            .with_global_vars([ASKED])
            .compile(modules)
            .map_err(|errors| {
                let first = errors.into_iter().find_map(|(file, undefined)| {
                    let (what, kind) = undefined.into_iter().next()?;
                    Some(format!(
                        "{}: there is no such {}",
                        place(file.code, what),
                        kind.as_str()
                    ))
                });
                first.unwrap_or_else(|| format!("{name} does not compile"))
            })?;
        Ok(Self { filter })
    }

    /// What the program gives for this input. To be called on a thread with
    /// [`STACK_BYTES`] of stack.
    ///
    /// # Errors
    /// One sentence for the packet.
    pub(super) fn run(&self, input: Value, asked: Value) -> Result<Vec<Value>, String> {
        let run = catch_unwind(AssertUnwindSafe(|| self.run_unguarded(input, asked)));
        run.unwrap_or_else(|thrown| match thrown.downcast::<Spent>() {
            Ok(spent) => Err(spent.to_string()),
            Err(_) => Err("its mapping gave up".into()),
        })
    }

    fn run_unguarded(&self, input: Value, asked: Value) -> Result<Vec<Value>, String> {
        let tank = Tank::new();
        let fuel = Fuel {
            lut: &self.filter.lut,
            tank: &tank,
        };
        let context = Ctx::<Bounded>::new(fuel, Vars::new([to_jaq(asked)]));
        let mut outputs = Vec::new();
        let mut values_left = OUTPUT_VALUES_MAX;
        for output in self
            .filter
            .id
            .run((context, to_jaq(input)))
            .map(unwrap_valr)
        {
            let output = output.map_err(|e| format!("its answer does not fit: {}", said(e)))?;
            if outputs.len() == OUTPUTS_MAX {
                return Err(format!("its mapping gives over {OUTPUTS_MAX} objects"));
            }
            let too_much = "its mapping gives too much, or too deep";
            let output = from_jaq(&output, &mut values_left, 0).ok_or(too_much)?;
            outputs.push(output);
        }
        Ok(outputs)
    }
}

/// What a program says of its input with `error`, as it says it.
fn said(error: Error<Val>) -> String {
    match error.into_val() {
        Val::BStr(text) | Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
        other => other.to_string(),
    }
}

/// What replaces jaq's own.
fn ours() -> impl Iterator<Item = Fun<Bounded>> {
    let range: jaq_core::RunPtr<Bounded> = |mut cv| {
        let by = cv.0.pop_var();
        let to = cv.0.pop_var();
        let from = cv.0.pop_var();
        let tank = cv.0.data().tank;
        counted(tank, from, to, by)
    };
    let from_json: jaq_core::RunPtr<Bounded> = |cv| {
        let text = cv.1.try_as_utf8_bytes_owned();
        bome(text.and_then(|text| {
            serde_json::from_slice::<Value>(&text)
                .map(to_jaq)
                .map_err(Error::str)
        }))
    };
    [
        run::<Bounded>(("range", v(3), range)),
        run::<Bounded>(("fromjson", v(0), from_json)),
    ]
    .into_iter()
}

/// As jaq's own, but each number costs a step.
fn counted<'a>(tank: &'a Tank, from: Val, to: Val, by: Val) -> BoxIter<'a, ValX<'a, Val>> {
    let zero = Val::from(0_isize);
    let mut next = Some(Ok(from));
    Box::new(std::iter::from_fn(move || {
        tank.spend();
        let now = match next.take()? {
            Ok(now) => now,
            Err(e) => return Some(Err(Exn::from(e))),
        };
        let goes_on = match by.cmp(&zero) {
            std::cmp::Ordering::Greater => now.lt(&to),
            std::cmp::Ordering::Less => now.gt(&to),
            std::cmp::Ordering::Equal => now.ne(&to),
        };
        goes_on.then(|| {
            next = Some(now.clone() + by.clone());
            Ok(now)
        })
    }))
}

/// An answer is read no deeper than `serde_json` reads.
fn to_jaq(value: Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(yes) => Val::Bool(yes),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Val::Num(jaq_json::Num::from_integral(whole)),
            (None, Some(float)) => Val::from(float),
            (None, None) => Val::Null,
        },
        Value::String(text) => Val::from(text),
        Value::Array(list) => list.into_iter().map(to_jaq).collect(),
        Value::Object(map) => Val::obj(
            map.into_iter()
                .map(|(name, value)| (Val::from(name), to_jaq(value)))
                .collect(),
        ),
    }
}

/// `None`: it is too much, or too deep.
fn from_jaq(value: &Val, left: &mut usize, depth: usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    if depth > OUTPUT_DEPTH_MAX {
        return None;
    }
    Some(match value {
        Val::Null => Value::Null,
        Val::Bool(yes) => Value::Bool(*yes),
        Val::Num(_) => serde_json::from_str(&value.to_string()).unwrap_or(Value::Null),
        Val::BStr(text) | Val::TStr(text) => String::from_utf8_lossy(text).into(),
        Val::Arr(list) => {
            let list = list.iter().map(|item| from_jaq(item, left, depth + 1));
            Value::Array(list.collect::<Option<_>>()?)
        }
        Val::Obj(map) => {
            let fields = map.iter().map(|(name, value)| {
                let name = match name {
                    Val::BStr(text) | Val::TStr(text) => String::from_utf8_lossy(text).into_owned(),
                    _ => return None,
                };
                Some((name, from_jaq(value, left, depth + 1)?))
            });
            Value::Object(fields.collect::<Option<_>>()?)
        }
    })
}
