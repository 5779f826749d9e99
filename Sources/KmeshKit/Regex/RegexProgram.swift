/// A pattern as instructions of a machine that is in several places at once. Its size is bounded, and so is
/// the work for each byte, whatever the pattern and the text.
struct RegexProgram: Sendable {
    enum Instruction: Sendable {
        /// Takes one byte of the set, and goes on with the next instruction.
        case bytes(set: Int)
        case split(Int, Int)
        case jump(Int)
        /// Goes on at the text's start only, or at its end only.
        case start, end
        case match
    }

    /// Instructions. Counted repetitions are written out.
    static let maximumSize = 4096

    private(set) var instructions: [Instruction] = []
    private(set) var sets: [ByteSet] = []
    private var numbers: [ByteSet: Int] = [:]
    /// Parts that were written out, also empty ones.
    private var written = 0

    init(_ pattern: String) throws(RegexError) {
        try emit(try RegexParser.parse(pattern))
        try append(.match)
        numbers = [:]
    }

    private mutating func append(_ instruction: Instruction) throws(RegexError) {
        guard instructions.count < Self.maximumSize else { throw tooLarge }
        instructions.append(instruction)
    }

    private var tooLarge: RegexError {
        RegexError(
            message: "the pattern is too large with its repetitions written out: at most \(Self.maximumSize)"
                + " steps",
            offset: 0)
    }

    private mutating func emit(_ node: RegexNode) throws(RegexError) {
        written += 1
        guard written <= 4 * Self.maximumSize else { throw tooLarge }
        switch node {
        case .empty: return
        case .bytes(let set):
            let number = numbers[set] ?? sets.count
            if number == sets.count {
                numbers[set] = number
                sets.append(set)
            }
            try append(.bytes(set: number))
        case .start: try append(.start)
        case .end: try append(.end)
        case .sequence(let parts):
            for part in parts { try emit(part) }
        case .choice(let branches): try emit(branches)
        case .repeated(let part, let least, let most):
            for _ in 0..<least { try emit(part) }
            try emit(part, upTo: most.map { $0 - least })
        }
    }

    private mutating func emit(_ branches: [RegexNode]) throws(RegexError) {
        var ends: [Int] = []
        for (index, branch) in branches.enumerated() {
            let split = instructions.count
            let isLast = index == branches.count - 1
            if !isLast { try append(.match) }
            try emit(branch)
            if isLast { break }
            ends.append(instructions.count)
            try append(.match)
            instructions[split] = .split(split + 1, instructions.count)
        }
        for end in ends { instructions[end] = .jump(instructions.count) }
    }

    /// The part as often as it likes, or up to so many times.
    private mutating func emit(_ part: RegexNode, upTo most: Int?) throws(RegexError) {
        guard let most else {
            let split = instructions.count
            try append(.match)
            try emit(part)
            try append(.jump(split))
            instructions[split] = .split(split + 1, instructions.count)
            return
        }
        var splits: [Int] = []
        for _ in 0..<most {
            splits.append(instructions.count)
            try append(.match)
            try emit(part)
        }
        for split in splits { instructions[split] = .split(split + 1, instructions.count) }
    }
}

/// The places where a program is, each once: found by following jumps, splits and what holds here.
struct RegexPlaces: Sendable {
    /// Instructions that take a byte, wait for the end, or match.
    private(set) var places: [Int32] = []
    private var seen: [UInt32]
    private var generation: UInt32 = 0
    private var stack: [Int32] = []
    /// Instructions looked at so far.
    private(set) var work = 0

    init(size: Int) { seen = Array(repeating: 0, count: size) }

    mutating func clear() {
        places.removeAll(keepingCapacity: true)
        generation &+= 1
        if generation == 0 {
            for index in seen.indices { seen[index] = 0 }
            generation = 1
        }
    }

    /// Adds what can be reached from `place` without taking a byte.
    mutating func add(_ place: Int, of program: RegexProgram, atStart: Bool, atEnd: Bool) {
        push(place)
        while let next = stack.popLast() {
            work += 1
            switch program.instructions[Int(next)] {
            case .jump(let target): push(target)
            case .split(let one, let other):
                push(other)
                push(one)
            case .start:
                if atStart { push(Int(next) + 1) }
            case .end:
                if atEnd { push(Int(next) + 1) } else { places.append(next) }
            case .bytes, .match: places.append(next)
            }
        }
    }

    private mutating func push(_ place: Int) {
        guard seen[place] != generation else { return }
        seen[place] = generation
        stack.append(Int32(place))
    }

    /// Whether the text may end here.
    mutating func accepts(_ program: RegexProgram, atStart: Bool) -> Bool {
        let waiting = places
        clear()
        var accepts = false
        for place in waiting {
            switch program.instructions[Int(place)] {
            case .match: accepts = true
            case .end: add(Int(place) + 1, of: program, atStart: atStart, atEnd: true)
            default: break
            }
        }
        if !accepts {
            accepts = places.contains { place in
                if case .match = program.instructions[Int(place)] { return true }
                return false
            }
        }
        return accepts
    }
}
