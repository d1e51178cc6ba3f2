#!/usr/bin/env bash
# Builds the library for phones into build/jniLibs, for build.gradle.kts. Needs Android's NDK
# 28 or newer (its linker aligns for pages of 16 KiB), `cargo install cargo-ndk`, and
#   rustup target add aarch64-linux-android x86_64-linux-android
# NOT RUN where it was written: there is no NDK there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
cargo ndk --target arm64-v8a --target x86_64 --platform 28 \
  --output-dir bindings/kotlin/build/jniLibs \
  build --profile device -p forerunner-mobile-core --lib
