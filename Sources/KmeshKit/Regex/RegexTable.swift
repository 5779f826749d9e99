/// A program with all its states written out: a byte costs one look into a table. Few patterns have too many
/// states for it.
struct RegexTable: Sendable {
    static let dead: UInt16 = 0
    static let first: UInt16 = 1

    /// Which bytes are the same to the pattern.
    private let classes: [UInt8]
    private let classCount: Int
    private let next: [UInt16]
    private let accepting: [Bool]

    /// `nil` when there would be more states, or more work for them.
    init?(_ program: RegexProgram, maximumStates: Int, maximumWork: Int) {
        guard maximumStates > 2 else { return nil }
        var builder = RegexTableBuilder(program)
        guard builder.build(maximumStates: maximumStates, maximumWork: maximumWork) else { return nil }
        classes = builder.classes
        classCount = builder.representatives.count
        next = builder.next
        accepting = builder.accepting
    }

    @inline(__always)
    func state(after state: UInt16, _ byte: UInt8) -> UInt16 {
        next[Int(state) &* classCount &+ Int(classes[Int(byte)])]
    }

    func accepts(_ state: UInt16) -> Bool { accepting[Int(state)] }
}

private struct RegexTableBuilder {
    let program: RegexProgram
    private(set) var classes: [UInt8] = []
    /// One byte of each class.
    private(set) var representatives: [UInt8] = []
    private(set) var next: [UInt16] = []
    private(set) var accepting: [Bool] = []
    private var states: [[Int32]] = []
    private var numbers: [[Int32]: UInt16] = [:]

    init(_ program: RegexProgram) {
        self.program = program
        var known: [[Bool]: UInt8] = [:]
        for byte in UInt8.min...UInt8.max {
            let signature = program.sets.map { $0.contains(byte) }
            if known[signature] == nil {
                known[signature] = UInt8(representatives.count)
                representatives.append(byte)
            }
            classes.append(known[signature] ?? 0)
        }
    }

    mutating func build(maximumStates: Int, maximumWork: Int) -> Bool {
        var places = RegexPlaces(size: program.instructions.count)
        var scratch = RegexPlaces(size: program.instructions.count)
        append([], accepts: false)
        numbers[[]] = RegexTable.dead
        places.clear()
        places.add(0, of: program, atStart: true, atEnd: false)
        // The first state is nobody's target: only there it is the text's start.
        let first = places.places.sorted()
        append(first, accepts: places.accepts(program, atStart: true))
        var index = 1
        while index < states.count {
            for (number, byte) in representatives.enumerated() {
                scratch.clear()
                for place in states[index] {
                    guard case .bytes(let set) = program.instructions[Int(place)],
                        program.sets[set].contains(byte)
                    else { continue }
                    scratch.add(Int(place) + 1, of: program, atStart: false, atEnd: false)
                }
                let target = scratch.places.sorted()
                if numbers[target] == nil {
                    guard states.count < maximumStates else { return false }
                    numbers[target] = UInt16(states.count)
                    append(target, accepts: scratch.accepts(program, atStart: false))
                }
                next[index * representatives.count + number] = numbers[target] ?? RegexTable.dead
            }
            guard places.work + scratch.work <= maximumWork else { return false }
            index += 1
        }
        return true
    }

    private mutating func append(_ places: [Int32], accepts: Bool) {
        states.append(places)
        accepting.append(accepts)
        next += Array(repeating: RegexTable.dead, count: representatives.count)
    }
}
