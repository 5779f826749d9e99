// What an engine would hold after the changes that it was given.
import KmeshKit
import Testing

struct MeshState: Equatable {
    var resources: [MeshResourceName: MeshResource] = [:]

    /// Applies changes as an engine does, and checks that none of them is superfluous.
    mutating func apply(_ changes: [ResourceChange<MeshResource>]) {
        var seen: Set<MeshResourceName> = []
        for change in changes {
            switch change {
            case .upsert(let resource):
                #expect(seen.insert(resource.name).inserted, "\(resource.name) changes twice in one step")
                #expect(resources[resource.name] != resource, "\(resource.name) did not change")
                resources[resource.name] = resource
            case .remove(let name):
                #expect(seen.insert(name).inserted, "\(name) changes twice in one step")
                #expect(resources.removeValue(forKey: name) != nil, "\(name) was not there")
            }
        }
    }

    func service(_ name: String, in namespace: String = "default") -> Service? {
        let key = ServiceKey(namespace: namespace, hostname: "\(name).\(namespace).svc.cluster.local")
        guard case .service(let service) = resources[.service(key)] else { return nil }
        return service
    }

    func workload(_ uid: String) -> Workload? {
        guard case .workload(let workload) = resources[.workload(uid: uid)] else { return nil }
        return workload
    }

    /// `uid port→target health` of everything that serves a service.
    func endpoints(of name: String, in namespace: String = "default") -> [String] {
        let suffix = "\(name).\(namespace).svc.cluster.local"
        return resources.values.flatMap { resource -> [String] in
            guard case .workload(let workload) = resource else { return [] }
            return workload.memberships.filter { $0.service.hostname == suffix }.map { membership in
                let ports = membership.ports.map { "\($0.servicePort)→\($0.targetPort)" }.joined(
                    separator: ",")
                return "\(workload.uid) \(ports)\(membership.health == .terminating ? " terminating" : "")"
            }
        }.sorted()
    }
}

/// A translator together with what its changes have led to.
struct Mesh {
    var translator = MeshTranslator()
    var state = MeshState()

    init(_ objects: [Kubernetes.Object] = []) throws {
        try put(objects)
    }

    init(translator: MeshTranslator) {
        self.translator = translator
    }

    @discardableResult
    mutating func put(
        _ objects: [Kubernetes.Object], removing keys: [Kubernetes.ObjectKey] = []
    ) throws -> Translation {
        let changes = objects.map { ObjectChange.upsert($0, Kubernetes.Origin()) } + keys.map { .remove($0) }
        let translation = try translator.apply(changes)
        state.apply(translation.changes)
        return translation
    }
}

func address(_ text: String) throws -> IPAddress {
    try #require(IPAddress(text))
}

extension Kubernetes.Object {
    static func aService(
        _ name: String = "web", at addresses: [String] = ["172.16.0.1"],
        ports: [Kubernetes.Port] = [Kubernetes.Port(port: 80, target: .number(8080))],
        selector: Kubernetes.Labels? = ["app": "web"],
        _ change: (inout Kubernetes.Service) -> Void = { _ in }
    ) throws -> Kubernetes.Object {
        var service = Kubernetes.Service(
            namespace: "default", name: name, addresses: try addresses.map { try address($0) }, ports: ports,
            selector: selector)
        change(&service)
        return .service(service)
    }

    static func aPod(
        _ name: String = "web-1", at addresses: [String] = ["10.0.0.1"],
        labels: Kubernetes.Labels = ["app": "web"],
        _ change: (inout Kubernetes.Pod) -> Void = { _ in }
    ) throws -> Kubernetes.Object {
        var pod = Kubernetes.Pod(
            namespace: "default", name: name, labels: labels, addresses: try addresses.map { try address($0) }
        )
        change(&pod)
        return .pod(pod)
    }
}
