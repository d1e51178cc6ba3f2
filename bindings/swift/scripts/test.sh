#!/usr/bin/env bash
# `swift test` on Linux or a Mac with Swift 6: scripts/test.sh FOLDER
# FOLDER holds the shared library and the `forerunner` binary of `cargo build --release --workspace`.
# NOT RUN where it was written: no Swift compiler can be had there.
set -euo pipefail
folder=$(cd "${1:?usage: scripts/test.sh FOLDER}" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
FORERUNNER_LIBRARY=$folder FORERUNNER_BIN=$folder/forerunner LD_LIBRARY_PATH=$folder swift test
