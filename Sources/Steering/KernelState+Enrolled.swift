internal import CKmeshABI
internal import KmeshKit

/// Compares the enrolled workloads with `km_enrolled`.
extension KernelState {
    enum EnrolledRepair {
        case write(MapEntry<EnrolledKey, EnrolledValue>)
        case remove(EnrolledKey)
    }

    /// Every entry that is missing, different, damaged or should not be there, and what repairs it.
    func differences(
        from workloads: some Collection<LocalWorkload>
    ) throws(MapError) -> [(difference: Difference, repair: EnrolledRepair)] {
        let present = try enrolled.contents()
        var entries = present.entries, damaged = Set(present.damaged)
        var differences: [(Difference, EnrolledRepair)] = []
        // Pods may share a namespace: then it is enrolled as one of them.
        for (key, pods) in Dictionary(grouping: workloads, by: \.enrolledEntry.key) {
            let found = entries.removeValue(forKey: key)
            let isDamaged = damaged.remove(key) != nil
            // How long it is traced is no difference.
            guard !pods.contains(where: { $0.enrolledEntry.value.address == found?.address }),
                let pod = pods.min(by: { $0.pod < $1.pod })
            else { continue }
            let (entry, text) = (pod.enrolledEntry, isDamaged ? "damaged" : found.map { "\($0.address)" })
            differences.append(
                (difference("pod \(pod.pod)", "\(entry.value.address)", text), .write(entry)))
        }
        differences += entries.map { key, value in
            (difference("netns cookie \(key.netnsCookie)", nil, "\(value.address)"), .remove(key))
        }
        differences += damaged.map { key in
            (difference("netns cookie \(key.netnsCookie)", nil, "damaged"), .remove(key))
        }
        return differences
    }

    private func difference(_ key: String, _ wanted: String?, _ found: String?) -> Difference {
        Difference(map: KMESH_MAP_ENROLLED, key: key, wanted: wanted, found: found)
    }
}
