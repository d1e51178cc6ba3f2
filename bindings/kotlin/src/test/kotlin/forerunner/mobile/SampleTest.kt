package forerunner.mobile

import java.io.File
import java.nio.file.Files
import java.util.concurrent.TimeUnit
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** The sample, as a program of its own, against the demo. */
class SampleTest {
    @Test
    fun `the sample runs against the demo`() {
        val folder = Files.createTempDirectory("forerunner-sample").toFile()
        try {
            Center.demo(folder).use { center ->
                center.report("S-1", "cedar-pd", "1A11")
                val said = sample(folder, center.ticket("cedar-pd"))
                assertTrue("written with no link" in said && "at the center" in said, said)
                assertTrue(Regex("locked and opened again; [1-9]") in said, said)
            }
        } finally {
            folder.deleteRecursively()
        }
    }

    /** With the class path and the library that this test runs with. */
    private fun sample(folder: File, ticket: String): String {
        val library = "uniffi.component.forerunner_mobile_core.libraryOverride"
        val output = File(folder, "sample.txt")
        val process = ProcessBuilder(
            File(System.getProperty("java.home"), "bin/java").path,
            "-D$library=" + System.getProperty(library),
            "-cp", System.getProperty("java.class.path"),
            "SampleKt", File(folder, "device").path, ticket, "2107", "1A11",
        ).redirectErrorStream(true).redirectOutput(output).start()
        val ended = process.waitFor(4 * Center.WAIT_S, TimeUnit.SECONDS)
        if (!ended) process.destroyForcibly()
        val said = output.readText()
        assertTrue(ended, "it does not end: $said")
        assertEquals(0, process.exitValue(), said)
        return said
    }
}
