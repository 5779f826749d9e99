/// Turns what a daemon left pinned into the data plane that a daemon of layout 3 would have left: the same
/// maps but for the enrolled workloads, its own programs in the same links, and pins of that layout.
import BPFLoader
import CBPFTestObjects
import CKmeshABI
import Glibc
import KmeshKit
import KmeshTestSupport

struct EarlierDataplane {
    let current: PinDirectory
    let pins: PinDirectory
    private let cgroup: String

    init(root: String, cgroup: String) throws {
        self.cgroup = cgroup
        current = try PinDirectory(root: root, name: "dual-engine-v\(KMESH_LAYOUT_VERSION)")
        pins = try PinDirectory(root: root, name: "dual-engine-v3")
    }

    /// No daemon may run.
    func install() throws {
        guard let image = unsafe CBPFTestObjects_find("layout3_test") else { throw Errno.noEntry }
        let object = unsafe try BPFObject(
            named: "layout3", bytes: image.pointee.bytes, size: Int(image.pointee.size))
        try object.set(constants: kmesh_l4_settings(pass_without_endpoint: 0, metadata: 3, has_mptcp: 0))
        try object.adoptMaps(from: current, except: [KMESH_MAP_ENROLLED, KMESH_MAP_TRACE])
        try object.load()
        try fillEnrolled(of: object)
        try pins.stage()
        for name in object.mapNames where name != KMESH_MAP_TRACE {
            try pins.pinStaged(try object.map(name), as: name)
        }
        for hook in CgroupHook.steering {
            let name = "link_\(hook.name)", program = try object.program("kmesh_\(hook.name)")
            guard let pinned = try current.open(name) else {
                // It had all of them from the start.
                let link = try BPFLink.attach(program: program, to: FileDescriptor.open(cgroup), hook: hook)
                try pins.pinStaged(link.descriptor, as: name)
                continue
            }
            let link = BPFLink(pinned)
            try link.update(to: program, at: hook.name)
            try pins.pinStaged(link.descriptor, as: name)
        }
        try BPFProgram.attach(
            try object.program("kmesh_sk_msg"), toSocketsOf: try object.map(KMESH_MAP_METADATA))
        try pins.commit()
        try current.removeAll()
    }

    private func fillEnrolled(of object: borrowing BPFObject) throws {
        let now = try BPFMap<EnrolledKey, EnrolledValue>(
            try Self.open(KMESH_MAP_ENROLLED, in: current), name: KMESH_MAP_ENROLLED)
        let then = try BPFMap<EnrolledKey, EnrolledThen>(
            try object.map(KMESH_MAP_ENROLLED), name: KMESH_MAP_ENROLLED)
        try then.upsert(
            now.contents().entries.map { MapEntry($0.key, EnrolledThen(address: $0.value.address)) })
    }

    static func open(_ name: String, in pins: PinDirectory) throws -> FileDescriptor {
        guard let file = try pins.open(name) else { throw Errno.noEntry }
        return file
    }

    /// The program in each pinned link, by the link's name.
    static func programs(of pins: PinDirectory) throws -> [String: UInt32] {
        var programs: [String: UInt32] = [:]
        for name in try pins.pinnedNames() where name.hasPrefix("link_") {
            programs[name] = try BPFLink(open(name, in: pins)).facts().programID
        }
        return programs
    }
}

/// `struct kmesh_enrolled` of layout 3.
private struct EnrolledThen: MapWords {
    var address: IPAddress

    static var wordCount: Int { 5 }
    static var isSealed: Bool { true }
    func append(to words: inout [UInt32]) { words += EndpointValue(address: address, port: 0).words }
}

extension EnrolledThen {
    init(words: ArraySlice<UInt32>) {
        address = EndpointValue(words: words).address
    }
}
