package forerunner.mobile

import java.io.File

/** The keys beside the device, as the core's own `FileKeyStore` has them. */
private class KeysBeside(private val folder: File) : HostKeyStore {
    private fun file(name: String) = File(folder, "$name.key")
    override fun load(name: String): ByteArray? = file(name).takeIf { it.exists() }?.readBytes()
    override fun save(name: String, value: ByteArray) = file(name).writeBytes(value)
    override fun erase(name: String) { file(name).delete() }
}

/**
 * What a call costs from Kotlin, for `cargo xtask bench device`: arguments are the folder of a
 * signed-on device, a call on it, how many notes, how many calls that only cross. Says one line
 * of JSON: medians in microseconds. What comes first warms the JVM up and is not counted.
 */
fun main(arguments: Array<String>) {
    val (folder, call, notes, crossings) = arguments
    Officer.open(folder, KeysBeside(File(folder, "keys"))).use { officer ->
        fun micros(work: () -> Unit): Double {
            val began = System.nanoTime()
            work()
            return (System.nanoTime() - began) / 1e3
        }
        repeat(crossings.toInt()) { officer.metrics() }
        repeat(notes.toInt() / 3) { officer.addNote(call, "a note before it is measured") }
        val took = List(notes.toInt()) { n ->
            micros { officer.addNote(call, "note $n of what is measured") }
        }
        val crossing = micros { repeat(crossings.toInt()) { officer.metrics() } } / crossings.toInt()
        officer.pause()
        println("""{"note_us": ${took.sorted()[took.size / 2]}, "crossing_us": $crossing}""")
    }
}
