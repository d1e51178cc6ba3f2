import Forerunner
import Foundation

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

/// A center of its own: `forerunner serve`, as a process. `FORERUNNER_BIN` names the binary.
final class Center {
    private struct Ready: Decodable {
        let api: String
        let token: String
    }

    private static let config = """
        name = "Test RTCC"
        data = "center"
        sync = "127.0.0.1:0"
        console = "127.0.0.1:0"
        console_tls = false

        [[agencies]]
        id = "pd"
        name = "Police"
        units = ["1A1"]
        officers = [{ badge = "101", name = "Diaz" }]
        """

    private let process: Process
    private let ready: Ready

    init(folder: URL) throws {
        guard let binary = ProcessInfo.processInfo.environment["FORERUNNER_BIN"] else {
            throw Missing(what: "FORERUNNER_BIN does not name the binary")
        }
        let config = folder.appendingPathComponent("center.toml")
        try Self.config.write(to: config, atomically: true, encoding: .utf8)
        let file = folder.appendingPathComponent("ready.json")
        process = Process()
        process.executableURL = URL(fileURLWithPath: binary)
        process.arguments = ["serve", "--config", config.path, "--ready-file", file.path]
        try process.run()
        let deadline = Date().addingTimeInterval(30)
        while !FileManager.default.fileExists(atPath: file.path) {
            guard process.isRunning, Date() < deadline else {
                throw Missing(what: "the center did not come up")
            }
            Thread.sleep(forTimeInterval: 0.02)
        }
        ready = try JSONDecoder().decode(Ready.self, from: Data(contentsOf: file))
    }

    deinit {
        process.terminate()
        process.waitUntilExit()
    }

    func ticket() async throws -> String {
        let answer = try await post("/v1/enrolment-codes", ["agency": "pd", "label": "Phone"])
        return try text(answer, "ticket")
    }

    /// Returns the call's id.
    func report(_ number: String) async throws -> String {
        let call: [String: Any] = [
            "agency": "pd", "number": number, "nature": "ALARM", "location": "1 A ST",
            "units": ["1A1"],
        ]
        return try text(try await post("/v1/calls", call), "id")
    }

    private func post(_ path: String, _ body: [String: Any]) async throws -> Data {
        guard let url = URL(string: ready.api + path) else { throw Missing(what: path) }
        var request = URLRequest(url: url)
        request.httpMethod = "POST"
        request.setValue("Bearer \(ready.token)", forHTTPHeaderField: "authorization")
        request.setValue("application/json", forHTTPHeaderField: "content-type")
        request.httpBody = try JSONSerialization.data(withJSONObject: body)
        return try await URLSession.shared.data(for: request).0
    }

    private func text(_ json: Data, _ field: String) throws -> String {
        let object = try JSONSerialization.jsonObject(with: json) as? [String: Any]
        guard let text = object?[field] as? String else { throw Missing(what: field) }
        return text
    }
}

struct Missing: Error {
    let what: String
}

/// Keeps the device's secrets in memory, as a test may.
final class KeysInMemory: HostKeyStore, @unchecked Sendable {
    private var kept: [String: Data] = [:]
    private let lock = NSLock()

    func load(name: String) throws -> Data? { lock.withLock { kept[name] } }
    func save(name: String, value: Data) throws { lock.withLock { kept[name] = value } }
    func erase(name: String) throws { lock.withLock { kept[name] = nil } }
}
