import Forerunner
import Foundation
import Testing

/// The package against the real library and a real center. One at a time: each has its own.
@Suite(.serialized)
struct DeviceTests {
    let folder: URL
    let center: Center

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("forerunner-swift-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        center = try Center(folder: folder)
    }

    private func enrolled() async throws -> Device {
        let device = try Device(
            directory: folder.appendingPathComponent("device"), keys: KeysInMemory())
        try await device.enrol(ticket: try await center.ticket())
        _ = try device.officer.signOn(officer: "101", unit: "1A1")
        return device
    }

    private func first<T>(
        _ stream: AsyncThrowingStream<T, any Error>, where wanted: (T) -> Bool
    ) async throws -> T {
        for try await state in stream where wanted(state) {
            return state
        }
        throw Missing(what: "the stream ended")
    }

    private func note(_ text: String, in packet: PacketRecord?) -> EntryRecord? {
        packet?.entries.first { entry in
            guard case .note(let said, _) = entry.said else { return false }
            return said == text
        }
    }

    @Test("a note written with no link crosses when there is one")
    func noteCrosses() async throws {
        let device = try await enrolled()
        device.start()
        let call = try await center.report("S-1")
        let packet = try await first(device.packet(call)) { $0?.facts != nil }
        #expect(packet?.facts?.nature == "ALARM")
        device.officer.setLink(mayConnect: false)
        let id = try await device.addNote("rear door open", to: call)
        let mine = try await first(device.packet(call)) { note("rear door open", in: $0) != nil }
        #expect(note("rear door open", in: mine)?.id == id)
        #expect(note("rear door open", in: mine)?.mine == .onDevice)
        device.officer.setLink(mayConnect: true)
        _ = try await first(device.packet(call)) { note("rear door open", in: $0)?.mine == .atCenter }
    }

    @Test("a packet that is followed is what it is when read whole")
    func followed() async throws {
        let device = try await enrolled()
        device.start()
        let call = try await center.report("S-2")
        _ = try await first(device.packet(call)) { $0?.facts != nil }
        device.officer.setLink(mayConnect: false)
        async let state = first(device.packet(call)) { note("20", in: $0) != nil }
        for n in 1...20 {
            try await device.addNote("\(n)", to: call)
        }
        let followed = try await state
        #expect(followed == (try device.officer.packet(call: call)))
    }

    @Test("one contact brings what waits, and a second changes nothing")
    func contact() async throws {
        let device = try await enrolled()
        let call = try await center.report("S-3")
        let budget = SyncBudget(msMax: 30_000, bytesMax: 10_000_000, call: nil)
        #expect(try await device.syncOnce(budget).end == .caughtUp)
        #expect(try device.officer.packet(call: call)?.facts != nil)
        #expect(try await device.syncOnce(budget).unsent == 0)
    }

    @Test("cancelling a task ends the contact that it waits for")
    func cancelled() async throws {
        let device = try await enrolled()
        device.officer.setLink(mayConnect: true)
        let budget = SyncBudget(msMax: 3_600_000, bytesMax: 10_000_000, call: "00000000deadbeef")
        let contact = Task { try await device.syncOnce(budget) }
        contact.cancel()
        _ = await contact.result
    }

    @Test("each error is of its type")
    func errors() async throws {
        let device = try Device(
            directory: folder.appendingPathComponent("other"), keys: KeysInMemory())
        await #expect(throws: ForerunnerError.SignOnFirst) {
            try await device.addNote("x", to: "8000000100000000")
        }
        do {
            try await device.enrol(ticket: "not a ticket")
            Issue.record("a bad ticket was taken")
        } catch ForerunnerError.Invalid {
        }
        try await device.pause()
        await #expect(throws: ForerunnerError.Paused) { try await device.find("x") }
        try await device.resume()
    }
}
