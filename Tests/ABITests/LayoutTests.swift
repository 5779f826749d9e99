import CKmeshABI
import KmeshTestSupport
import Testing

@testable import KmeshKit

/// The words that Swift writes are the bytes of the C structs, field by field.
@Suite struct LayoutTests {
    private let address = CLayout.address, cAddress = CLayout.cAddress

    /// Compares key and value with their structs; `value` has no seal yet where the map's values have one.
    private func expect<Key: MapWords, Value: MapWords, CKey, CValue>(
        _ entry: MapEntry<Key, Value>, is cKey: CKey, _ cValue: CValue,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(Key.byteCount == MemoryLayout<CKey>.size, sourceLocation: sourceLocation)
        #expect(Value.byteCount == MemoryLayout<CValue>.size, sourceLocation: sourceLocation)
        #expect(entry.key.words == CLayout.words(of: cKey), sourceLocation: sourceLocation)
        let cWords = CLayout.words(of: cValue).prefix(Value.wordCount)
        #expect(entry.value.words == Array(cWords), sourceLocation: sourceLocation)
        #expect(Key(words: entry.key.words[...]) == entry.key, sourceLocation: sourceLocation)
        #expect(Value(words: cWords) == entry.value, sourceLocation: sourceLocation)
    }

    @Test func addressesAreSixteenBytesInNetworkOrder() {
        #expect(MemoryLayout<kmesh_address>.size == 16)
        #expect(unsafe withUnsafeBytes(of: cAddress) { unsafe Array($0) } == Array(1...16))
        var written: [UInt32] = []
        address.append(to: &written)
        #expect(written == CLayout.words(of: cAddress))
        #expect(IPAddress(words: written[...]) == address)
    }

    @Test func frontends() {
        let key = kmesh_frontend_key(address: cAddress, port: 0x1122, protocol: 17, pad: 0)
        expect(
            MapEntry(
                FrontendKey(address: address, port: 0x1122, transport: .udp),
                FrontendValue(serviceID: 0xa1b2_c3d4)),
            is: key, kmesh_frontend(service_id: 0xa1b2_c3d4, seal: 0))
        #expect(MemoryLayout.offset(of: \kmesh_frontend.seal) == 4)
        let marker = kmesh_frontend_key(address: cAddress, port: 0, protocol: 0, pad: 0)
        #expect(FrontendKey(markerOf: address).words == CLayout.words(of: marker))
    }

    @Test func services() {
        let value = kmesh_service(
            policy: 0x11, flags: 0x22, tier: 0x33, endpoint_count: 0x44, affinity_timeout_s: 0x55,
            waypoint_id: 0x66, seal: 0)
        expect(
            MapEntry(
                ServiceMapKey(serviceID: 0x99),
                ServiceValue(
                    policy: 0x11, flags: 0x22, tier: 0x33, endpointCount: 0x44, affinityTimeout: 0x55,
                    waypointID: 0x66)),
            is: kmesh_service_key(service_id: 0x99), value)
        #expect(MemoryLayout.offset(of: \kmesh_service.seal) == 24)
    }

    @Test func slots() {
        expect(
            MapEntry(SlotKey(serviceID: 1, tier: 2, index: 3), SlotValue(endpointID: 4)),
            is: kmesh_slot_key(service_id: 1, tier: 2, index: 3), kmesh_slot(endpoint_id: 4, seal: 0))
        #expect(MemoryLayout.offset(of: \kmesh_slot.seal) == 4)
    }

    @Test func tables() {
        let ids = (0..<UInt32(KMESH_TABLE_SLOTS)).map { $0 &* 3 }
        #expect(TableValue.byteCount == 4 * Int(KMESH_TABLE_SLOTS))
        #expect(!TableValue.isSealed)
        #expect(TableValue(endpointIDs: ids).words == ids)
        #expect(TableValue(words: ids[...]).endpointIDs == ids)
    }

    @Test func endpoints() {
        expect(
            MapEntry(EndpointKey(serviceID: 1, endpointID: 2), EndpointValue(address: address, port: 0x1234)),
            is: kmesh_endpoint_key(service_id: 1, endpoint_id: 2),
            kmesh_endpoint(address: cAddress, port: 0x1234, pad: 0, seal: 0))
        #expect(MemoryLayout.offset(of: \kmesh_endpoint.port) == 16)
        #expect(MemoryLayout.offset(of: \kmesh_endpoint.seal) == 20)
    }

    @Test func enrolledWorkloads() {
        expect(
            MapEntry(
                EnrolledKey(netnsCookie: 0x1122_3344_5566_7788),
                EnrolledValue(address: address, traceUntil: 0xa1b2_c3d4)),
            is: kmesh_enrolled_key(netns_cookie: 0x1122_3344_5566_7788),
            kmesh_enrolled(address: cAddress, trace_until_s: 0xa1b2_c3d4, flags: 0, seal: 0))
        #expect(MemoryLayout.offset(of: \kmesh_enrolled.seal) == 24)
    }

    @Test func waypoints() {
        expect(
            MapEntry(WaypointKey(address: address), WaypointValue()), is: cAddress,
            kmesh_waypoint(pad: 0, seal: 0))
        #expect(MemoryLayout.offset(of: \kmesh_waypoint.seal) == 4)
        #expect(MemoryLayout.offset(of: \kmesh_frontend.service_id) == 0)
    }

    @Test func policiesHaveTheNumbersOfTheHeader() {
        #expect(LoadBalancingPolicy.random.mapValue(isEven: true) == KMESH_POLICY_RANDOM.rawValue)
        #expect(LoadBalancingPolicy.weighted.mapValue(isEven: true) == KMESH_POLICY_TABLE_RANDOM.rawValue)
        #expect(LoadBalancingPolicy.maglev.mapValue(isEven: true) == KMESH_POLICY_TABLE_HASH.rawValue)
    }

    @Test func sealsAreThoseOfTheHeader() {
        var random = SplitMix64(seed: 3)
        for count in 0..<20 {
            let words = (0..<count).map { _ in UInt32(truncatingIfNeeded: random.next()) }
            var expected = KMESH_SEAL_START
            for word in words { expected = kmesh_seal_word(expected, word) }
            #expect(seal(words[...]) == expected)
            let half = count / 2
            #expect(seal(words[half...], from: seal(words[..<half])) == expected)
        }
    }

    /// Two entries that a program could confuse never have one seal.
    @Test func sealsTellKeysAndValuesApart() {
        let key = SlotKey(serviceID: 1, tier: 0, index: 3), value = SlotValue(endpointID: 4)
        let reference = seal((key.words + value.words)[...])
        for other in [SlotKey(serviceID: 2, tier: 0, index: 3), SlotKey(serviceID: 1, tier: 0, index: 4)] {
            #expect(seal((other.words + value.words)[...]) != reference)
        }
        #expect(seal((key.words + SlotValue(endpointID: 5).words)[...]) != reference)
    }
}
