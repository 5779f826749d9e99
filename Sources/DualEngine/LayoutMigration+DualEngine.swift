internal import BPFLoader
internal import CKmeshABI
internal import KmeshKit

/// What has changed from layout to layout.
extension LayoutMigration {
    static let dualEngine = LayoutMigration(
        to: UInt32(KMESH_LAYOUT_VERSION),
        by: [
            // Workloads can be traced since.
            LayoutStep(
                from: 3,
                converting: [
                    MapConversion(of: KMESH_MAP_ENROLLED) {
                        (entry: MapEntry<EnrolledKey, EnrolledValueOfLayout3>) in
                        MapEntry(entry.key, EnrolledValue(address: entry.value.address))
                    }
                ],
                adding: [KMESH_MAP_TRACE])
        ])
}

/// `struct kmesh_enrolled` of layout 3: an address and a word of padding.
struct EnrolledValueOfLayout3: MapWords {
    var address: IPAddress

    static var wordCount: Int { 5 }
    static var isSealed: Bool { true }
    func append(to words: inout [UInt32]) {
        address.append(to: &words)
        words.append(0)
    }
}

extension EnrolledValueOfLayout3 {
    init(words: ArraySlice<UInt32>) {
        address = IPAddress(words: words.prefix(4))
    }
}
