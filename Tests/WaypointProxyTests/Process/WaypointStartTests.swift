/// Starts that come to nothing, and what the program is made of.
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@testable import WaypointProxy

@Suite struct WaypointStartTests {
    private let program = BuiltProgram.built("kmesh-waypoint")

    @Test(arguments: [
        (["--lsten", "80"], "unknown flag --lsten; did you mean --listen?"),
        (["--mesh-file", "a", "--threads", "0"], "--threads: '0' is not a number from 1 to 256"),
        ([], "--mesh-file is missing"),
    ])
    func badFlagsAreNamed(arguments: [String], message: String) throws {
        let outcome = try program.run(arguments)
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains(message))
        #expect(outcome.output.isEmpty)
    }

    @Test func helpAndVersion() throws {
        let help = try program.run(["--help"])
        #expect(help.status == 0)
        #expect(help.output.contains("--mesh-file <path>"))
        #expect(help.output.split(separator: "\n").allSatisfy { $0.count <= 101 })
        #expect(try program.run(["--version"]).output == "kmesh-waypoint \(KmeshVersion.current)\n")
    }

    @Test func aMissingMeshIsNamed() throws {
        let outcome = try program.run(["--mesh-file", "/nowhere/mesh.yaml"])
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("/nowhere/mesh.yaml"))
    }

    @Test func aPortInUseIsNamed() throws {
        let server = try TestServer.saying("x")
        defer { server.stop() }
        let folder = try TemporaryDirectory()
        try RunningWaypoint.writeMesh([server.address], in: folder)
        // Without the option that lets several share it.
        let place = SocketAddress(IPAddress(v4: 0x7f00_0001), 0)
        let taken = try InternetSocket.listen(at: place)
        let port = try InternetSocket.localAddress(taken).port
        let mesh = ["--mesh-file", "\(folder.path)/mesh.yaml"]
        let listen = try program.run(
            mesh + ["--listen", "127.0.0.1:\(port)", "--status-address", "127.0.0.1:0"])
        #expect(listen.status == 1)
        #expect(listen.errors.contains("cannot listen on 127.0.0.1:\(port): Address already in use"))
        let status = try program.run(
            mesh + ["--listen", "127.0.0.1:0", "--status-address", "127.0.0.1:\(port)"])
        #expect(status.status == 1)
        #expect(status.errors.contains("give another --status-address"))
    }

    @Test func linksNeitherFoundationNorNIO() throws {
        let bytes = try Files.read(program.path, limit: 1 << 30)
        for name in ["libFoundation", "NIOCore", "NIOPosix"] {
            #expect(!contains(bytes, name), "\(name)")
        }
        #expect(contains(bytes, "libswiftCore"), "the search finds what is there")
        // What its libraries bring along.
        let waypoint = try RunningWaypoint(endpoints: [TestServer.refusing()])
        try waypoint.waitUntilReady()
        let mapped = try Files.readText("/proc/\(waypoint.child.id)/maps", limit: 16 << 20)
        #expect(mapped.contains("libswiftCore"))
        #expect(!mapped.contains("Foundation"))
    }

    private func contains(_ bytes: [UInt8], _ text: String) -> Bool {
        let wanted = Array(text.utf8)
        return unsafe bytes.withUnsafeBytes { all in
            var rest = unsafe all[...]
            while let start = unsafe rest.firstIndex(of: wanted[0]) {
                if unsafe rest[start...].starts(with: wanted) { return true }
                unsafe rest = rest[(start + 1)...]
            }
            return false
        }
    }
}
