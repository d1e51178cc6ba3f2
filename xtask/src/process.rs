//! Running other programs: their output goes to the screen as it comes, and is
//! read on the way by who needs its figures.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// A line longer than this reaches the screen in pieces: no line that is parsed
/// comes near it, and a program that prints no newline must not fill memory.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// The stream of a child on which it prints its figures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Runs `command` to its end; anything but success is an error that shows it.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command
        .status()
        .map_err(Failure::while_doing(show(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Failed(format!("{}: {status}", show(command))))
    }
}

/// Runs `command`, passes `stream` on line by line as it comes, and gives each
/// line to `line` as well. Returns whether the program succeeded.
pub(crate) fn run_reading(
    command: &mut Command,
    stream: Stream,
    mut line: impl FnMut(&str),
) -> Result<bool, Failure> {
    match stream {
        Stream::Out => command.stdout(Stdio::piped()),
        Stream::Err => command.stderr(Stdio::piped()),
    };
    let mut child = command
        .spawn()
        .map_err(Failure::while_doing(show(command)))?;
    let pipe: Option<Box<dyn Read>> = match stream {
        Stream::Out => child.stdout.take().map(|pipe| Box::new(pipe) as _),
        Stream::Err => child.stderr.take().map(|pipe| Box::new(pipe) as _),
    };
    let mut reader = BufReader::new(
        pipe.ok_or_else(|| Failure::Failed(format!("{}: no output", show(command))))?,
    );
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let count = (&mut reader)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut bytes)
            .map_err(Failure::while_doing(show(command)))?;
        if count == 0 {
            break;
        }
        // A closed screen is no reason to leave a child running unread.
        let _ = std::io::stdout().write_all(&bytes);
        line(String::from_utf8_lossy(&bytes).trim_end());
    }
    let status = child.wait().map_err(Failure::while_doing(show(command)))?;
    Ok(status.success())
}

/// The whole of what a short program prints, or nothing if it cannot be run or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

/// Where `program` is on the PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| is_executable(file))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_line_is_seen_and_a_failing_program_is_told_from_a_good_one() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; printf 'two, without newline'; exit 3"]);
        let good = run_reading(&mut command, Stream::Out, |l| lines.push(l.to_owned())).unwrap();
        assert!(!good);
        assert_eq!(lines, ["one", "two, without newline"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_that_names_it() {
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(error.to_string().contains("no-such-program-here"));
        assert_eq!(find("no-such-program-here"), None);
    }
}
