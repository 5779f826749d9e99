/// Remembers which workloads are enrolled in a file of the state directory, so that a restart finds them
/// again.
internal import CKmeshABI

public struct EnrollmentStore: Sendable {
    /// As many as the kernel's map of enrolled workloads holds.
    public static let defaultCapacity = KMESH_ENROLLED_MAX
    private static let formatVersion = 1
    /// Above what 4096 workloads take whose every text is as long as a request may make it.
    private static let fileLimit = 128 << 20

    public let path: String
    public let capacity: Int
    private var byID: [LocalWorkload.ID: LocalWorkload] = [:]

    /// Reads the file. One that cannot be understood is kept beside it as `….damaged`, and the store is
    /// empty; `damage` then says what was wrong.
    public static func open(
        stateDirectory: String, capacity: Int = defaultCapacity
    ) throws(EnrollmentError) -> (store: EnrollmentStore, damage: String?) {
        var store = EnrollmentStore(path: "\(stateDirectory)/enrolled.json", capacity: capacity)
        let bytes: [UInt8]
        do throws(Errno) {
            bytes = try Files.read(store.path, limit: fileLimit)
        } catch let error where error == .noEntry {
            return (store, nil)
        } catch {
            return (store, try store.setAside("cannot be read: \(error)"))
        }
        do {
            for workload in try parse(bytes) { store.byID[workload.id] = workload }
        } catch {
            return (EnrollmentStore(path: store.path, capacity: capacity), try store.setAside("\(error)"))
        }
        return (store, nil)
    }

    private init(path: String, capacity: Int) {
        self.path = path
        self.capacity = capacity
    }

    private static func parse(_ bytes: [UInt8]) throws -> [LocalWorkload] {
        let reader = try JSONObjectReader(JSONValue(parsing: bytes), path: "enrolled")
        let version = try reader.integer("version", Int.self)
        guard version == formatVersion else {
            throw JSONShapeError(
                path: "enrolled.version", problem: "wanted \(formatVersion), found \(version)")
        }
        return try reader.objects("workloads", LocalWorkload.init(json:))
    }

    /// Keeps the damaged file for people to look at; a later one replaces it, so that they cannot pile up.
    private func setAside(_ problem: String) throws(EnrollmentError) -> String {
        let copy = "\(path).damaged"
        do throws(Errno) {
            try Files.move(path, to: copy)
        } catch {
            throw .stateNotSaved(path: copy, errno: error)
        }
        return "\(path) is damaged (\(problem)); kept as \(copy), starting with no enrolled workload"
    }

    /// Sorted by pod.
    public var workloads: [LocalWorkload] {
        byID.values.sorted { ($0.pod, $0.id) < ($1.pod, $1.id) }
    }

    public var count: Int { byID.count }

    public subscript(_ id: LocalWorkload.ID) -> LocalWorkload? { byID[id] }

    /// The workload that lives in the namespace with this cookie.
    public func workload(inNamespace cookie: UInt64) -> LocalWorkload? {
        byID.values.first { $0.networkNamespace.cookie == cookie }
    }

    /// Every workload of the pod: more than one when a pod of that name was replaced and both are here.
    public func workloads(of pod: PodName) -> [LocalWorkload] {
        workloads.filter { $0.pod == pod }
    }

    /// Adds or replaces, on disk first.
    public mutating func insert(_ workload: LocalWorkload) throws(EnrollmentError) {
        guard byID[workload.id] != nil || byID.count < capacity else { throw .full(capacity: capacity) }
        var next = byID
        next[workload.id] = workload
        try save(next)
    }

    /// Removes what is there of `ids`, on disk first.
    public mutating func remove(_ ids: some Sequence<LocalWorkload.ID>) throws(EnrollmentError) {
        var next = byID
        for id in ids { next[id] = nil }
        guard next.count != byID.count else { return }
        try save(next)
    }

    private mutating func save(_ next: [LocalWorkload.ID: LocalWorkload]) throws(EnrollmentError) {
        let value: JSONValue = [
            "version": .integer(Int64(Self.formatVersion)),
            "workloads": .array(next.values.sorted { $0.id < $1.id }.map(\.json)),
        ]
        do throws(Errno) {
            try Files.replace(path, with: value.serialized(indentation: 1) + [UInt8(ascii: "\n")])
        } catch {
            throw .stateNotSaved(path: path, errno: error)
        }
        byID = next
    }
}
