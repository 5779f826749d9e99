/// Pods that came while no daemon ran: requests that the next one takes up at its start, a file for each pod.
internal import CKmeshABI

public struct WaitingEnrollments: Sendable {
    /// What a file says; `nil` when it cannot be understood.
    public struct Item: Sendable {
        public let path: String
        public let request: EnrollmentRequest?
    }

    /// More could not be enrolled.
    private static let limit = Int(KMESH_ENROLLED_MAX)
    /// Above what a request takes whose every text is as long as it may be.
    private static let fileLimit = 32 << 10

    private let directory: String

    public init(stateDirectory: String) { directory = "\(stateDirectory)/waiting" }

    /// Notes a request, in the place of an earlier one for a pod of that name. Returns its file.
    public func add(_ request: EnrollmentRequest) throws(EnrollmentError) -> String {
        try request.checkBounds()
        // No name of Kubernetes has an underscore.
        let path = "\(directory)/\(request.pod.namespace)_\(request.pod.name).json"
        do throws(Errno) {
            try Files.makeDirectories(directory, mode: 0o700)
            guard try Files.list(directory).count < Self.limit else { throw .busy }
            try Files.replace(path, with: AdminRequest.enroll(request).json.serialized())
        } catch {
            throw .stateNotSaved(path: path, errno: error)
        }
        return path
    }

    /// All that wait, by their files' names.
    public var items: [Item] {
        let names = (try? Files.list(directory)) ?? []
        return names.filter { $0.hasSuffix(".json") }.sorted().prefix(Self.limit).map { name in
            let path = "\(directory)/\(name)"
            let bytes = (try? Files.read(path, limit: Self.fileLimit)) ?? []
            guard let value = try? JSONValue(parsing: bytes),
                case .enroll(let request)? = try? AdminRequest(json: value)
            else { return Item(path: path, request: nil) }
            return Item(path: path, request: request)
        }
    }

    /// One that is not there is fine.
    public static func remove(_ path: String) { try? Files.remove(path) }

    public func removeAll() {
        for name in (try? Files.list(directory)) ?? [] { Self.remove("\(directory)/\(name)") }
        try? Files.removeDirectory(directory)
    }
}
