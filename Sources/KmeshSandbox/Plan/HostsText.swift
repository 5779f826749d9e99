/// What a pod sees as `/etc/hosts`: itself, and the names that a cluster's DNS would answer.
internal import KmeshKit
internal import KmeshYAML

extension ResolvedMesh {
    private static let clusterDomain = "svc.cluster.local"

    /// The lines that all pods of a namespace share; to be made once for many pods.
    func serviceLines(seenFrom namespace: String) -> String {
        var lines: [String] = []
        for service in plan.services {
            let names = aliases(of: service.object.name, in: service.object.namespace, seenFrom: namespace)
            lines += addresses(of: service).map { "\($0) \(names)" }
            if service.kind == .headless { lines += memberLines(of: service) }
        }
        for entry in plan.passed where entry.kind == "ServiceEntry" { lines += entryLines(entry) }
        return lines.map { $0 + "\n" }.joined()
    }

    func hosts(of pod: Pod, serviceLines: String) -> String {
        let own = pod.record.addresses.map { "\($0) \(pod.record.name)\n" }.joined()
        return "127.0.0.1 localhost\n::1 localhost ip6-localhost\n" + own + serviceLines
    }

    private func aliases(of name: String, in owner: String, seenFrom namespace: String) -> String {
        let long = "\(name).\(owner)"
        let names = ["\(long).\(Self.clusterDomain)", "\(long).svc", long]
        return (owner == namespace ? names + [name] : names).joined(separator: " ")
    }

    private func addresses(of service: ServicePlan) -> [IPAddress] {
        switch service.kind {
        case .clustered: state.services[service.key] ?? []
        case .headless: headlessAddresses(of: service)
        case .external(let name): externalAddresses(of: name)
        }
    }

    private func headlessAddresses(of service: ServicePlan) -> [IPAddress] {
        members(of: service).filter(\.record.isServing).flatMap { pod in
            pod.record.addresses.filter { service.families.contains($0.family) }
        }
    }

    /// The target's addresses when it is a service of this file; another name is left to the machine's DNS.
    private func externalAddresses(of name: String) -> [IPAddress] {
        let target = plan.services.first { service in
            let long = "\(service.object.name).\(service.object.namespace)"
            return [long, "\(long).svc", "\(long).\(Self.clusterDomain)"].contains(name)
        }
        guard let target else { return IPAddress(name).map { [$0] } ?? [] }
        switch target.kind {
        case .clustered, .headless: return addresses(of: target)
        case .external: return []
        }
    }

    /// Pods of a StatefulSet have names of their own below their headless service.
    private func memberLines(of service: ServicePlan) -> [String] {
        members(of: service).filter { $0.record.isServing && $0.set.serviceName == service.object.name }
            .flatMap { pod in
                let short = "\(pod.record.name).\(service.object.name).\(service.object.namespace)"
                return pod.record.addresses.filter { service.families.contains($0.family) }.map { address in
                    "\(address) \(short).\(Self.clusterDomain) \(short).svc \(short)"
                }
            }
    }

    /// Names with a wildcard cannot be in a hosts file.
    private func entryLines(_ entry: KubernetesObject) -> [String] {
        let names = (entry.spec?["hosts"]?.sequence ?? []).compactMap(\.string).filter { !$0.hasPrefix("*") }
        let addresses = (entry.spec?["addresses"]?.sequence ?? []).compactMap {
            $0.string.flatMap { IPAddress($0) }
        }
        guard !names.isEmpty else { return [] }
        return addresses.map { "\($0) \(names.joined(separator: " "))" }
    }
}
