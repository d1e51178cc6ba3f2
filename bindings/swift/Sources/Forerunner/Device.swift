import Dispatch
import Foundation
@_exported import ForerunnerCore

/// The officer's device, as a Swift app uses it: async functions that may be called from
/// anywhere, and streams of what a screen shows.
///
/// All of it is a thin layer over ``Officer``, whose calls block for as long as a disk takes.
/// They run on a queue of the device's own, never on the threads of Swift's concurrency,
/// which must not block. Keep one for the whole process.
///
/// Errors are ``ForerunnerError``s; each says what an app can do about it.
public final class Device: Sendable {
    /// For what has no function here. Its calls block.
    public let officer: Officer
    private let queue = DispatchQueue(
        label: "forerunner.device", qos: .userInitiated, attributes: .concurrent)

    public init(_ officer: Officer) {
        self.officer = officer
    }

    /// Opens the device in `directory`, or makes it. Give a `signer` in the Secure Enclave
    /// and a `clock` that goes on in the phone's sleep. Blocks for as long as a disk takes.
    public convenience init(
        directory: URL,
        keys: any HostKeyStore,
        signer: (any HostSigner)? = nil,
        clock: (any HostClock)? = nil,
        logger: (any HostLogger)? = nil
    ) throws {
        let officer = try Officer.open(
            directory: directory.path, keys: keys, signer: signer, clock: clock, logger: logger)
        self.init(officer)
    }

    /// Where a store was put that could not be opened: show it, and report it.
    public var setAside: String? { officer.setAside() }

    public var isEnrolled: Bool { officer.isEnrolled() }

    /// Who works with this device now.
    public var shift: ShiftRecord? { officer.shift() }

    public var metrics: MetricsRecord { officer.metrics() }

    /// Makes this device one of a center's. Waits for the network; cancelling the task ends that.
    public func enrol(ticket: String) async throws {
        try await waiting { officer in try officer.enrol(ticket: ticket) }
    }

    /// Keeps a session with the center from now on, until `stop` or `pause`.
    public func start() { officer.start() }

    public func stop() { officer.stop() }

    /// The entries on this device that have all these words in them.
    public func find(_ words: String) async throws -> [FoundRecord] {
        try await on { officer in try officer.find(words: words) }
    }

    /// Asks the center for the criminal intelligence of a call. Waits for the network;
    /// cancelling the task ends that. Show it while there is a link and the device is open,
    /// and keep it nowhere.
    public func intel(of call: String) async throws -> IntelRecord {
        try await waiting { officer in try officer.intel(call: call) }
    }

    /// Returns the entry's id, when it is durable on this device; with or without a link.
    @discardableResult
    public func addNote(_ text: String, to call: String) async throws -> String {
        try await on { officer in try officer.addNote(call: call, text: text) }
    }

    @discardableResult
    public func addCaution(_ text: String, to call: String) async throws -> String {
        try await on { officer in try officer.addCaution(call: call, text: text) }
    }

    @discardableResult
    public func addQuery(
        _ value: String, as what: QueryKind, to call: String,
        purpose: String? = nil, reason: String? = nil
    ) async throws -> String {
        try await on { officer in
            try officer.addQuery(
                call: call, what: what, value: value, purpose: purpose, reason: reason)
        }
    }

    @discardableResult
    public func setStatus(_ status: StatusKind, on call: String) async throws -> String {
        try await self.on { officer in try officer.setStatus(call: call, status: status) }
    }

    /// The officer's tap on a caution.
    @discardableResult
    public func acknowledge(_ caution: String, of call: String) async throws -> String {
        try await on { officer in try officer.acknowledge(call: call, caution: caution) }
    }

    /// The packet was on a lit, unlocked screen: never call it for one that was not.
    public func shown(_ call: String) async throws {
        try await on { officer in try officer.shown(call: call) }
    }

    @discardableResult
    public func attach(
        _ content: Data, mediaType: String, name: String, to call: String
    ) async throws -> String {
        try await on { officer in
            try officer.attach(call: call, content: content, mediaType: mediaType, name: name)
        }
    }

    public func fetch(_ blob: String) async throws {
        try await on { officer in try officer.fetch(blob: blob) }
    }

    public func attachment(_ blob: String) async throws -> ContentRecord? {
        try await on { officer in try officer.attachment(blob: blob) }
    }

    /// Corrects an entry, or withdraws it when there is no text.
    @discardableResult
    public func correct(_ entry: EntryRecord, of call: String, text: String?) async throws -> String {
        try await on { officer in
            try officer.correct(
                call: call, compartment: entry.compartment, entry: entry.id, text: text)
        }
    }

    /// Opens a packet on this device (a stop, an on-view) and returns its call.
    public func openPacket(
        nature: String, location: String, plate: String? = nil, note: String? = nil
    ) async throws -> String {
        try await on { officer in
            try officer.openPacket(nature: nature, location: location, plate: plate, note: note)
        }
    }

    /// One contact within `budget`, for a background task or a push. Cancelling the task ends it.
    public func syncOnce(_ budget: SyncBudget) async throws -> SyncReport {
        try await waiting { officer in try officer.syncOnce(budget: budget) }
    }

    /// What a push says: at most which call to sync first.
    public func wokenBy(_ payload: String) async throws -> WokenRecord {
        try await on { officer in try officer.wokenBy(payload: payload) }
    }

    /// Ends the session and closes every file, within five seconds: an app that is suspended
    /// while it holds a file lock is killed. Streams stand still.
    public func pause() async throws {
        try await on { officer in try officer.pause() }
    }

    public func resume() async throws {
        try await on { officer in try officer.resume() }
    }

    private func on<T: Sendable>(
        _ call: @escaping @Sendable (Officer) throws -> T
    ) async throws -> T {
        let officer = self.officer
        return try await withCheckedThrowingContinuation { continuation in
            queue.async {
                continuation.resume(with: Result { try call(officer) })
            }
        }
    }

    /// A call that waits for the network. A task's cancellation does not reach Rust, so it is
    /// told apart; again and again until it has heard, since it may not have begun yet.
    private func waiting<T: Sendable>(
        _ call: @escaping @Sendable (Officer) throws -> T
    ) async throws -> T {
        let (officer, queue, done) = (self.officer, self.queue, Done())
        return try await withTaskCancellationHandler {
            defer { done.set() }
            try Task.checkCancellation()
            do {
                return try await on(call)
            } catch ForerunnerError.Cancelled {
                try Task.checkCancellation()
                throw ForerunnerError.Cancelled
            }
        } onCancel: {
            queue.async {
                while !done.isSet {
                    officer.cancel()
                    Thread.sleep(forTimeInterval: 0.02)
                }
            }
        }
    }
}

/// Set once, from any thread.
private final class Done: @unchecked Sendable {
    // Guarded by the lock, hence `@unchecked`.
    private var value = false
    private let lock = NSLock()

    var isSet: Bool { lock.withLock { value } }

    func set() { lock.withLock { value = true } }
}
