/// What is known of the fields of one of Envoy's messages. Names are in lowerCamelCase.
struct MessageSchema: Sendable {
    /// How people call the message.
    let name: String
    /// That have a meaning here.
    let read: Set<String>
    /// That change nothing about where a connection goes.
    let harmless: Set<String>
    /// That would change it and that we do not support, each with the remedy.
    let refused: [String: String]

    init(
        _ name: String, read: Set<String>, harmless: Set<String> = [], refused: [String: String] = [:]
    ) {
        self.name = name
        self.read = read
        self.harmless = harmless
        self.refused = refused
    }

    var all: [String] { Array(read) + Array(harmless) + Array(refused.keys) }
}
