/// The old process's part of a hot upgrade.
internal import KmeshKit
internal import Logging

final class HandoverServer: Sendable {
    /// What a hand-over does to the process.
    struct Actions: Sendable {
        /// Takes no more connections, and takes them again.
        var pause: @Sendable () -> Void
        var resume: @Sendable () -> Void
        /// Everything is the successor's.
        var finish: @Sendable () -> Void
    }

    /// Seconds for each message of a successor: it has read its configuration before it asks.
    private static let patience = 30

    private let listener: HandoverSocket.Listener
    private let wake: WakeDescriptor
    private let log = Logger(label: "upgrade")

    init(_ path: String) throws(Errno) {
        wake = try WakeDescriptor()
        listener = try HandoverSocket.Listener.open(path)
    }

    /// The file goes, unless a successor has put its own there.
    func close() { listener.remove() }

    /// Hands over to whoever asks, until the task is cancelled or a successor has taken over.
    func run(_ sockets: [SharedSockets], _ actions: Actions) async {
        await withTaskCancellationHandler {
            try? await DedicatedThread.run("kmesh-upgrade") { () throws(Errno) in
                try self.serve(sockets, actions)
            }
        } onCancel: {
            wake.wake()
        }
    }

    private func serve(_ sockets: [SharedSockets], _ actions: Actions) throws(Errno) {
        while true {
            let ready = try Poll.readable([listener.descriptor, wake.descriptor], timeout: nil)
            if ready.contains(wake.descriptor) { return }
            guard ready.contains(listener.descriptor) else { continue }
            do throws(Errno) {
                let successor = try listener.accept(timeout: Self.patience)
                if try handOver(to: successor, sockets, actions) { return }
            } catch {
                log.warning("a hand-over came to nothing: \(error)")
                // Out of descriptors: the listener stays ready.
                if error.isOutOfDescriptors { _ = try Poll.readable([wake.descriptor], timeout: .seconds(1)) }
            }
        }
    }

    /// Whether the successor has taken over.
    private func handOver(
        to successor: borrowing HandoverSocket, _ sockets: [SharedSockets], _ actions: Actions
    ) throws(Errno) -> Bool {
        guard let hello = try successor.receive() else { return false }
        closeDescriptors(hello.descriptors)
        guard UpgradeMessage(hello.text) == .hello else {
            try successor.send(UpgradeMessage.refused(reason: "another version is at work").text)
            return false
        }
        log.notice("a successor asks for the listeners")
        for shared in sockets {
            var rest = shared.sockets[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(HandoverSocket.descriptorLimit))
                try successor.send(UpgradeMessage.listener(key: shared.key).text, piece)
                rest = rest.dropFirst(piece.count)
            }
        }
        try successor.send(UpgradeMessage.end.text)
        guard try receives(.ready, from: successor) else {
            log.warning("the successor is gone before it was ready: nothing changes")
            return false
        }
        actions.pause()
        var isSettled = false
        do throws(Errno) {
            try successor.send(UpgradeMessage.yielded.text)
            isSettled = try receives(.settled, from: successor)
        } catch {
            log.warning("the successor does not answer: \(error)")
        }
        guard isSettled else {
            log.warning("the successor is gone: connections are accepted here again")
            actions.resume()
            return false
        }
        actions.finish()
        return true
    }

    private func receives(
        _ wanted: UpgradeMessage, from successor: borrowing HandoverSocket
    ) throws(Errno) -> Bool {
        guard let message = try successor.receive() else { return false }
        closeDescriptors(message.descriptors)
        return UpgradeMessage(message.text) == wanted
    }
}
