import Glibc
import KmeshTestSupport
import Testing

@testable import KmeshKit

@Suite(.serialized, .enabled(if: Privileges.isRoot, "needs root: makes network namespaces"))
struct SocketOwnerTests {
    let network: NamespacePair

    init() throws {
        network = try NamespacePair()
    }

    @Test(arguments: [AddressFamily.v4, .v6])
    func whoIsConnectedIsKnown(family: AddressFamily) async throws {
        let side = network.client
        let listener = try await side.run { () throws(Errno) in
            SharedDescriptor(try InternetSocket.listen(port: 0))
        }
        let port = try InternetSocket.localAddress(listener.file).port
        let loopback = family == .v4 ? IPAddress(v4: 0x7f00_0001) : IPAddress(high: 0, low: 1)
        let server = SocketAddress(loopback, port)
        var client: SharedDescriptor? = try await TestConnection.connect(from: side, to: server)
        let accepted = try await TestConnection.accept(listener)
        let address = try InternetSocket.localAddress(try #require(client).file)
        #expect(try await owner(side, address, server) == 0)
        let number = try #require(client).file.number
        #expect(fchown(number, 65534, 65534) == 0)
        #expect(try await owner(side, address, server) == 65534)
        // The kernel says 0 of what nobody has open.
        client = nil
        #expect(try await owner(side, address, server) == nil)
        #expect(try await owner(side, SocketAddress(loopback, 9), server) == nil)
        withExtendedLifetime(accepted) {}
    }

    private func owner(
        _ side: NamespacePair.Side, _ client: SocketAddress, _ server: SocketAddress
    ) async throws -> UInt32? {
        try await side.run { () throws(Errno) in
            do throws(SocketDiagnosticsError) {
                return try SocketOwner.userID(ofClient: client, connectedTo: server)
            } catch {
                throw Errno.invalid
            }
        }
    }
}
