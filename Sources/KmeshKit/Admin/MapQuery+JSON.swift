/// The form of a query for maps in the admin protocol.
extension MapQuery {
    var members: [JSONValue.Member] {
        [.init("names", JSONValue(names)), .init("limit", JSONValue(limit))]
    }

    init(json reader: JSONObjectReader) throws(JSONShapeError) {
        try reader.allow(["request", "names", "limit"])
        self.init(try reader.strings("names"), limit: try reader.optionalInteger("limit"))
        guard limit.map({ $0 >= 0 }) ?? true else {
            throw JSONShapeError(path: "request.limit", problem: "wanted a number that is not negative")
        }
    }
}
