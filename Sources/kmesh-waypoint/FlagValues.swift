/// What values of flags look like.
import KmeshKit
import WaypointProxy

enum FlagValue {
    /// Milliseconds of `100ms`, `5s`, `1m`, `2h`, and 0.
    static func duration(_ text: String) throws(FlagValueError) -> Int64 {
        let wanted = FlagValueError("a duration like 100ms, 5s, 1m or 2h")
        if text == "0" { return 0 }
        let units: [(String, Int64)] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        for (unit, factor) in units where text.hasSuffix(unit) {
            guard let number = Int64(text.dropLast(unit.count)), (0...1_000_000_000).contains(number),
                text.utf8.first != UInt8(ascii: "+")
            else { continue }
            return number * factor
        }
        throw wanted
    }

    static func number<Number: FixedWidthInteger>(
        _ text: String, in range: ClosedRange<Number>
    ) throws(FlagValueError) -> Number {
        guard let number = Number(text), range.contains(number) else {
            throw FlagValueError("a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    static func choice<Choice: RawRepresentable & CaseIterable>(
        _ text: String, _ type: Choice.Type
    ) throws(FlagValueError) -> Choice where Choice.RawValue == String {
        guard let choice = Choice(rawValue: text) else {
            throw FlagValueError("one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    /// `PORT`, `:PORT`, `ADDRESS:PORT` or `[ADDRESS]:PORT`; without an address, all of IPv4 and IPv6.
    static func place(_ text: some StringProtocol) throws(FlagValueError) -> SocketAddress {
        let everywhere = text.hasPrefix(":") ? "[::]\(text)" : "[::]:\(text)"
        guard let place = SocketAddress(String(text)) ?? SocketAddress(everywhere) else {
            throw FlagValueError("PORT, ADDRESS:PORT or [ADDRESS]:PORT")
        }
        return place
    }

    /// `10.0.0.0/8,fd00::/8`; an address alone is a network of one.
    static func networks(_ text: String) throws(FlagValueError) -> [AddressPrefix] {
        var networks: [AddressPrefix] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let halves = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let address = IPAddress(halves[0]),
                let length = halves.count == 1 ? (address.isV4 ? 32 : 128) : Int(halves[1]),
                let network = AddressPrefix(address, length: length)
            else { throw FlagValueError("a list of networks like 10.0.0.0/8,fd00::/8") }
            networks.append(network)
        }
        return networks
    }

    /// `default/reviews-waypoint`: a waypoint's service.
    static func namespacedName(_ text: String) throws(FlagValueError) -> (namespace: String, name: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw FlagValueError("NAMESPACE/NAME")
        }
        return (String(parts[0]), String(parts[1]))
    }
}

/// `--listen`, before it is known which namespace names without one are in.
struct ListenFlag: Hashable {
    enum Kind: Hashable {
        case plain
        case metadata
        case service(name: String, port: UInt16)
    }

    var place: SocketAddress
    var kind: Kind

    init(place: SocketAddress, kind: Kind) {
        self.place = place
        self.kind = kind
    }

    /// `[ADDRESS:]PORT`, and after `=` `metadata` or `SERVICE[.NAMESPACE]:PORT`.
    init(_ text: String) throws(FlagValueError) {
        let halves = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        do throws(FlagValueError) {
            place = try FlagValue.place(halves[0])
        } catch {
            throw Self.wanted
        }
        guard halves.count == 2 else {
            kind = .plain
            return
        }
        if halves[1] == "metadata" {
            kind = .metadata
            return
        }
        let parts = halves[1].split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let port = UInt16(parts[1]), port > 0 else {
            throw Self.wanted
        }
        kind = .service(name: String(parts[0]), port: port)
    }

    private static let wanted = FlagValueError(
        "[ADDRESS:]PORT, [ADDRESS:]PORT=metadata or [ADDRESS:]PORT=SERVICE[.NAMESPACE]:PORT")

    func specification(namespace: String, trusting proxies: [AddressPrefix]) -> ListenerSpecification {
        let kind: ListenerSpecification.Kind =
            switch kind {
            case .plain: .plain
            case .metadata: .metadata(option: true, prefix: true)
            case .service(let name, let port):
                .servicePort(BackendReference(service: serviceKey(name, namespace: namespace), port: port))
            }
        return ListenerSpecification(address: place, kind: kind, acceptsProxyProtocolFrom: proxies)
    }
}

/// `reviews`, `reviews.prod`, or a whole host name of a service entry in `namespace`.
func serviceKey(_ name: String, namespace: String) -> ServiceKey {
    let labels = name.split(separator: ".")
    let suffix = ".svc.cluster.local"
    if name.hasSuffix(suffix), labels.count == 5 {
        return ServiceKey(namespace: String(labels[1]), hostname: name)
    }
    guard labels.count <= 2 else { return ServiceKey(namespace: namespace, hostname: name) }
    let home = labels.count == 2 ? String(labels[1]) : namespace
    return ServiceKey(namespace: home, hostname: "\(labels[0]).\(home)\(suffix)")
}
