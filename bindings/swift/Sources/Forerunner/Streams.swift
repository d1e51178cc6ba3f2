import ForerunnerCore

// A stream holds the newest state only: who is slow skips what lay between, and nothing is
// queued. It ends when the task that reads it does, or when nobody reads it any more.

extension Device {
    /// Whether there is a session: the state now, and each later one.
    public func link() -> AsyncStream<LinkRecord> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let subscription = officer.subscribeLink(listener: LinkHearer(continuation))
            continuation.onTermination = { _ in subscription.cancel() }
        }
    }

    /// The packets on this device: open ones first, most urgent first, newest first.
    public func packets() -> AsyncThrowingStream<[SummaryRecord], any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let subscription = officer.subscribePackets(listener: ListHearer(continuation))
            continuation.onTermination = { _ in subscription.cancel() }
        }
    }

    /// One packet, whole each time; `nil` while it is not on this device.
    public func packet(_ call: String) -> AsyncThrowingStream<PacketRecord?, any Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            do {
                let subscription = try officer.subscribePacket(
                    call: call, listener: PacketHearer(continuation))
                continuation.onTermination = { _ in subscription.cancel() }
            } catch {
                continuation.finish(throwing: error)
            }
        }
    }
}

private final class LinkHearer: LinkListener {
    private let continuation: AsyncStream<LinkRecord>.Continuation

    init(_ continuation: AsyncStream<LinkRecord>.Continuation) {
        self.continuation = continuation
    }

    func changed(link: LinkRecord) {
        continuation.yield(link)
    }
}

/// `@unchecked`: the library calls one listener once at a time, each call after the last.
private final class ListHearer: ListListener, @unchecked Sendable {
    private let continuation: AsyncThrowingStream<[SummaryRecord], any Error>.Continuation
    private var list: [SummaryRecord] = []

    init(_ continuation: AsyncThrowingStream<[SummaryRecord], any Error>.Continuation) {
        self.continuation = continuation
    }

    func changed(update: ListUpdate) {
        list.apply(update)
        continuation.yield(list)
    }

    func failed(error: ForerunnerError) {
        continuation.finish(throwing: error)
    }
}

/// `@unchecked`: as ``ListHearer``.
private final class PacketHearer: PacketListener, @unchecked Sendable {
    private let continuation: AsyncThrowingStream<PacketRecord?, any Error>.Continuation
    private var packet: PacketRecord?

    init(_ continuation: AsyncThrowingStream<PacketRecord?, any Error>.Continuation) {
        self.continuation = continuation
    }

    func changed(update: PacketUpdate) {
        packet = packet.applying(update)
        continuation.yield(packet)
    }

    func failed(error: ForerunnerError) {
        continuation.finish(throwing: error)
    }
}
