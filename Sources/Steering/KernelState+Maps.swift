internal import BPFLoader
internal import CKmeshABI
internal import KmeshKit

/// The engine's maps for people; those that say where connections go are the data plane's.
extension KernelState {
    /// - Parameter enrolled: whom the cookies belong to.
    func dumpableMaps(
        _ dataplane: L4Dataplane, enrolled pods: [LocalWorkload.ID: LocalWorkload]
    ) -> [DumpableMap] {
        let (reasons, socketKeys) = (reasons, socketKeys)
        let names = Dictionary(
            pods.values.map { ($0.networkNamespace.cookie, $0.pod.description) }, uniquingKeysWith: { $1 })
        let enrolledMap = DumpableMap.entries(enrolled, by: \.netnsCookie) {
            EntryWords(
                key: {
                    [
                        "pod": .string(names[$0.netnsCookie] ?? "unknown"),
                        "netnsCookie": JSONValue($0.netnsCookie),
                    ]
                },
                value: { ["address": .string("\($1.address)")] })
        }
        return dataplane.dumpableMaps + [enrolledMap] + dataplane.dumpableMaps(flows) + [
            .reasons(KMESH_MAP_REASON, countedReasons, reasons, of: "steer"),
            .rows(
                KMESH_MAP_METADATA,
                note: "sockets whose first bytes to a waypoint have not gone yet, by cookie"
            ) { () throws(MapError) in
                try socketKeys.numbers().sorted().map {
                    MapDump.Row(["socketCookie": JSONValue($0)], ["socket": true])
                }
            },
            .hidden(KMESH_MAP_TRACE, "verdicts on traced pods pass through; kmeshctl trace shows them"),
            .hidden(
                KMESH_MAP_PEER,
                "what connected sockets have dialed hangs on the sockets themselves; the kernel lists none"),
        ]
    }
}

extension FlowMaps {
    init(of object: borrowing BPFObject) throws(BPFError) {
        self.init(
            affinities: try BPFMap<AffinityKey, AffinityValue>(
                try object.map(KMESH_MAP_AFFINITY), name: KMESH_MAP_AFFINITY),
            sessions: try BPFMap<UDPSessionKey, UDPSessionValue>(
                try object.map(KMESH_MAP_UDP_SESSION), name: KMESH_MAP_UDP_SESSION),
            replies: try BPFMap<UDPReplyKey, UDPReplyValue>(
                try object.map(KMESH_MAP_UDP_REPLY), name: KMESH_MAP_UDP_REPLY))
    }
}
