package forerunner.mobile

import java.io.File
import java.lang.ref.WeakReference
import java.nio.file.Files
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestInstance

/** The package on the JVM: the real library against a real center. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DeviceTest {
    private lateinit var folder: File
    private lateinit var center: Center
    private val numbers = AtomicInteger()

    @BeforeAll
    fun start() {
        folder = Files.createTempDirectory("forerunner-kotlin").toFile()
        center = Center.serve(folder)
    }

    @AfterAll
    fun stop() {
        center.close()
        folder.deleteRecursively()
    }

    private fun fresh() = File(folder, "device-${numbers.incrementAndGet()}")

    private fun report() = center.report("P-${numbers.incrementAndGet()}")

    /**
     * Far beyond what anything here takes: what waits this long has failed. It returns nothing,
     * since JUnit passes over a test that returns something without a word.
     */
    private fun within(work: suspend () -> Unit): Unit = runBlocking { withTimeout(120_000) { work() } }

    /** Enrolled, signed on, and with a session. */
    private suspend fun onDuty(block: suspend (Device) -> Unit) {
        Device.open(fresh(), KeysInMemory()).use { device ->
            device.enrol(center.ticket())
            device.officer.signOn("101", "1A1")
            device.start()
            device.link().first { it is LinkRecord.Online }
            block(device)
        }
    }

    private fun SyncReport.isEven() = end == SyncEnd.CaughtUp || end == SyncEnd.Quiet

    private fun PacketRecord.note(text: String): EntryRecord? =
        entries.find { (it.said as? Said.Note)?.text == text }

    @Test
    fun `a note written with no link crosses when there is one`() = within {
        onDuty { device ->
            val call = report()
            val packet = device.packet(call).first { it?.facts != null }
            assertEquals("ALARM", packet?.facts?.nature)
            device.officer.setLink(false)
            device.link().first { it is LinkRecord.Offline }
            val id = device.addNote(call, "rear door open")
            val mine = device.packet(call).first { it?.note("rear door open") != null }
            assertEquals(id, mine?.note("rear door open")?.id)
            assertEquals(MineRecord.OnDevice, mine?.note("rear door open")?.mine)
            assertEquals(1UL, device.officer.outboxLen())
            device.officer.setLink(true)
            device.packet(call).first { it?.note("rear door open")?.mine == MineRecord.AtCenter }
            assertTrue("rear door open" in center.call(call))
        }
    }

    @Test
    fun `a packet that is followed is at each step what it is when read whole`() = within {
        onDuty { device ->
            val call = report()
            device.packet(call).first { it?.facts != null }
            device.officer.setLink(false)
            val updates = CopyOnWriteArrayList<PacketUpdate>()
            var state: PacketRecord? = null
            val said = CountDownLatch(1)
            val listener = object : PacketListener {
                override fun changed(update: PacketUpdate) {
                    updates += update
                    state = state.with(update)
                    if (state?.note("20") != null) said.countDown()
                }
                override fun failed(error: ForerunnerException) = throw error
            }
            device.officer.subscribePacket(call, listener).use {
                for (n in 1..20) {
                    device.addNote(call, "$n")
                    if (n % 5 == 0) device.addCaution(call, "dog $n")
                }
                assertTrue(said.await(30, TimeUnit.SECONDS))
            }
            assertEquals(device.officer.packet(call), state)
            assertInstanceOf(PacketUpdate.Whole::class.java, updates.first())
            assertTrue(updates.drop(1).all { it is PacketUpdate.Changed })
            // 24 commits, told in fewer calls, each of them short.
            assertTrue(updates.size in 2..20, "${updates.size} updates")
        }
    }

    @Test
    fun `the list begins with what is here and tells what comes`() = within {
        onDuty { device ->
            val first = report()
            device.packets().first { list -> list.any { it.call == first } }
            val second = report()
            val list = device.packets().first { list -> list.any { it.call == second } }
            assertEquals(device.officer.packets(), list)
        }
    }

    @Test
    fun `a packet that is not here is followed too and told when it comes`() = within {
        onDuty { device ->
            assertNull(device.packet("8000000100000000").first())
            val seen = CopyOnWriteArrayList<Boolean>()
            val call = report()
            device.packet(call).first { packet -> seen.add(packet != null) && packet != null }
            assertTrue(seen.last())
        }
    }

    @Test
    fun `a collector that is cancelled leaves no listener behind`() = within {
        onDuty { device ->
            val before = FfiConverterTypePacketListener.handleMap.size
            val call = report()
            val collecting = kotlinx.coroutines.CoroutineScope(Dispatchers.IO).launch { device.packet(call).collect { } }
            while (FfiConverterTypePacketListener.handleMap.size == before) delay(5)
            collecting.cancelAndJoin()
            while (FfiConverterTypePacketListener.handleMap.size > before) delay(5)
        }
    }

    @Test
    fun `after cancel no call of a listener begins and it can be collected`() = within {
        onDuty { device ->
            val call = report()
            val calls = AtomicInteger()
            val (subscription, listener) = counting(device, call, calls)
            while (calls.get() == 0) delay(5)
            subscription.cancel()
            val then = calls.get()
            device.addNote(call, "nobody hears of this")
            device.packet(call).first { it?.note("nobody hears of this") != null }
            assertEquals(then, calls.get())
            while (listener.get() != null) {
                System.gc()
                delay(20)
            }
            subscription.close()
        }
    }

    /** In a frame of its own, so that no local variable keeps the listener. */
    private fun counting(device: Device, call: String, calls: AtomicInteger): Pair<Subscription, WeakReference<Any>> {
        val listener = object : PacketListener {
            override fun changed(update: PacketUpdate) {
                calls.incrementAndGet()
            }
            override fun failed(error: ForerunnerException) = throw error
        }
        return device.officer.subscribePacket(call, listener) to WeakReference(listener)
    }

    @Test
    fun `a listener may call the device, cancel itself, and throw`() = within {
        onDuty { device ->
            val call = report()
            val done = CountDownLatch(1)
            lateinit var subscription: Subscription
            val subscribed = CountDownLatch(1)
            subscription = device.officer.subscribePacket(call, object : PacketListener {
                override fun changed(update: PacketUpdate) {
                    subscribed.await()
                    device.officer.packets()
                    subscription.cancel()
                    done.countDown()
                    error("thrown on purpose")
                }
                override fun failed(error: ForerunnerException) = throw error
            })
            subscribed.countDown()
            assertTrue(done.await(30, TimeUnit.SECONDS))
            subscription.close()
            // The device is none the worse for it.
            device.addNote(call, "still here")
        }
    }

    @Test
    fun `one contact brings what waits both ways and a second changes nothing`() = within {
        Device.open(fresh(), KeysInMemory()).use { device ->
            device.enrol(center.ticket())
            device.officer.signOn("101", "1A1")
            val call = report()
            val budget = SyncBudget(msMax = 30_000UL, bytesMax = 10_000_000UL)
            val first = device.syncOnce(budget)
            assertEquals(SyncEnd.CaughtUp, first.end)
            assertNotNull(device.officer.packet(call)?.facts)
            device.addNote(call, "written between contacts")
            assertEquals(1UL, device.officer.outboxLen())
            val second = device.syncOnce(budget)
            assertEquals(0UL, second.unsent)
            assertTrue("written between contacts" in center.call(call))
            val before = device.officer.packet(call)
            val third = device.syncOnce(budget)
            assertTrue(third.isEven(), "${third.end}")
            assertEquals(before?.entries, device.officer.packet(call)?.entries)
            assertTrue(third.bytesReceived < first.bytesReceived, "$third after $first")
            assertTrue(device.metrics.dials >= 3UL)
            assertInstanceOf(LinkRecord.Offline::class.java, device.officer.link())
        }
    }

    @Test
    fun `a contact ends when its budget does, and the next one goes on`() = within {
        Device.open(fresh(), KeysInMemory()).use { device ->
            device.enrol(center.ticket())
            device.officer.signOn("101", "1A1")
            val calls = List(20) { report() }
            val ample = SyncBudget(msMax = 30_000UL, bytesMax = 10_000_000UL)
            assertEquals(SyncEnd.BytesSpent, device.syncOnce(ample.copy(bytesMax = 10UL)).end)
            assertEquals(SyncEnd.TimeSpent, device.syncOnce(ample.copy(msMax = 0UL)).end)
            assertTrue(device.syncOnce(ample).isEven())
            assertTrue(device.officer.packets().map { it.call }.containsAll(calls))
        }
    }

    @Test
    fun `a push says what to sync first and the contact ends when it is here`() = within {
        Device.open(fresh(), KeysInMemory()).use { device ->
            device.enrol(center.ticket())
            device.officer.signOn("101", "1A1")
            val call = report()
            val woken = device.wokenBy("forerunner:1:$call")
            assertEquals(WokenRecord(call, isHere = false), woken)
            val budget = SyncBudget(30_000UL, 10_000_000UL, woken.call)
            val report = device.syncOnce(budget)
            assertTrue(report.end == SyncEnd.CallIsHere || report.end == SyncEnd.CaughtUp, "${report.end}")
            assertEquals(WokenRecord(call, isHere = true), device.wokenBy("forerunner:1:$call"))
            assertEquals(WokenRecord(null, isHere = false), device.wokenBy("""{"what":"is this"}"""))
        }
    }

    @Test
    fun `cancelling a coroutine ends the contact that it waits for`() = within {
        Device.open(fresh(), KeysInMemory()).use { device ->
            device.enrol(center.ticket())
            val ticket = center.ticket()
            center.freeze()
            try {
                val budget = SyncBudget(msMax = 3_600_000UL, bytesMax = 10_000_000UL)
                val scope = kotlinx.coroutines.CoroutineScope(Dispatchers.Default)
                val work = scope.launch { device.syncOnce(budget) }
                while (device.metrics.dials == 0UL) delay(5)
                work.cancelAndJoin()
                assertTrue(work.isCancelled)
                val enrolling = scope.launch { device.enrol(ticket) }
                delay(50)
                enrolling.cancelAndJoin()
            } finally {
                center.thaw()
            }
        }
    }

    @Test
    fun `pause closes every file within five seconds and resume opens them`() = within {
        onDuty { device ->
            val call = report()
            device.packet(call).first { it?.facts != null }
            val started = System.nanoTime()
            device.pause()
            assertTrue(System.nanoTime() - started < 5_000_000_000)
            assertEquals(emptyList<String>(), openFiles(device))
            assertThrows(ForerunnerException.Paused::class.java) { device.officer.packets() }
            device.resume()
            device.link().first { it is LinkRecord.Online }
            device.addNote(call, "after")
        }
    }

    /** Of this device's folder, as the kernel knows them. */
    private fun openFiles(device: Device): List<String> {
        val all = File("/proc/self/fd").listFiles().orEmpty()
        val paths = all.mapNotNull { runCatching { Files.readSymbolicLink(it.toPath()).toString() }.getOrNull() }
        val own = "device-${numbers.get() - 1}/"
        return paths.filter { own in it && ".db" in it }.also { assertNotNull(device) }
    }

    @Test
    fun `each error is of its type`() = within {
        val refusing = object : HostKeyStore {
            override fun load(name: String): ByteArray? = throw ForerunnerException.Failed("the phone is locked")
            override fun save(name: String, value: ByteArray) = Unit
            override fun erase(name: String) = Unit
        }
        assertThrows(ForerunnerException.Failed::class.java) { Officer.open(fresh().path, refusing, null, null, null) }
        Device.open(fresh(), KeysInMemory()).use { device ->
            val officer = device.officer
            val none = "8000000100000000"
            assertThrows(ForerunnerException.SignOnFirst::class.java) { officer.addNote(none, "x") }
            assertThrows(ForerunnerException.NotEnrolled::class.java) { officer.signOn("101", "1A1") }
            assertThrows(ForerunnerException.NotEnrolled::class.java) { officer.syncOnce(SyncBudget(1UL, 1UL)) }
            assertThrows(ForerunnerException.Invalid::class.java) { officer.enrol("not a ticket") }
            val ticket = center.ticket()
            officer.enrol(ticket)
            assertThrows(ForerunnerException.Refused::class.java) { officer.enrol(ticket) }
            assertThrows(ForerunnerException.Refused::class.java) { officer.signOn("no such badge", "1A1") }
            officer.signOn("101", "1A1")
            val call = officer.openPacket("STOP", "1 A ST", null, null)
            val note = officer.addNote(call, "no caution")
            assertThrows(ForerunnerException.NotFound::class.java) { officer.acknowledge(call, note) }
            assertThrows(ForerunnerException.Invalid::class.java) { officer.addNote(call, "x".repeat(3_000)) }
            val secret = "SECRET-7KQZ"
            for (wrong in listOf<() -> Any?>(
                { officer.packet(secret) },
                { officer.correct(call, secret, secret, null) },
                { officer.addQuery(call, QueryKind.PLATE, "$secret $secret", null, null) },
                { officer.setLink(false); officer.enrol(ticket) },
            )) {
                val error = assertThrows(ForerunnerException::class.java) { wrong() }
                assertFalse(secret in error.toString(), error.toString())
            }
            assertThrows(ForerunnerException.Unreachable::class.java) { officer.signOn("101", "1A1") }
            assertThrows(ForerunnerException.Unreachable::class.java) { officer.intel(call) }
        }
    }

    @Test
    fun `a closed device says so, and its folder opens again with all that was written`() = within {
        val (where, keys) = fresh() to KeysInMemory()
        lateinit var call: String
        val device = Device.open(where, keys)
        device.use {
            it.enrol(center.ticket())
            it.officer.signOn("101", "1A1")
            it.start()
            call = it.openPacket("STOP", "1 A ST", note = "kept")
        }
        assertThrows(IllegalStateException::class.java) { device.officer.packets() }
        device.close()
        Device.open(where, keys).use {
            assertNull(it.setAside)
            assertNotNull(it.officer.packet(call)?.note("kept"))
        }
    }

    @Test
    fun `ten thousand calls, subscriptions among them, leave nothing behind`() = within {
        onDuty { device ->
            val call = report()
            device.packet(call).first { it?.facts != null }
            val round = {
                device.officer.packets()
                device.officer.packet(call)
                device.officer.link()
                runCatching { device.officer.packet("no id") }
                device.officer.subscribeLink(object : LinkListener {
                    override fun changed(link: LinkRecord) = Unit
                }).use { it.cancel() }
            }
            repeat(1_000) { round() }
            val (heapBefore, residentBefore) = heap() to resident()
            repeat(2_000) { round() }
            val listeners = FfiConverterTypeLinkListener.handleMap
            while (listeners.size > 0) delay(5)
            val (heap, resident) = heap() - heapBefore to resident() - residentBefore
            println("10,000 calls: heap ${heap / 1024} KiB more, resident ${resident / 1024} KiB more, ${listeners.size} listeners")
            assertTrue(heap < 2 * 1024 * 1024, "heap grew by $heap bytes")
            assertTrue(resident < 24L * 1024 * 1024, "the process grew by $resident bytes")
        }
    }

    private fun heap(): Long {
        val memory = java.lang.management.ManagementFactory.getMemoryMXBean()
        repeat(3) { System.gc() }
        return memory.heapMemoryUsage.used
    }

    private fun resident(): Long {
        val line = File("/proc/self/status").readLines().first { it.startsWith("VmRSS:") }
        return line.filter(Char::isDigit).toLong() * 1024
    }
}
