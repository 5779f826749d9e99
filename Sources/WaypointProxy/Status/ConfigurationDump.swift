/// The configuration in force as JSON, one object at a time: however large it is, it never exists whole.
internal import KmeshKit

struct ConfigurationDump: StatusBody {
    private enum Stage {
        case head
        case clusters(Int)
        case tables(Int)
        case policies(Int)
        case done
    }

    private let configuration: WaypointConfiguration
    private let listeners: [(ListenerSpecification, SocketAddress)]
    private let facts: OperationRecord.Facts
    private var stage = Stage.head
    private var isFirst = true

    var length: Int? { nil }

    init(
        _ configuration: WaypointConfiguration, listeners: [(ListenerSpecification, SocketAddress)],
        facts: OperationRecord.Facts
    ) {
        self.configuration = configuration
        self.listeners = listeners
        self.facts = facts
    }

    mutating func next() -> [UInt8]? {
        var piece: [UInt8] = []
        while piece.count < 32_768 {
            switch stage {
            case .head:
                piece += head()
                stage = .clusters(0)
            case .clusters(let number) where number < configuration.clusters.count:
                if let cluster = configuration.clusters[number] { append(json(cluster), to: &piece) }
                stage = .clusters(number + 1)
            case .clusters:
                piece += "],\"routes\":[".utf8
                isFirst = true
                stage = .tables(0)
            case .tables(let number) where number < configuration.tables.count:
                let table = configuration.tables[number]
                if !table.source.virtualHosts.isEmpty { append(table.source.json, to: &piece) }
                stage = .tables(number + 1)
            case .tables:
                piece += "],\"policies\":[".utf8
                isFirst = true
                stage = .policies(0)
            case .policies(let number) where number < policies.count:
                append(policies[number].json, to: &piece)
                stage = .policies(number + 1)
            case .policies:
                piece += "]}\n".utf8
                stage = .done
                return piece
            case .done:
                return piece.isEmpty ? nil : piece
            }
        }
        return piece
    }

    private var policies: [AuthorizationPolicy] { configuration.authorization?.policies ?? [] }

    private mutating func append(_ value: JSONValue, to piece: inout [UInt8]) {
        if !isFirst { piece.append(UInt8(ascii: ",")) }
        isFirst = false
        piece.append(UInt8(ascii: "\n"))
        piece += value.serialized()
    }

    private func head() -> [UInt8] {
        let listeners = listeners.map { specification, address in
            JSONValue.object([
                .init("address", .string(address.description)), .init("kind", specification.kind.json),
                .init(
                    "trustedProxies",
                    .array(specification.acceptsProxyProtocolFrom.map { .string($0.text) })),
            ])
        }
        let members: [JSONValue.Member] = [
            .init("program", .string("kmesh-waypoint \(KmeshVersion.current)")),
            .init("version", JSONValue(configuration.version)), .init("phase", .string(facts.phase.rawValue)),
            .init("lastReloadError", JSONValue(facts.lastError)),
            .init("badReloads", JSONValue(facts.badConfigurations)),
            .init("targets", JSONValue(configuration.targets.count)), .init("listeners", .array(listeners)),
        ]
        let text = JSONValue.object(members).serialized()
        return Array(text.dropLast()) + Array(",\"clusters\":[".utf8)
    }

    private func json(_ cluster: ClusterConfiguration) -> JSONValue {
        let endpoints = cluster.endpoints.map { endpoint in
            JSONValue.object([
                .init("address", .string(endpoint.address.description)),
                .init("weight", JSONValue(endpoint.weight)), .init("tier", JSONValue(endpoint.tier)),
            ])
        }
        return .object([
            .init("number", JSONValue(cluster.number)),
            .init("service", .string(cluster.backend.description)),
            .init("policy", .string(cluster.policy.rawValue)), .init("endpoints", .array(endpoints)),
        ])
    }
}

extension ListenerSpecification.Kind {
    fileprivate var json: JSONValue {
        switch self {
        case .plain: "plain"
        case .servicePort(let backend): .string("service \(backend)")
        case .metadata(let option, let prefix):
            .string("metadata:\(option ? " option" : "")\(prefix ? " tlv" : "")")
        }
    }
}

extension AddressPrefix {
    fileprivate var text: String { "\(address)/\(address.isV4 ? length - 96 : length)" }
}
