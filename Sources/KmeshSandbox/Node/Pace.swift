/// Waiting that a signal can end.
internal import KmeshKit

/// The person at the terminal has changed their mind.
struct Interruption: Error, CustomStringConvertible {
    var description: String { "interrupted" }
}

struct Pace: Sendable {
    /// `nil`: signals do what they always do.
    let gate: SignalGate?

    /// Throws when a signal has come.
    func check() throws(Interruption) {
        if gate?.wait(milliseconds: 0) != nil { throw Interruption() }
    }

    func pause(milliseconds: Int) throws(Interruption) {
        guard let gate else {
            KmeshKit.pause(milliseconds: milliseconds)
            return
        }
        if gate.wait(milliseconds: milliseconds) != nil { throw Interruption() }
    }

    /// Asks until the answer is yes. False when it has not come within `seconds`.
    func wait(seconds: Double, every milliseconds: Int = 5, until isDone: () throws -> Bool) throws -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            if try isDone() { return true }
            guard ContinuousClock.now < end else { return false }
            try pause(milliseconds: milliseconds)
        }
    }
}
