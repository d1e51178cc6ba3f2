#!/usr/bin/env bash
# Makes ForerunnerFFI.xcframework for Package.swift. On a Mac with Xcode 16 and
#   rustup target add aarch64-apple-ios aarch64-apple-ios-sim
# NOT RUN where it was written: there is no Xcode there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
export IPHONEOS_DEPLOYMENT_TARGET=15.0
for target in aarch64-apple-ios aarch64-apple-ios-sim; do
  cargo rustc --profile device -p forerunner-mobile-core --lib --crate-type staticlib --target "$target"
done
headers=bindings/swift/Sources/ForerunnerFFI/include
out=bindings/swift/ForerunnerFFI.xcframework
rm -rf "$out"
xcodebuild -create-xcframework \
  -library target/aarch64-apple-ios/device/libforerunner_mobile_core.a -headers "$headers" \
  -library target/aarch64-apple-ios-sim/device/libforerunner_mobile_core.a -headers "$headers" \
  -output "$out"
