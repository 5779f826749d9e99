/// Everything that is wrong with a document, not only the first of it.
final class ProblemList {
    /// More are counted only: a document of another kind has one at each of its fields.
    private static let limit = 100

    private var texts: [String] = []
    private var omitted = 0

    var isEmpty: Bool { texts.isEmpty }

    func add(_ path: String, _ text: String) {
        guard texts.count < Self.limit else {
            omitted += 1
            return
        }
        texts.append(path.isEmpty ? text : "\(path): \(text)")
    }

    /// Each with its path and the remedy.
    var all: [String] { omitted == 0 ? texts : texts + ["and \(omitted) problems more"] }
}
