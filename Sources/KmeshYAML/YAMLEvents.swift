// libyaml's event parser behind a safe face: bytes in, one event at a time out.
internal import CLibYAML
internal import Glibc

struct YAMLEvent {
    enum Kind {
        case documentStart, documentEnd, streamEnd
        case mappingStart, mappingEnd
        case sequenceStart, sequenceEnd
        case scalar(String, isPlain: Bool)
        case alias(String)
    }

    var kind: Kind
    var line: Int
    var anchor: String?
}

/// Where the bytes come from. libyaml calls `yamlInputRead` with a pointer to this object.
private final class YAMLInput {
    private let descriptor: Int32
    private let bytes: [UInt8]
    private var position = 0
    private let stepLimit: Int
    /// Bytes handed out since the last event.
    var step = 0
    var failure: String?
    /// The last byte that was handed out.
    private(set) var lastByte: UInt8?

    init(descriptor: Int32, bytes: [UInt8], stepLimit: Int) {
        self.descriptor = descriptor
        self.bytes = bytes
        self.stepLimit = stepLimit
    }

    /// Fills `buffer`; 0 at the end, `nil` on failure.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let count: Int
        if descriptor >= 0 {
            guard let read = unsafe readDescriptor(into: buffer) else { return nil }
            count = read
        } else {
            count = min(buffer.count, bytes.count - position)
            unsafe buffer.copyBytes(from: bytes[position..<(position + count)])
            position += count
        }
        guard count > 0 else { return 0 }
        lastByte = unsafe buffer[count - 1]
        step += count
        guard step <= stepLimit else {
            failure = "more than \(stepLimit) bytes without a new value"
            return nil
        }
        return count
    }

    private func readDescriptor(into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        while true {
            let count = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            let code = errno
            if code == EINTR { continue }
            failure = "cannot read: \(unsafe String(cString: strerror(code)))"
            return nil
        }
    }
}

private func yamlInputRead(
    _ input: UnsafeMutableRawPointer?, _ buffer: UnsafeMutablePointer<UInt8>?, _ size: Int,
    _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
    guard let input = unsafe input, let count = unsafe count else { return 0 }
    let source = unsafe Unmanaged<YAMLInput>.fromOpaque(input).takeUnretainedValue()
    let room = unsafe UnsafeMutableRawBufferPointer(start: buffer, count: size)
    guard let read = unsafe source.read(into: room) else { return 0 }
    unsafe count.pointee = read
    return 1
}

/// Owns one `yaml_parser_t`. After an error or the stream's end it must not be asked again.
@safe final class YAMLEventParser {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    /// Kept alive here, as libyaml holds an unretained pointer to it.
    private let input: YAMLInput

    /// `descriptor` is borrowed; a negative one means that `bytes` are the text.
    init(descriptor: Int32, bytes: [UInt8], limits: YAMLLimits) {
        input = YAMLInput(descriptor: descriptor, bytes: bytes, stepLimit: limits.stepBytes)
        unsafe parser = .allocate(capacity: 1)
        unsafe parser.initialize(to: yaml_parser_t())
        guard unsafe yaml_parser_initialize(parser) == 1 else { preconditionFailure("out of memory") }
        unsafe yaml_parser_set_input(parser, yamlInputRead, Unmanaged.passUnretained(input).toOpaque())
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
    }

    var lastByte: UInt8? { input.lastByte }

    func next() throws(YAMLError) -> YAMLEvent {
        while true {
            var event = unsafe yaml_event_t()
            guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw failure() }
            defer { unsafe yaml_event_delete(&event) }
            input.step = 0
            if let translated = unsafe try translate(event) { return translated }
        }
    }

    /// `nil` for the stream's start.
    private func translate(_ event: yaml_event_t) throws(YAMLError) -> YAMLEvent? {
        let line = unsafe Int(event.start_mark.line) + 1
        switch unsafe event.type {
        case YAML_DOCUMENT_START_EVENT: return YAMLEvent(kind: .documentStart, line: line)
        case YAML_DOCUMENT_END_EVENT: return YAMLEvent(kind: .documentEnd, line: line)
        case YAML_STREAM_END_EVENT: return YAMLEvent(kind: .streamEnd, line: line)
        case YAML_MAPPING_END_EVENT: return YAMLEvent(kind: .mappingEnd, line: line)
        case YAML_SEQUENCE_END_EVENT: return YAMLEvent(kind: .sequenceEnd, line: line)
        case YAML_MAPPING_START_EVENT:
            let start = unsafe event.data.mapping_start
            unsafe try checkTag(start.tag, line: line)
            return unsafe YAMLEvent(kind: .mappingStart, line: line, anchor: text(start.anchor))
        case YAML_SEQUENCE_START_EVENT:
            let start = unsafe event.data.sequence_start
            unsafe try checkTag(start.tag, line: line)
            return unsafe YAMLEvent(kind: .sequenceStart, line: line, anchor: text(start.anchor))
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            unsafe try checkTag(scalar.tag, line: line)
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            // `!!str 80` is a string, as if it were quoted.
            let isPlain =
                unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
                && (scalar.tag == nil || text(scalar.tag) != "tag:yaml.org,2002:str")
            let value = unsafe String(decoding: bytes, as: UTF8.self)
            let anchor = unsafe text(scalar.anchor)
            return YAMLEvent(kind: .scalar(value, isPlain: isPlain), line: line, anchor: anchor)
        case YAML_ALIAS_EVENT:
            return unsafe YAMLEvent(kind: .alias(text(event.data.alias.anchor) ?? ""), line: line)
        default: return nil
        }
    }

    private func checkTag(_ tag: UnsafeMutablePointer<yaml_char_t>?, line: Int) throws(YAMLError) {
        guard let tag = unsafe text(tag) else { return }
        let known = ["str", "int", "bool", "null", "float", "map", "seq"]
        guard !known.contains(where: { tag == "tag:yaml.org,2002:\($0)" }), tag != "!" else { return }
        throw YAMLError(line: line, message: "the tag \(tag) is not supported: remove it")
    }

    private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        guard let pointer = unsafe pointer else { return nil }
        return unsafe String(cString: pointer)
    }

    private func failure() -> YAMLError {
        if let failure = input.failure {
            return unsafe YAMLError(line: Int(parser.pointee.mark.line) + 1, message: failure)
        }
        let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "out of memory"
        let around = unsafe parser.pointee.context.map { unsafe ", \(String(cString: $0))" } ?? ""
        // A reader error has an offset and no mark; the parser stands near it.
        let mark =
            unsafe parser.pointee.error == YAML_READER_ERROR
            ? parser.pointee.mark : parser.pointee.problem_mark
        var message = "not YAML: \(problem)\(around)"
        if problem.contains("Unicode character escape") {
            message += "; a \\uD800…\\uDFFF pair is not read: write the character itself"
        }
        return YAMLError(line: Int(mark.line) + 1, message: message)
    }
}
