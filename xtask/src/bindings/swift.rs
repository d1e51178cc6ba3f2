//! What can be checked of the Swift package where there is no Swift compiler: each source by
//! a grammar, the header and the module map by Clang.

use std::process::Command;

use super::folder;

pub(crate) fn checks() -> Command {
    println!("not compiled and not run: there is no Swift compiler here. Only looked at:");
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=tap", "checks/swift.test.mjs"]);
    command.current_dir(folder().join("swift"));
    command
}
