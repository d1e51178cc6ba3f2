// One screen's worth: enrols, signs on with a PIN, lists my calls, shows a packet live, adds a
// note offline, locks.
// Run by `cargo xtask test kotlin` against the demo; arguments: folder, ticket, badge, unit.

import forerunner.mobile.Device
import forerunner.mobile.HostKeyStore
import forerunner.mobile.LinkRecord
import forerunner.mobile.MineRecord
import forerunner.mobile.PacketRecord
import forerunner.mobile.Said
import java.io.File
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.takeWhile
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.runBlocking

/** For this sample only: an app asks the officer for it. */
const val PIN = "482916"

/** For this sample only: an app keeps these in the Android Keystore (docs/mobile/keys.md). */
class KeysInMemory : HostKeyStore {
    private val kept = HashMap<String, ByteArray>()
    override fun load(name: String): ByteArray? = kept[name]
    override fun save(name: String, value: ByteArray) { kept[name] = value }
    override fun erase(name: String) { kept.remove(name) }
}

fun show(packet: PacketRecord) {
    println("-- ${packet.facts?.nature} at ${packet.facts?.location}")
    for (line in packet.glance) println("   ${line.name}: ${line.text}")
}

fun isAtCenter(packet: PacketRecord?, text: String): Boolean = packet?.entries.orEmpty().any {
    (it.said as? Said.Note)?.text == text && it.mine is MineRecord.AtCenter
}

fun main(arguments: Array<String>): Unit = runBlocking {
    val (folder, ticket, badge, unit) = arguments
    Device.open(File(folder), KeysInMemory()).use { device ->
        device.enrol(ticket)
        // First the PIN, so that what the shift brings never lies open on the disk.
        device.officer.setPin(PIN)
        device.officer.signOn(badge, unit)
        device.start()
        val mine = device.packets().first { calls -> calls.any { it.facts?.isOpen == true } }
        for (call in mine) println("${call.facts?.priority}  ${call.facts?.nature}  ${call.facts?.location}")
        val call = mine.first { it.facts?.isOpen == true }.call

        device.officer.setLink(false)
        device.link().first { it is LinkRecord.Offline }
        device.addNote(call, "rear door open")
        println("written with no link; ${device.officer.outboxLen()} to send")
        device.officer.setLink(true)

        device.packet(call)
            .onEach { packet -> packet?.let(::show) }
            .takeWhile { packet -> !isAtCenter(packet, "rear door open") }
            .collect()
        println("at the center")

        device.officer.lock()
        device.officer.unlock(PIN)
        println("locked and opened again; ${device.officer.packet(call)?.entries?.size} entries")
    }
}
