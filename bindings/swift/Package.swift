// swift-tools-version: 6.0
// Not compiled where it was written: see README.md beside this file.

import Foundation
import PackageDescription

/// The folder of a shared library that was built by cargo, to test with; without it the
/// package takes the XCFramework that `scripts/xcframework.sh` makes.
let library = ProcessInfo.processInfo.environment["FORERUNNER_LIBRARY"]

let border: Target = if let library {
    .target(
        name: "ForerunnerFFI",
        linkerSettings: [
            .unsafeFlags(["-L\(library)", "-Xlinker", "-rpath", "-Xlinker", library]),
            .linkedLibrary("forerunner_mobile_core"),
        ]
    )
} else {
    .binaryTarget(name: "ForerunnerFFI", path: "ForerunnerFFI.xcframework")
}

let package = Package(
    name: "Forerunner",
    // iOS 15: AsyncStream, and URLSession's async calls in the apps that use this.
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "Forerunner", targets: ["Forerunner"])],
    targets: [
        border,
        .target(name: "ForerunnerCore", dependencies: ["ForerunnerFFI"]),
        .target(name: "Forerunner", dependencies: ["ForerunnerCore"]),
        .executableTarget(name: "Sample", dependencies: ["Forerunner"], path: "Sample"),
        .testTarget(name: "ForerunnerTests", dependencies: ["Forerunner"]),
    ],
    swiftLanguageModes: [.v6]
)
