package forerunner.mobile

import java.io.File
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.util.concurrent.TimeUnit

/** A center of its own: `forerunner serve`, or the demo, as a process. */
class Center private constructor(private val process: Process, ready: String) : AutoCloseable {
    private val api = field(ready, "api")
    private val token = field(ready, "token")
    private val http = HttpClient.newHttpClient()

    fun ticket(agency: String = "pd"): String =
        field(post("/v1/enrolment-codes", """{"agency":"$agency","label":"Phone"}"""), "ticket")

    /** Returns the call's id. */
    fun report(number: String, agency: String = "pd", unit: String = "1A1"): String {
        val call = """{"agency":"$agency","number":"$number","nature":"ALARM","location":"1 A ST","units":["$unit"]}"""
        return field(post("/v1/calls", call), "id")
    }

    fun call(id: String): String = send(request("/v1/calls/$id").GET().build())

    /** It is there and says nothing: not even that it is not. */
    fun freeze() = signal("STOP")

    fun thaw() = signal("CONT")

    override fun close() {
        thaw()
        process.destroy()
        check(process.waitFor(WAIT_S, TimeUnit.SECONDS)) { "the center does not end" }
    }

    private fun signal(name: String) {
        val kill = ProcessBuilder("kill", "-$name", process.pid().toString()).start()
        check(kill.waitFor() == 0) { "kill -$name" }
    }

    private fun post(path: String, body: String): String {
        val request = request(path).header("content-type", "application/json")
        return send(request.POST(HttpRequest.BodyPublishers.ofString(body)).build())
    }

    private fun request(path: String): HttpRequest.Builder =
        HttpRequest.newBuilder(URI(api + path)).header("authorization", "Bearer $token")

    private fun send(request: HttpRequest): String {
        val answer = http.send(request, HttpResponse.BodyHandlers.ofString())
        check(answer.statusCode() in 200..299) { "${request.uri()}: ${answer.statusCode()} ${answer.body()}" }
        return answer.body()
    }

    companion object {
        const val WAIT_S = 30L

        private val CONFIG = """
            name = "Test RTCC"
            data = "center"
            sync = "127.0.0.1:0"
            console = "127.0.0.1:0"
            console_tls = false

            [[agencies]]
            id = "pd"
            name = "Police"
            units = ["1A1"]
            officers = [{ badge = "101", name = "Diaz" }]
        """.trimIndent()

        fun serve(folder: File): Center {
            val config = File(folder, "center.toml")
            config.writeText(CONFIG)
            return start(folder, "serve", "--config", config.path)
        }

        fun demo(folder: File): Center =
            start(folder, "demo", "--data", File(folder, "demo").path, "--port", "0", "--mdts", "0", "--speed", "1")

        private fun start(folder: File, vararg arguments: String): Center {
            val binary = checkNotNull(System.getenv("FORERUNNER_BIN")) {
                "FORERUNNER_BIN does not name the binary; `cargo xtask test kotlin` sets it"
            }
            val ready = File(folder, "ready.json")
            val process = ProcessBuilder(binary, *arguments, "--ready-file", ready.path)
                .redirectErrorStream(true)
                .redirectOutput(File(folder, "center.log"))
                .start()
            val deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_S)
            while (!ready.exists()) {
                check(process.isAlive && System.nanoTime() < deadline) {
                    "the center did not come up: " + File(folder, "center.log").readText()
                }
                Thread.sleep(20)
            }
            return Center(process, ready.readText())
        }

        /** One text field of JSON: all that these tests read of it. */
        fun field(json: String, name: String): String {
            val found = Regex("\"$name\"\\s*:\\s*\"([^\"]*)\"").find(json)
            return checkNotNull(found) { "no $name in $json" }.groupValues[1]
        }
    }
}

/** Keeps the device's secrets in memory, as a test may. */
class KeysInMemory : HostKeyStore {
    private val kept = java.util.concurrent.ConcurrentHashMap<String, ByteArray>()
    override fun load(name: String): ByteArray? = kept[name]
    override fun save(name: String, value: ByteArray) {
        kept[name] = value
    }
    override fun erase(name: String) {
        kept.remove(name)
    }
}
