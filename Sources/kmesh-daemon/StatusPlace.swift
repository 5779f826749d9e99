/// Where the status server listens: the value of `--status-address`.
import ArgumentParser
import KmeshKit

enum StatusPlace: Equatable {
    case off
    case at(SocketAddress)

    static let usual = StatusPlace.at(SocketAddress(IPAddress(v4: 0x7f00_0001), 15200))

    var address: SocketAddress? {
        switch self {
        case .off: nil
        case .at(let address): address
        }
    }

    /// Who asks the status server may switch authorization off: nobody from outside may ask.
    func validate() throws {
        guard let address, !address.address.isLoopback else { return }
        throw ValidationError(
            "--status-address must be a loopback address such as 127.0.0.1:15200, not \(address)")
    }
}

extension StatusPlace: ExpressibleByArgument {
    init?(argument: String) {
        if argument == "off" {
            self = .off
        } else if let address = SocketAddress(argument) {
            self = .at(address)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String { address?.description ?? "off" }
}
