package forerunner.mobile

import java.io.File
import kotlin.coroutines.CoroutineContext
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.withContext

/**
 * The officer's device, as a Kotlin app uses it: suspend functions that may be called from
 * any thread, and flows of what a screen shows.
 *
 * All of it is a thin layer over [Officer], whose calls block for as long as a disk takes;
 * they run on [io]. Close it with the process's last use, or with `use {}`: flows end, and
 * what was written stays.
 *
 * Errors are [ForerunnerException]s; each says what an app can do about it.
 */
public class Device(
    /** For what has no function here. Its calls block. */
    public val officer: Officer,
    private val io: CoroutineContext = Dispatchers.IO,
) : AutoCloseable {
    /** Where a store was put that could not be opened: show it, and report it. */
    public val setAside: String? get() = officer.setAside()

    public val isEnrolled: Boolean get() = officer.isEnrolled()

    /** Who works with this device now. */
    public val shift: ShiftRecord? get() = officer.shift()

    /** Makes this device one of a center's. Waits for the network; cancelling ends that. */
    public suspend fun enrol(ticket: String): Unit = waiting { officer.enrol(ticket) }

    /** Keeps a session with the center from now on, until [stop], [pause] or [close]. */
    public fun start(): Unit = officer.start()

    public fun stop(): Unit = officer.stop()

    /** Whether there is a session: the state now, and each later one. */
    public fun link(): Flow<LinkRecord> = callbackFlow {
        val listener = object : LinkListener {
            override fun changed(link: LinkRecord) {
                trySend(link)
            }
        }
        val subscription = officer.subscribeLink(listener)
        awaitClose { subscription.end() }
    }.buffer(Channel.CONFLATED)

    /** The packets on this device: open ones first, most urgent first, newest first. */
    public fun packets(): Flow<List<SummaryRecord>> = callbackFlow {
        var list = emptyList<SummaryRecord>()
        val listener = object : ListListener {
            override fun changed(update: ListUpdate) {
                list = list.with(update)
                trySend(list)
            }

            override fun failed(error: ForerunnerException) {
                close(error)
            }
        }
        val subscription = officer.subscribePackets(listener)
        awaitClose { subscription.end() }
    }.buffer(Channel.CONFLATED)

    /** One packet, whole each time; `null` while it is not on this device. */
    public fun packet(call: String): Flow<PacketRecord?> = callbackFlow {
        var packet: PacketRecord? = null
        val listener = object : PacketListener {
            override fun changed(update: PacketUpdate) {
                packet = packet.with(update)
                trySend(packet)
            }

            override fun failed(error: ForerunnerException) {
                close(error)
            }
        }
        val subscription = officer.subscribePacket(call, listener)
        awaitClose { subscription.end() }
    }.buffer(Channel.CONFLATED)

    /** The entries on this device that have all these words in them. */
    public suspend fun find(words: String): List<FoundRecord> = on { officer.find(words) }

    /**
     * Asks the center for the criminal intelligence of a call. Waits for the network; cancelling
     * ends that. Show it while there is a link and the device is open, and keep it nowhere.
     */
    public suspend fun intel(call: String): IntelRecord = waiting { officer.intel(call) }

    /** Returns the entry's id, when it is durable on this device; with or without a link. */
    public suspend fun addNote(call: String, text: String): String =
        on { officer.addNote(call, text) }

    public suspend fun addCaution(call: String, text: String): String =
        on { officer.addCaution(call, text) }

    public suspend fun addQuery(
        call: String,
        what: QueryKind,
        value: String,
        purpose: String? = null,
        reason: String? = null,
    ): String = on { officer.addQuery(call, what, value, purpose, reason) }

    public suspend fun setStatus(call: String, status: StatusKind): String =
        on { officer.setStatus(call, status) }

    /** The officer's tap on a caution. */
    public suspend fun acknowledge(call: String, caution: String): String =
        on { officer.acknowledge(call, caution) }

    /** The packet was on a lit, unlocked screen: never call it for one that was not. */
    public suspend fun shown(call: String): Unit = on { officer.shown(call) }

    public suspend fun attach(call: String, content: ByteArray, mediaType: String, name: String): String =
        on { officer.attach(call, content, mediaType, name) }

    public suspend fun fetch(blob: String): Unit = on { officer.fetch(blob) }

    public suspend fun attachment(blob: String): ContentRecord? = on { officer.attachment(blob) }

    /** Corrects an entry, or withdraws it when there is no text. */
    public suspend fun correct(call: String, entry: EntryRecord, text: String?): String =
        on { officer.correct(call, entry.compartment, entry.id, text) }

    /** Opens a packet on this device (a stop, an on-view) and returns its call. */
    public suspend fun openPacket(
        nature: String,
        location: String,
        plate: String? = null,
        note: String? = null,
    ): String = on { officer.openPacket(nature, location, plate, note) }

    /** One contact within [budget], for a worker or a push. Cancelling the coroutine ends it. */
    public suspend fun syncOnce(budget: SyncBudget): SyncReport = waiting { officer.syncOnce(budget) }

    /** What a push says: at most which call to sync first. */
    public suspend fun wokenBy(payload: String): WokenRecord = on { officer.wokenBy(payload) }

    /** Ends the session and closes every file, within five seconds. Flows stand still. */
    public suspend fun pause(): Unit = on { officer.pause() }

    public suspend fun resume(): Unit = on { officer.resume() }

    public val metrics: MetricsRecord get() = officer.metrics()

    override fun close(): Unit = officer.close()

    private suspend fun <T> on(call: () -> T): T = withContext(io) { call() }

    /**
     * A call that waits for the network. Cancelling a coroutine does not reach Rust, so it is
     * told apart; again and again until it has heard, since it may not have begun yet.
     */
    private suspend fun <T> waiting(call: () -> T): T = coroutineScope {
        val work = async(io) {
            try {
                call()
            } catch (ended: ForerunnerException.Cancelled) {
                ensureActive()
                throw ended
            }
        }
        try {
            work.await()
        } catch (cancelled: CancellationException) {
            withContext(NonCancellable) {
                while (!work.isCompleted) {
                    officer.cancel()
                    delay(CANCEL_AGAIN_MS)
                }
            }
            throw cancelled
        }
    }

    public companion object {
        private const val CANCEL_AGAIN_MS = 20L

        /**
         * Opens the device in [directory], or makes it. On Android give a [signer] in the
         * Keystore and a [clock] that goes on in the phone's sleep.
         */
        public suspend fun open(
            directory: File,
            keys: HostKeyStore,
            signer: HostSigner? = null,
            clock: HostClock? = null,
            logger: HostLogger? = null,
            io: CoroutineContext = Dispatchers.IO,
        ): Device = withContext(io) {
            Device(Officer.open(directory.path, keys, signer, clock, logger), io)
        }
    }
}

/** No call of the listener begins any more, and Rust's side of it is freed. */
private fun Subscription.end() {
    cancel()
    close()
}
