/// One client of the echo server: what it has sent in part, and what it has not taken yet.
internal import KmeshKit

final class EchoConnection {
    /// What one turn left to do.
    enum Turn {
        case waitForInput
        case waitForOutput
        case close
    }

    private enum Phase {
        case head
        /// So many bytes of a body are still to be read over.
        case body(Int)
        /// Nothing more is read; the connection ends when all output is gone.
        case ending
    }

    let socket: FileDescriptor
    private var phase = Phase.head
    /// Bytes of a head that is not whole yet; at most `EchoRequest.headLimit` and one buffer.
    private var pending: [UInt8] = []
    private var output: [UInt8] = []
    private var sent = 0
    /// The lines of every answer before and after that of the request.
    private let opening: [UInt8]
    private let closing: [UInt8]

    init(socket: consuming FileDescriptor, peer: SocketAddress, local: SocketAddress, identity: EchoIdentity)
    {
        self.socket = socket
        opening = Array("\(identity.lines)from: \(peer)\nrequest: ".utf8)
        closing = Array("\nat: \(local)\n".utf8)
    }

    var hasOutput: Bool { sent < output.count }

    /// Reads once and answers. `buffer` is shared by all connections of a server.
    func readable(_ buffer: inout [UInt8]) throws(Errno) -> Turn {
        let carried = pending.count
        if carried > 0 {
            buffer.replaceSubrange(0..<carried, with: pending)
            pending.removeAll(keepingCapacity: true)
        }
        let count: Int
        do throws(Errno) {
            count = try InternetSocket.receive(socket, into: &buffer, at: carried)
        } catch {
            guard error == .wouldBlock else { throw error }
            pending.append(contentsOf: buffer[..<carried])
            return .waitForInput
        }
        guard count > 0 else { return .close }
        answer(buffer, to: carried + count)
        return try writable()
    }

    /// Sends what is left.
    func writable() throws(Errno) -> Turn {
        while hasOutput {
            do throws(Errno) {
                sent += try InternetSocket.send(socket, output, from: sent)
            } catch {
                guard error == .wouldBlock else { throw error }
                return .waitForOutput
            }
        }
        output.removeAll(keepingCapacity: true)
        sent = 0
        if case .ending = phase { return .close }
        return .waitForInput
    }

    /// Takes requests out of the first `end` bytes of `buffer` and keeps what is not whole.
    private func answer(_ buffer: [UInt8], to end: Int) {
        var position = 0
        while position < end {
            switch phase {
            case .ending:
                return
            case .body(let left):
                let skipped = min(left, end - position)
                position += skipped
                phase = skipped < left ? .body(left - skipped) : .head
            case .head:
                switch EchoRequest.read(buffer, from: position, to: end) {
                case .incomplete:
                    pending.append(contentsOf: buffer[position..<end])
                    return
                case .refused(let status):
                    refuse(status)
                case .complete(let request):
                    position += request.headLength
                    write(request, buffer)
                }
            }
        }
    }

    private func write(_ request: EchoRequest, _ buffer: [UInt8]) {
        if request.expectsContinue, request.bodyLength > 0 { output.append(contentsOf: Text.goOn) }
        let length = opening.count + request.method.count + 1 + request.target.count + closing.count
        output.append(contentsOf: request.keepsAlive ? Text.okay : Text.okayAndClose)
        appendNumber(length)
        output.append(contentsOf: Text.headEnd)
        if !request.isHead {
            output.append(contentsOf: opening)
            // Method, blank and target are one stretch of the request.
            output.append(contentsOf: buffer[request.method.lowerBound..<request.target.upperBound])
            output.append(contentsOf: closing)
        }
        if !request.keepsAlive {
            phase = .ending
        } else if request.bodyLength > 0 {
            phase = .body(request.bodyLength)
        }
    }

    private func refuse(_ status: Int) {
        output += Array("HTTP/1.1 \(status) Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)
        phase = .ending
    }

    private func appendNumber(_ number: Int) {
        if number >= 10 { appendNumber(number / 10) }
        output.append(UInt8(0x30 + number % 10))
    }
}

/// Who answers.
struct EchoIdentity: Sendable {
    var pod: String
    var namespace: String

    var lines: String { "pod: \(pod)\nnamespace: \(namespace)\n" }
}

private enum Text {
    static let goOn = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
    static let okay = Array("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ".utf8)
    static let okayAndClose = Array(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: ".utf8)
    static let headEnd = Array("\r\n\r\n".utf8)
}
