/// A value that is not shaped as its reader needs it, with the path to it.
public struct JSONShapeError: Error, Hashable, Sendable, CustomStringConvertible {
    public let path: String
    public let problem: String

    public var description: String { "\(path): \(problem)" }
}

/// Reads members of an object by name and type; an error names the path.
public struct JSONObjectReader: Sendable {
    let path: String
    let value: JSONValue

    public init(_ value: JSONValue, path: String) throws(JSONShapeError) {
        guard case .object = value else {
            throw JSONShapeError(path: path, problem: "wanted an object, found \(value.kind)")
        }
        self.value = value
        self.path = path
    }

    private func wrong(_ name: String, _ wanted: String) -> JSONShapeError {
        let found = value[name].map { $0.kind } ?? "nothing"
        return JSONShapeError(path: "\(path).\(name)", problem: "wanted \(wanted), found \(found)")
    }

    public func string(_ name: String) throws(JSONShapeError) -> String {
        guard let text = value[name]?.string else { throw wrong(name, "a string") }
        return text
    }

    /// Absent and `null` are `nil`; another type is an error.
    public func optionalString(_ name: String) throws(JSONShapeError) -> String? {
        guard let member = value[name], member != .null else { return nil }
        guard let text = member.string else { throw wrong(name, "a string") }
        return text
    }

    public func bool(_ name: String) throws(JSONShapeError) -> Bool {
        guard let value = value[name]?.bool else { throw wrong(name, "a boolean") }
        return value
    }

    public func integer<Integer: FixedWidthInteger>(
        _ name: String, _ type: Integer.Type = Integer.self
    ) throws(JSONShapeError) -> Integer {
        guard let number = value[name]?.integer(type) else {
            throw wrong(name, "an integer from \(Integer.min) to \(Integer.max)")
        }
        return number
    }

    public func optionalInteger<Integer: FixedWidthInteger>(
        _ name: String, _ type: Integer.Type = Integer.self
    ) throws(JSONShapeError) -> Integer? {
        guard let member = value[name], member != .null else { return nil }
        return try integer(name, type)
    }

    public func strings(_ name: String) throws(JSONShapeError) -> [String] {
        let texts = value[name]?.array?.map(\.string) ?? [nil]
        guard !texts.contains(nil) else { throw wrong(name, "an array of strings") }
        return texts.compactMap { $0 }
    }

    public func address(_ name: String) throws(JSONShapeError) -> IPAddress {
        let text = try string(name)
        guard let address = IPAddress(text) else {
            throw JSONShapeError(path: "\(path).\(name)", problem: "\"\(text)\" is not an IP address")
        }
        return address
    }

    public func addresses(_ name: String) throws(JSONShapeError) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for text in try strings(name) {
            guard let address = IPAddress(text) else {
                throw JSONShapeError(path: "\(path).\(name)", problem: "\"\(text)\" is not an IP address")
            }
            addresses.append(address)
        }
        return addresses
    }

    /// Every element of the array `name`, as an object read by `read`.
    public func objects<Element>(
        _ name: String, _ read: (JSONObjectReader) throws(JSONShapeError) -> Element
    ) throws(JSONShapeError) -> [Element] {
        guard let values = value[name]?.array else { throw wrong(name, "an array") }
        var elements: [Element] = []
        elements.reserveCapacity(values.count)
        for (index, element) in values.enumerated() {
            elements.append(try read(JSONObjectReader(element, path: "\(path).\(name)[\(index)]")))
        }
        return elements
    }

    public func object(_ name: String) throws(JSONShapeError) -> JSONObjectReader {
        guard let member = value[name] else { throw wrong(name, "an object") }
        return try JSONObjectReader(member, path: "\(path).\(name)")
    }

    /// Every member, an integer each.
    public func integers<Integer: FixedWidthInteger>() throws(JSONShapeError) -> [String: Integer] {
        guard case .object(let members) = value else { return [:] }
        var integers: [String: Integer] = [:]
        for member in members { integers[member.name] = try integer(member.name) }
        return integers
    }

    public func contains(_ name: String) -> Bool { value[name] != nil && value[name] != .null }
}
