// One screen's worth: enrols, signs on with a PIN, lists my calls, shows a packet live, adds a
// note offline, locks.
// Arguments: folder, ticket, badge, unit. Not run where it was written.

import Forerunner
import Foundation

/// For this sample only: an app asks the officer for it.
let pin = "482916"

/// For this sample only: an app keeps these in the Keychain (docs/mobile/keys.md).
final class KeysInMemory: HostKeyStore, @unchecked Sendable {
    private var kept: [String: Data] = [:]
    private let lock = NSLock()

    func load(name: String) throws -> Data? { lock.withLock { kept[name] } }
    func save(name: String, value: Data) throws { lock.withLock { kept[name] = value } }
    func erase(name: String) throws { lock.withLock { kept[name] = nil } }
}

func show(_ packet: PacketRecord) {
    print("-- \(packet.facts?.nature ?? "?") at \(packet.facts?.location ?? "?")")
    for line in packet.glance {
        print("   \(line.name): \(line.text)")
    }
}

func isAtCenter(_ packet: PacketRecord, _ text: String) -> Bool {
    packet.entries.contains { entry in
        guard case .note(let said, _) = entry.said, said == text else { return false }
        return entry.mine == .atCenter
    }
}

let arguments = CommandLine.arguments
let device = try Device(directory: URL(fileURLWithPath: arguments[1]), keys: KeysInMemory())
try await device.enrol(ticket: arguments[2])
// First the PIN, so that what the shift brings never lies open on the disk.
try device.officer.setPin(pin: pin)
_ = try device.officer.signOn(officer: arguments[3], unit: arguments[4])
device.start()

var open: SummaryRecord?
for try await calls in device.packets() {
    open = calls.first { $0.facts?.isOpen == true }
    guard open != nil else { continue }
    for call in calls {
        print("\(call.facts?.priority ?? 5)  \(call.facts?.nature ?? "?")  \(call.facts?.location ?? "?")")
    }
    break
}
guard let call = open?.call else { exit(1) }

device.officer.setLink(mayConnect: false)
try await device.addNote("rear door open", to: call)
print("written with no link; \(try device.officer.outboxLen()) to send")
device.officer.setLink(mayConnect: true)

for try await packet in device.packet(call) {
    guard let packet else { continue }
    show(packet)
    if isAtCenter(packet, "rear door open") { break }
}
print("at the center")

try device.officer.lock()
try device.officer.unlock(pin: pin)
print("locked and opened again; \(try device.officer.packet(call: call)?.entries.count ?? 0) entries")
