internal import KmeshKit

/// The labels of a connection's metrics: Istio's, in Kmesh's order. What is no workload of the mesh is
/// "unknown".
struct ConnectionLabels {
    private let isInbound: Bool
    private let parties: ConnectionParties
    private let cluster: String
    private let destinationAddress: String

    init(_ record: ConnectionRecord, _ parties: ConnectionParties, cluster: String) {
        isInbound = record.direction == .inbound
        self.parties = parties
        self.cluster = cluster
        let address = isInbound ? record.local.address : record.remote.address
        // Clients may reach any address; only those of the mesh are few.
        destinationAddress = parties.destination == nil ? Self.unknown : address.description
    }

    private static let unknown = "unknown"

    /// What series of workloads are labelled with.
    func ofWorkload() -> [(String, String)] {
        beginning() + [
            ("destination_pod_address", destinationAddress),
            ("destination_pod_namespace", parties.destination?.namespace ?? Self.unknown),
            ("destination_pod_name", parties.destination?.name ?? Self.unknown),
        ] + end()
    }

    /// What series of services are labelled with.
    func ofService() -> [(String, String)] {
        beginning() + service() + end()
    }

    /// Few enough for histograms.
    func ofDestination() -> [(String, String)] { [reporter] + service() }

    private var reporter: (String, String) { ("reporter", isInbound ? "destination" : "source") }

    private func service() -> [(String, String)] {
        [
            ("destination_service", parties.service?.key.hostname ?? Self.unknown),
            ("destination_service_namespace", parties.service?.key.namespace ?? Self.unknown),
            ("destination_service_name", parties.service?.name ?? Self.unknown),
        ]
    }

    private func beginning() -> [(String, String)] {
        [reporter] + party("source", parties.source)
    }

    private func end() -> [(String, String)] {
        // Nothing is encrypted: addresses tell who is who.
        party("destination", parties.destination) + [
            ("request_protocol", "tcp"), ("response_flags", "-"), ("connection_security_policy", "none"),
        ]
    }

    private func party(_ side: String, _ workload: Workload?) -> [(String, String)] {
        let names = workload?.names
        // A workload of its own is called by its name.
        let own = workload.map { names.flatMap { $0.workload.isEmpty ? nil : $0.workload } ?? $0.name }
        let service = names.flatMap { $0.canonicalService.isEmpty ? nil : $0.canonicalService } ?? own
        func text(_ value: String?) -> String { value.flatMap { $0.isEmpty ? nil : $0 } ?? Self.unknown }
        let principal = workload?.identity.map {
            "spiffe://cluster.local/ns/\($0.namespace)/sa/\($0.serviceAccount)"
        }
        return [
            ("\(side)_workload", text(own)),
            ("\(side)_canonical_service", text(service)),
            ("\(side)_canonical_revision", text(names?.canonicalRevision ?? workload.map { _ in "latest" })),
            ("\(side)_workload_namespace", text(workload?.namespace)),
            ("\(side)_principal", text(principal)),
            ("\(side)_app", text(names?.app)),
            ("\(side)_version", text(names?.version)),
            ("\(side)_cluster", workload == nil ? Self.unknown : cluster),
        ]
    }
}
