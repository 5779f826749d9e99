/// Where a server listens: the value of `--status-address` and `--metrics-address`.
internal import ArgumentParser
import KmeshKit

enum ListenPlace: Equatable {
    case off
    case at(SocketAddress)

    static let usualStatus = ListenPlace.at(SocketAddress(IPAddress(v4: 0x7f00_0001), 15200))
    static let usualMetrics = ListenPlace.at(SocketAddress(everywhere, 15020))

    /// All of IPv4 and IPv6.
    private static let everywhere = IPAddress(high: 0, low: 0)

    var address: SocketAddress? {
        switch self {
        case .off: nil
        case .at(let address): address
        }
    }

    /// Who asks the status server may switch authorization off: nobody from outside may ask.
    func validateLoopback() throws {
        guard let address, !address.address.isLoopback else { return }
        throw ValidationError(
            "--status-address must be a loopback address such as 127.0.0.1:15200, not \(address)")
    }
}

extension ListenPlace: ExpressibleByArgument {
    init?(argument: String) {
        if argument == "off" {
            self = .off
        } else if let address = SocketAddress(argument.hasPrefix(":") ? "[::]\(argument)" : argument) {
            self = .at(address)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String {
        guard let address else { return "off" }
        return address.address == Self.everywhere ? ":\(address.port)" : "\(address)"
    }
}
