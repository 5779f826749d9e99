// What peer authentications come to: policies that deny sources without an identity. Of several on one level
// the oldest counts; a level that is unset takes what the one above says.

extension MeshTranslator {
    // MARK: Objects

    /// Puts a peer authentication in its place, and marks what a changed level means.
    mutating func setPeer(_ slot: Slot, _ new: PolicyRecord.Object?) {
        let namespace = policies[slot].key.namespace
        let wasStrict = isStrict(namespace)
        let had = policies[slot].object != nil
        policies[slot].object = new
        if !had, new != nil { peersByNamespace.append(slot, to: namespace) }
        if had, new == nil { peersByNamespace.removeOne(slot, from: namespace) }
        // Another one may be the oldest now.
        step.policies.formUnion(peersByNamespace[namespace] ?? [])
        guard wasStrict != isStrict(namespace) else { return }
        markGroups(labels.groups(in: namespace))
        guard namespace == rootNamespace else { return }
        for other in Set(labels.namespaces).union(peersByNamespace.keys)
        where other != namespace && levelMode(of: other) == .unset {
            markGroups(labels.groups(in: other))
            step.policies.formUnion(peersByNamespace[other] ?? [])
        }
    }

    // MARK: Levels

    /// Whether sources must have an identity where no peer authentication picks the workload by its labels.
    private func isStrict(_ namespace: String) -> Bool {
        let own = levelMode(of: namespace)
        return (own == .unset ? levelMode(of: rootNamespace) : own) == .strict
    }

    private func levelMode(of namespace: String) -> Kubernetes.PeerAuthentication.Mode {
        level(of: namespace)?.mode ?? .unset
    }

    /// The peer authentication that counts for a whole namespace, or for the mesh.
    private func level(of namespace: String) -> Kubernetes.PeerAuthentication? {
        guard let slots = peersByNamespace[namespace] else { return nil }
        return slots.compactMap { policies[$0].object?.peer }.filter { $0.selector == nil }
            .min { $0.isOlder(than: $1) }
    }

    // MARK: Emission

    /// The policy of a workload that these peer authentications pick.
    func peerPolicy(of peers: [Kubernetes.PeerAuthentication], in namespace: String) -> PolicyKey? {
        guard let peer = peers.min(by: { $0.isOlder(than: $1) }) else {
            return isStrict(namespace) ? strictKey : nil
        }
        if portPolicy(of: peer) != nil { return peer.portPolicyKey }
        return peer.isStrict(inheriting: isStrict(namespace)) ? strictKey : nil
    }

    /// The policy of a peer authentication with ports that are not as its other ports are.
    func portPolicy(of peer: Kubernetes.PeerAuthentication) -> AuthorizationPolicy? {
        guard peer.selector != nil, peer.namespace != rootNamespace else { return nil }
        let isStrict = peer.isStrict(inheriting: isStrict(peer.namespace))
        let exceptions = peer.portModes.filter { $0.value != .unset && ($0.value == .strict) != isStrict }
            .keys
            .sorted()
        guard !exceptions.isEmpty else { return nil }
        let rules: [PolicyRule]
        if isStrict {
            // A connection to any other port, without an identity.
            rules = [
                PolicyRule(clauses: [[.unidentified]] + exceptions.map { [PolicyMatch(portOtherThan: $0)] })
            ]
        } else {
            rules = exceptions.map { port in
                var match = PolicyMatch.unidentified
                match.destinationPorts.any = [port]
                return PolicyRule(clauses: [[match]])
            }
        }
        return AuthorizationPolicy(key: peer.portPolicyKey, action: .deny, scope: .workloads, rules: rules)
    }

    /// There while there is any peer authentication, as in Istio, whether a workload names it or not.
    mutating func emitStrictPolicy(into translation: inout Translation) {
        var model: AuthorizationPolicy?
        if !peersByNamespace.isEmpty {
            model = AuthorizationPolicy(
                key: strictKey, action: .deny, scope: .workloads,
                rules: [PolicyRule(clauses: [[.unidentified]])])
        }
        guard model != emittedStrictPolicy else { return }
        emittedStrictPolicy = model
        translation.changes.append(model.map { .upsert(.policy($0)) } ?? .remove(.policy(strictKey)))
    }

    private var strictKey: PolicyKey {
        PolicyKey(.peerAuthentication, namespace: rootNamespace, name: "istio_converted_static_strict")
    }

    func problems(of peer: Kubernetes.PeerAuthentication) -> [String] {
        if peer.selector != nil {
            guard peer.namespace == rootNamespace else { return [] }
            return [
                "is not in force: in the root namespace, \(rootNamespace), a peer authentication is for the "
                    + "whole mesh; move it to the namespace of its workloads, or remove its selector"
            ]
        }
        guard let first = level(of: peer.namespace), first.key != peer.key else { return [] }
        return ["is not in force: \(first.key) is older and for the same workloads; remove one of them"]
    }
}

extension Kubernetes.PeerAuthentication {
    fileprivate func isOlder(than other: Self) -> Bool {
        (creationTime ?? .max, name) < (other.creationTime ?? .max, other.name)
    }

    fileprivate func isStrict(inheriting isStrict: Bool) -> Bool {
        mode == .unset ? isStrict : mode == .strict
    }

    /// The name has letters that no object's name has.
    fileprivate var portPolicyKey: PolicyKey {
        PolicyKey(.peerAuthentication, namespace: namespace, name: "converted_peer_authentication_\(name)")
    }
}

extension PolicyMatch {
    /// Sources without an identity.
    fileprivate static var unidentified: PolicyMatch {
        var match = PolicyMatch()
        match.principals.none = [.present]
        return match
    }

    fileprivate init(portOtherThan port: UInt16) {
        self.init()
        destinationPorts.none = [port]
    }
}
