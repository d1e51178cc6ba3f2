//! UniFFI's generator, as a program of this workspace: an installed one of another
//! version than the library's would write bindings that refuse to load.
//!
//! `forerunner-bindgen describe LIBRARY` writes what crosses the border in a form that a
//! person reads and a review compares; everything else is UniFFI's own command line.

mod describe;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [command, library] if command == "describe" => match describe::library(library) {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("forerunner-bindgen: {library}: {error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            uniffi::uniffi_bindgen_main();
            ExitCode::SUCCESS
        }
    }
}
