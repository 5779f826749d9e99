/// The program of this build at work on loopback, with a mesh file of its own.
import Glibc
import KmeshKit
import KmeshTestSupport
import Testing

@testable import WaypointProxy

final class RunningWaypoint {
    /// An address of 127.0.0.0/8 that belongs to this test.
    let address: IPAddress
    let folder: TemporaryDirectory
    let child: ChildProcess
    private let logPath: String
    private var hasEnded = false

    static let port: UInt16 = 18080
    static let statusPort: UInt16 = 18021

    /// A successor has the address and the folder of `predecessor`. `objects` are more documents of YAML.
    init(
        endpoints: [SocketAddress], flags: [String] = [], objects: String = "",
        predecessor: RunningWaypoint? = nil
    ) throws {
        address =
            predecessor?.address
            ?? IPAddress(v4: 0x7f00_0000 | UInt32.random(in: 0x10_0000...0xff_fffe))
        folder = try predecessor?.folder ?? TemporaryDirectory()
        logPath = "\(folder.path)/log-\(UInt32.random(in: 0...UInt32.max))"
        try Self.writeMesh(endpoints, objects, in: folder)
        let log = try FileDescriptor.openLog(logPath)
        let arguments = [
            "--mesh-file", "\(folder.path)/mesh.yaml", "--listen", "\(address):\(Self.port)",
            "--status-address", "\(address):\(Self.statusPort)", "--threads", "2",
        ]
        let program = Program(BuiltProgram.built("kmesh-waypoint").path, arguments + flags)
        child = try program.start(Streams(input: nil, output: log.number, error: log.number))
    }

    deinit {
        guard !hasEnded else { return }
        try? child.send(signal: SIGKILL)
        _ = try? child.wait()
    }

    var log: String { (try? Files.readText(logPath)) ?? "" }
    var place: SocketAddress { SocketAddress(address, Self.port) }

    func connect() throws -> TestSocket { try TestSocket(to: place) }

    /// One service, `web`, at port 80, and what `objects` says.
    static func writeMesh(
        _ endpoints: [SocketAddress], _ objects: String = "", in folder: TemporaryDirectory
    ) throws {
        var text = """
            apiVersion: networking.istio.io/v1
            kind: ServiceEntry
            metadata: {name: web, namespace: default}
            spec:
              hosts: [web.example]
              addresses: [10.99.0.1]
              resolution: STATIC
              ports: [{number: 80, name: http, protocol: HTTP}]
              endpoints:

            """
        for endpoint in endpoints {
            text += "  - {address: \(endpoint.address), ports: {http: \(endpoint.port)}}\n"
        }
        if !objects.isEmpty { text += "---\n\(objects)" }
        try Files.replace("\(folder.path)/mesh.yaml", with: Array(text.utf8))
    }

    func status(_ path: String, method: String = "GET") throws -> TestMessage {
        let socket = try TestSocket(to: SocketAddress(address, Self.statusPort))
        try socket.send("\(method) \(path) HTTP/1.1\r\nHost: status\r\n\r\n")
        guard let answer = try socket.readMessage(isResponse: true) else { throw TestEnd(received: []) }
        return answer
    }

    func metric(_ line: String) throws -> Double? {
        for text in try status("/metrics").text.split(separator: "\n") where text.hasPrefix("\(line) ") {
            return Double(text.dropFirst(line.utf8.count + 1))
        }
        return nil
    }

    func waitUntilReady() throws {
        try wait("ready") { (try? status("/readyz").status) == 200 && log.contains("waypoint: ready") }
    }

    func wait(_ what: String, until condition: () throws -> Bool) throws {
        let end = ContinuousClock.now + .seconds(20)
        while try !condition() {
            guard ContinuousClock.now < end else {
                throw WaitedInVain(what: what, log: log)
            }
            pause(.milliseconds(10))
        }
    }

    struct WaitedInVain: Error {
        let what: String
        let log: String
    }

    func signal(_ number: Int32) throws { try child.send(signal: number) }

    /// Waits for its end.
    func exitCode() throws -> Int32 {
        var code: Int32?
        try wait("the end") {
            code = try child.exitCode()
            return code != nil
        }
        hasEnded = true
        return code ?? -1
    }
}

let webRequest = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n"
