import ForerunnerCore

extension Optional where Wrapped == PacketRecord {
    /// The packet after `update`; for who listens to `Officer.subscribePacket` themselves.
    public func applying(_ update: PacketUpdate) -> PacketRecord? {
        switch update {
        case .whole(let packet):
            return packet
        case .notHere:
            return nil
        case .changed(let facts, let glance, let cautionsBelow, let removed, let placed, let leases):
            guard let before = self else {
                preconditionFailure("a difference came before the whole")
            }
            let entries = before.entries.changed(
                removed: Set(removed),
                placed: placed.map { (Int($0.at), $0.entry) },
                key: { EntryKeyRecord(compartment: $0.compartment, entry: $0.id) })
            return PacketRecord(
                call: before.call, facts: facts, glance: glance,
                cautionsBelow: cautionsBelow, entries: entries, leases: leases)
        }
    }
}

extension Array where Element == SummaryRecord {
    /// The list after `update`; for who listens to `Officer.subscribePackets` themselves.
    public mutating func apply(_ update: ListUpdate) {
        switch update {
        case .whole(let packets):
            self = packets
        case .changed(let removed, let placed):
            self = changed(
                removed: Set(removed),
                placed: placed.map { (Int($0.at), $0.summary) },
                key: { $0.call })
        }
    }
}

extension Array {
    fileprivate func changed<Key: Hashable>(
        removed: Set<Key>, placed: [(Int, Element)], key: (Element) -> Key
    ) -> [Element] {
        let moved = Set(placed.map { key($0.1) })
        var list = filter { !removed.contains(key($0)) && !moved.contains(key($0)) }
        for (at, item) in placed {
            list.insert(item, at: at)
        }
        return list
    }
}
