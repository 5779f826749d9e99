/// Asks the daemon on this node. Blocks; for programs that people start.
public struct AdminClient: Sendable {
    public static let defaultPath = "/run/kmesh/kmesh.sock"

    public let path: String
    /// Seconds that the daemon may stay silent.
    public let timeout: Int

    public init(path: String = defaultPath, timeout: Int = 120) {
        self.path = path
        self.timeout = timeout
    }

    /// The answer, and the JSON text that it came as. An answer that says why not is an answer too.
    public func ask(_ request: AdminRequest) throws(AdminError) -> (response: AdminResponse, json: JSONValue)
    {
        let socket = try connect()
        let body = try exchange(AdminFrame.encode(request.json.serialized()), socket)
        do {
            let json = try JSONValue(parsing: body)
            return (try AdminResponse(json: json), json)
        } catch {
            throw .unreadableAnswer(path: path, problem: "\(error)")
        }
    }

    private func connect() throws(AdminError) -> FileDescriptor {
        do throws(Errno) {
            return try UnixSocket.connect(path, timeout: timeout)
        } catch let error where error == .noEntry || error == .connectionRefused {
            throw .notRunning(path: path)
        } catch let error where error == .accessDenied || error == .notPermitted {
            // A socket in a directory that may not be searched has no group that could be named.
            let group = (try? FileStatus(path: path).groupID).map(FileStatus.groupName) ?? "root"
            throw .notPermitted(path: path, group: group)
        } catch {
            throw .cannotConnect(path: path, errno: error)
        }
    }

    private func exchange(_ frame: [UInt8], _ socket: borrowing FileDescriptor) throws(AdminError) -> [UInt8]
    {
        do throws(Errno) {
            var sent = 0
            while sent < frame.count { sent += try UnixSocket.send(frame, from: sent, to: socket) }
        } catch let error where error == .wouldBlock {
            throw .timedOut(path: path)
        } catch {
            // A refusal is sent without reading the request: the answer is there to be read.
        }
        do throws(Errno) {
            guard let body = try receive(socket) else { throw Errno.brokenPipe }
            return body
        } catch let error where error == .wouldBlock {
            throw .timedOut(path: path)
        } catch let error where error == .messageTooLong {
            let limit = AdminFrame.responseLimit
            throw .unreadableAnswer(path: path, problem: "an answer of more than \(limit) bytes")
        } catch {
            throw .connectionLost(path: path)
        }
    }

    /// The body of the answer; `nil` when the connection ends before it does.
    private func receive(_ socket: borrowing FileDescriptor) throws(Errno) -> [UInt8]? {
        var reader = AdminFrameReader(limit: AdminFrame.responseLimit)
        while true {
            let piece = try socket.read(upTo: min(reader.missing, 1 << 20))
            guard !piece.isEmpty else { return nil }
            switch reader.received(piece) {
            case .incomplete: continue
            case .complete(let body): return body
            case .tooLarge: throw .messageTooLong
            }
        }
    }
}
