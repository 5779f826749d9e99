/// A pattern that whole texts are compared with, in time proportional to the text.
///
/// Texts are bytes: `.` takes one byte but a line feed, and case is ignored for ASCII only. Characters beyond
/// ASCII stand for their bytes in UTF-8.
public final class RegexMatcher: Sendable {
    private let program: RegexProgram
    private let table: RegexTable?

    public convenience init(_ pattern: String) throws(RegexError) {
        try self.init(pattern, maximumStates: 512, maximumWork: 200_000)
    }

    init(_ pattern: String, maximumStates: Int, maximumWork: Int) throws(RegexError) {
        program = try RegexProgram(pattern)
        table = RegexTable(program, maximumStates: maximumStates, maximumWork: maximumWork)
    }

    /// Looks whether a pattern is one, without compiling it in full.
    public static func check(_ pattern: String) throws(RegexError) { _ = try RegexProgram(pattern) }

    /// Whether a look into a table is all that a byte costs. Otherwise a match takes memory for its time.
    public var isTable: Bool { table != nil }

    var programSize: Int { program.instructions.count }

    public func matches(_ text: Span<UInt8>) -> Bool {
        var run = RegexRun(self)
        advance(&run, over: text, in: 0..<text.count)
        return accepts(&run)
    }

    /// Goes on with the bytes of `range`.
    public func advance(_ run: inout RegexRun, over text: Span<UInt8>, in range: Range<Int>) {
        guard let table else {
            for index in range { step(&run, text[index]) }
            return
        }
        var state = run.state
        for index in range {
            state = table.state(after: state, text[index])
            if state == RegexTable.dead { break }
        }
        run.state = state
    }

    /// Goes on with one byte.
    public func advance(_ run: inout RegexRun, _ byte: UInt8) {
        if let table {
            run.state = table.state(after: run.state, byte)
        } else {
            step(&run, byte)
        }
    }

    /// Whether the text may end here. The run is used up.
    public func accepts(_ run: inout RegexRun) -> Bool {
        if let table { return table.accepts(run.state) }
        return run.places?.accepts(program, atStart: run.isAtStart) ?? false
    }

    fileprivate func begin(_ run: inout RegexRun) {
        guard table == nil else { return }
        var places = RegexPlaces(size: program.instructions.count)
        places.clear()
        places.add(0, of: program, atStart: true, atEnd: false)
        run.places = places
        run.others = RegexPlaces(size: program.instructions.count)
    }

    private func step(_ run: inout RegexRun, _ byte: UInt8) {
        guard let current = run.places.take(), var next = run.others.take() else { return }
        run.isAtStart = false
        next.clear()
        for place in current.places {
            guard case .bytes(let set) = program.instructions[Int(place)], program.sets[set].contains(byte)
            else { continue }
            next.add(Int(place) + 1, of: program, atStart: false, atEnd: false)
        }
        run.places = next
        run.others = current
    }
}

/// How far a comparison has got. A text may be given in pieces.
public struct RegexRun {
    fileprivate var state = RegexTable.first
    fileprivate var isAtStart = true
    fileprivate var places: RegexPlaces?
    fileprivate var others: RegexPlaces?

    public init(_ matcher: RegexMatcher) { matcher.begin(&self) }

    /// Instructions looked at so far, without those of tables.
    var work: Int { (places?.work ?? 0) + (others?.work ?? 0) }
}
