import AuthzXDP
import CKmeshABI
import KmeshKit

/// Decides by reading the maps as the kernel's programs do, step by step.
struct MapReader: Sendable {
    let maps: InMemoryAuthzMaps

    enum Verdict: Hashable, Sendable {
        /// The maps do not lead to an answer: the default decides.
        case noDestination, noView, noBlock
        case decided(Reason, trialDenials: Set<UInt32>, isTrialNotAllowed: Bool)
    }

    enum Reason: Hashable, Sendable {
        case notRestricted, notAllowed
        /// By the policy with the number; `nil` when its term has none.
        case allowed(UInt32?), denied(UInt32?)
    }

    func decide(_ query: AuthorizationQuery) -> Verdict {
        guard let destination = maps.destinations.value(of: AuthzAddressKey(query.destination)) else {
            return .noDestination
        }
        guard let view = maps.views.value(of: AuthzIDKey(destination.viewID)) else { return .noView }
        let source = maps.sources.value(of: AuthzAddressKey(query.source))
        var denier: UInt32??
        var allower: UInt32??
        var trialDenials: Set<UInt32> = []
        var isAllowedOnTrial = false
        for id in view.blockIDs {
            guard let block = maps.blocks.value(of: AuthzIDKey(id)) else { return .noBlock }
            let terms = matching(id, block, source, query)
            if denier == nil, let bit = (terms & block.deny).firstBit { denier = .some(policy(id, bit)) }
            if allower == nil, let bit = (terms & block.allow).firstBit { allower = .some(policy(id, bit)) }
            for bit in (terms & block.trialDeny).bits { trialDenials.insert(policy(id, bit) ?? 0) }
            if !(terms & block.trialAllow).isEmpty { isAllowedOnTrial = true }
        }
        let reason: Reason =
            if let denier { .denied(denier) } else if let allower { .allowed(allower) } else {
                view.restricts ? .notAllowed : .notRestricted
            }
        return .decided(
            reason, trialDenials: trialDenials,
            isTrialNotAllowed: view.restrictsOnTrial && !isAllowedOnTrial)
    }

    private func policy(_ block: UInt32, _ bit: Int) -> UInt32? {
        maps.terms.value(of: AuthzTermKey(blockID: block, bit: UInt32(bit)))?.policyID
    }

    private func matching(
        _ id: UInt32, _ block: AuthzBlockValue, _ source: AuthzSourceValue?, _ query: AuthorizationQuery
    ) -> TermVector {
        var terms = identity(id, block, source)
        terms = terms & (prefix(id, block, .source, query.source) ?? block.source)
        terms = terms & (prefix(id, block, .destination, query.destination) ?? block.destination)
        return terms & (bits(id, block, .port, UInt32(query.port)) ?? block.port)
    }

    private func identity(
        _ id: UInt32, _ block: AuthzBlockValue, _ source: AuthzSourceValue?
    ) -> TermVector {
        guard let source, source.identityID != 0 else { return block.unidentified }
        return bits(id, block, .identity, source.identityID)
            ?? bits(id, block, .namespace, source.namespaceID) ?? block.identified
    }

    private func bits(
        _ id: UInt32, _ block: AuthzBlockValue, _ dimension: AuthzDimension, _ value: UInt32
    ) -> TermVector? {
        guard block.has(dimension) else { return nil }
        return maps.bits.value(of: AuthzBitsKey(blockID: id, dimension: dimension, value: value))
    }

    /// The longest of the entries that the address lies in.
    private func prefix(
        _ id: UInt32, _ block: AuthzBlockValue, _ dimension: AuthzDimension, _ address: IPAddress
    ) -> TermVector? {
        guard block.has(dimension) else { return nil }
        for length in (0...128).reversed() {
            let key = AuthzPrefixKey(
                blockID: id, dimension: dimension, address: address.masked(to: length),
                prefixLength: UInt8(length))
            if let terms = maps.prefixes.value(of: key) { return terms }
        }
        return nil
    }
}

extension MapReader.Verdict {
    /// Without the policies' numbers.
    var outcome: Outcome {
        switch self {
        case .noDestination: .notProtected
        case .noView, .noBlock: .fault
        case .decided(.notRestricted, _, _): .notRestricted
        case .decided(.notAllowed, _, _): .notAllowed
        case .decided(.allowed, _, _): .allowed
        case .decided(.denied, _, _): .denied
        }
    }
}

enum Outcome: Hashable, Sendable {
    case notProtected, fault, notRestricted, allowed, notAllowed, denied
}
