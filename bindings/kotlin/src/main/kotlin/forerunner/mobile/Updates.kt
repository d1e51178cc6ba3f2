package forerunner.mobile

/** The packet after [update]; for who listens to [Officer.subscribePacket] themselves. */
public fun PacketRecord?.with(update: PacketUpdate): PacketRecord? = when (update) {
    is PacketUpdate.Whole -> update.packet
    is PacketUpdate.NotHere -> null
    is PacketUpdate.Changed -> {
        val before = checkNotNull(this) { "a difference came before the whole" }
        before.copy(
            facts = update.facts,
            glance = update.glance,
            cautionsBelow = update.cautionsBelow,
            entries = before.entries.changed(
                removed = update.removed.toSet(),
                placed = update.placed.map { it.at to it.entry },
                key = { EntryKeyRecord(it.compartment, it.id) },
            ),
            leases = update.leases,
        )
    }
}

/** The list after [update]; for who listens to [Officer.subscribePackets] themselves. */
public fun List<SummaryRecord>.with(update: ListUpdate): List<SummaryRecord> = when (update) {
    is ListUpdate.Whole -> update.packets
    is ListUpdate.Changed -> changed(
        removed = update.removed.toSet(),
        placed = update.placed.map { it.at to it.summary },
        key = { it.call },
    )
}

private fun <T, K> List<T>.changed(
    removed: Set<K>,
    placed: List<Pair<UInt, T>>,
    key: (T) -> K,
): List<T> {
    val moved = placed.mapTo(HashSet()) { (_, item) -> key(item) }
    val list = filterTo(ArrayList(size + placed.size)) { key(it) !in removed && key(it) !in moved }
    for ((at, item) in placed) list.add(at.toInt(), item)
    return list
}
