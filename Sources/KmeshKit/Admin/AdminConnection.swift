/// One client of the admin socket, on the server's thread. Sends and receives only what does not block.
final class AdminConnection {
    enum State {
        case reading(AdminFrameReader)
        /// The handler works on the request.
        case waiting
        case writing([UInt8], sent: Int)
    }

    enum Outcome {
        case goesOn
        case request([UInt8])
        case tooLarge(Int)
        /// The client left before its request was whole, or read all of its answer.
        case ended(cutShort: Bool)
    }

    let descriptor: FileDescriptor
    private(set) var state: State = .reading(AdminFrameReader(limit: AdminFrame.requestLimit))
    /// When the connection is ended whatever it does.
    private(set) var deadline: ContinuousClock.Instant

    init(_ descriptor: consuming FileDescriptor, deadline: ContinuousClock.Instant) {
        self.descriptor = descriptor
        self.deadline = deadline
    }

    var isReading: Bool {
        switch state {
        case .reading: true
        case .waiting, .writing: false
        }
    }

    var pollEntry: PollEntry {
        switch state {
        case .reading: PollEntry(descriptor, readable: true)
        case .waiting: PollEntry(descriptor)
        case .writing: PollEntry(descriptor, writable: true)
        }
    }

    func startWaiting(until deadline: ContinuousClock.Instant) {
        state = .waiting
        self.deadline = deadline
    }

    func startWriting(_ frame: [UInt8]) {
        state = .writing(frame, sent: 0)
    }

    /// Does what the state asks for, as far as it goes now.
    func advance(_ entry: PollEntry) -> Outcome {
        switch state {
        case .reading(let reader): entry.isReady ? receive(reader) : .goesOn
        case .waiting: entry.isHungUp ? .ended(cutShort: false) : .goesOn
        case .writing(let frame, let sent): entry.isReady ? send(frame, from: sent) : .goesOn
        }
    }

    private func receive(_ reader: AdminFrameReader) -> Outcome {
        var reader = reader
        // One piece each time, so that a fast sender does not keep the others waiting.
        state = .waiting
        do throws(Errno) {
            let piece = try descriptor.read(upTo: min(reader.missing, 65536))
            guard !piece.isEmpty else { return .ended(cutShort: true) }
            switch reader.received(piece) {
            case .incomplete:
                state = .reading(reader)
                return .goesOn
            case .complete(let body): return .request(body)
            case .tooLarge(let size): return .tooLarge(size)
            }
        } catch let error where error == .wouldBlock {
            state = .reading(reader)
            return .goesOn
        } catch {
            return .ended(cutShort: true)
        }
    }

    private func send(_ frame: [UInt8], from sent: Int) -> Outcome {
        do throws(Errno) {
            let sent = sent + (try UnixSocket.send(frame, from: sent, to: descriptor))
            state = .writing(frame, sent: sent)
            return sent == frame.count ? .ended(cutShort: false) : .goesOn
        } catch let error where error == .wouldBlock {
            return .goesOn
        } catch {
            return .ended(cutShort: false)
        }
    }
}
