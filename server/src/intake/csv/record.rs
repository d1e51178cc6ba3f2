//! RFC 4180 records with their line numbers, in bounded memory.
//!
//! A general CSV reader takes a quote that nobody closed as the start of one
//! field that holds the rest of the file: every later call is lost without a
//! word, and memory is as large as the file. Here a record has a limit, quoting
//! is strict, and after a broken record reading goes on at the line after the
//! one on which it began, so one bad row costs one row.

use std::collections::VecDeque;
use std::io::{self, BufRead};

pub(crate) const RECORD_BYTES_MAX: usize = 32 << 10;

/// One record: where it begins, and its fields unless its quoting is broken.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) line: u64,
    pub(crate) fields: Result<Vec<Vec<u8>>, Fault>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) wanted: String,
    pub(crate) found: String,
}

#[derive(Debug)]
pub(crate) struct Records<R> {
    reader: R,
    /// Lines that a broken record had taken and that are read again.
    again: VecDeque<Line>,
    /// Lines taken from the reader.
    lines: u64,
    ended: bool,
}

#[derive(Debug)]
struct Line {
    number: u64,
    /// With its line feed; without, where it is the last or too long.
    bytes: Vec<u8>,
    too_long: bool,
}

impl<R: BufRead> Records<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            again: VecDeque::new(),
            lines: 0,
            ended: false,
        }
    }

    /// Ends the reading after an error; the line at which it was.
    pub(crate) fn give_up(&mut self) -> u64 {
        self.ended = true;
        self.again.clear();
        self.lines + 1
    }

    /// The next record that is not an empty line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record>> {
        while let Some(first) = self.line()? {
            if first.too_long || !first.bytes.trim_ascii().is_empty() {
                return self.record(first).map(Some);
            }
        }
        Ok(None)
    }

    fn record(&mut self, first: Line) -> io::Result<Record> {
        let line = first.number;
        let mut splitter = Splitter::default();
        let mut size = first.bytes.len();
        let mut taken: Vec<Line> = Vec::new();
        let mut next = Some(first);
        let fault = loop {
            let Some(part) = next else {
                break fault("a quote that closes", "the end of the file");
            };
            let too_long = part.too_long || size > RECORD_BYTES_MAX;
            let fed = splitter.feed(&part.bytes);
            taken.push(part);
            if too_long {
                let wanted = format!("at most {RECORD_BYTES_MAX} bytes");
                break fault(&wanted, "a longer row, or a quote that is not closed");
            }
            match fed {
                Ok(true) => {
                    let fields = Ok(splitter.fields);
                    return Ok(Record { line, fields });
                }
                Ok(false) => {}
                Err(found) => break fault("quoting as RFC 4180 has it", found),
            }
            next = self.line()?;
            size += next.as_ref().map_or(0, |line| line.bytes.len());
        };
        for back in taken.into_iter().skip(1).rev() {
            self.again.push_front(back);
        }
        let fields = Err(fault);
        Ok(Record { line, fields })
    }

    fn line(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.again.pop_front() {
            return Ok(Some(line));
        }
        if self.ended {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let mut too_long = false;
        let mut empty = true;
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let feed = available.iter().position(|byte| *byte == b'\n');
            let taken = feed.map_or(available.len(), |at| at + 1);
            empty &= taken == 0;
            let room = RECORD_BYTES_MAX - bytes.len();
            too_long |= taken > room;
            bytes.extend_from_slice(&available[..taken.min(room)]);
            self.reader.consume(taken);
            if feed.is_some() || taken == 0 {
                break;
            }
        }
        if empty {
            self.ended = true;
            return Ok(None);
        }
        self.lines += 1;
        if self.lines == 1 && bytes.starts_with(b"\xEF\xBB\xBF") {
            bytes.drain(..3);
        }
        Ok(Some(Line {
            number: self.lines,
            bytes,
            too_long,
        }))
    }
}

fn fault(wanted: &str, found: &str) -> Fault {
    Fault {
        wanted: wanted.to_owned(),
        found: found.to_owned(),
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    FieldStart,
    Plain,
    Quoted,
    /// A quote inside a quoted field: its end, or half of a doubled one.
    QuoteSeen,
}

#[derive(Debug, Default)]
struct Splitter {
    state: State,
    field: Vec<u8>,
    fields: Vec<Vec<u8>>,
}

impl Splitter {
    /// Takes one line; whether the record ends with it.
    fn feed(&mut self, line: &[u8]) -> Result<bool, &'static str> {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
        for byte in bare {
            match (&self.state, byte) {
                (State::FieldStart, b'"') => self.state = State::Quoted,
                (State::Quoted, b'"') => self.state = State::QuoteSeen,
                (State::QuoteSeen, b'"') => {
                    self.field.push(b'"');
                    self.state = State::Quoted;
                }
                (State::FieldStart | State::Plain | State::QuoteSeen, b',') => self.end_field(),
                (State::Plain, b'"') => {
                    return Err("a quote inside a field that has none before it");
                }
                (State::QuoteSeen, _) => return Err("text after a closing quote"),
                (State::FieldStart | State::Plain, _) => {
                    self.field.push(*byte);
                    self.state = State::Plain;
                }
                (State::Quoted, _) => self.field.push(*byte),
            }
        }
        if self.state == State::Quoted {
            self.field.extend_from_slice(&line[bare.len()..]);
            return Ok(false);
        }
        self.end_field();
        Ok(true)
    }

    fn end_field(&mut self) {
        self.fields.push(std::mem::take(&mut self.field));
        self.state = State::FieldStart;
    }
}
