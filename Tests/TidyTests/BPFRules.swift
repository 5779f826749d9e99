/// What holds for the BPF programs, their maps and the header that they share with Swift.

import Testing

/// The kernel's limit, BPF_OBJ_NAME_LEN less the final zero.
let maximumMapName = 15

/// `#define KMESH_MAP_… "name"`: short enough, and each name once.
func badMapNames(_ file: SourceFile) -> [Violation] {
    var seen: Set<String> = []
    return file.numberedLines.flatMap { number, text -> [Violation] in
        let words = text.split(separator: " ")
        guard words.count >= 3, words[0] == "#define", words[1].hasPrefix("KMESH_MAP_") else { return [] }
        let name = String(words[2].drop { $0 == "\"" }.prefix { $0 != "\"" })
        return mapNameViolations(name, file, number)
            + (seen.insert(name).inserted ? [] : [file.violation(line: number, "\(name) is taken")])
    }
}

/// `} name SEC(".maps")`: short enough, and, unless a test's, named in names.h where Swift finds it.
func badMapDeclarations(_ file: SourceFile, names: SourceFile?) -> [Violation] {
    file.numberedLines.flatMap { number, text -> [Violation] in
        let words = text.split(separator: " ")
        guard words.count >= 3, words[0] == "}", words[2].hasPrefix("SEC(\".maps\"") else { return [] }
        let name = String(words[1])
        let isNamed = file.isIn("bpf/tests/") || names?.text.contains("\"\(name)\"") != false
        return mapNameViolations(name, file, number)
            + (isNamed ? [] : [file.violation(line: number, "map \(name) is missing in names.h")])
    }
}

private func mapNameViolations(_ name: String, _ file: SourceFile, _ line: Int) -> [Violation] {
    guard name.utf8.count > maximumMapName else { return [] }
    return [
        file.violation(
            line: line, "map \(name) has more than \(maximumMapName) characters: the kernel cuts it")
    ]
}

/// The plugin compiles every `.bpf.c` to an object of its name, of which embed.sh makes a C identifier.
func badPrograms(_ files: [SourceFile]) -> [Violation] {
    var owners: [String: String] = [:]
    return files.filter { $0.isIn("bpf/") && $0.path.hasSuffix(".c") }.flatMap { file -> [Violation] in
        guard file.name.hasSuffix(".bpf.c") else {
            return [file.violation(line: 1, "nothing compiles it: name it .bpf.c, or make it a header")]
        }
        let name = String(file.name.dropLast(".bpf.c".count))
        let isIdentifier = name.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "_") || Character(UnicodeScalar(byte)).isLetter
                || Character(UnicodeScalar(byte)).isNumber
        }
        if !isIdentifier {
            return [file.violation(line: 1, "\(name) is no C identifier: use letters, digits, _")]
        }
        // The tests' programs are a target of their own.
        let object = file.isIn("bpf/tests/") ? "tests/\(name)" : name
        if let owner = owners[object] { return [file.violation(line: 1, "has the object name of \(owner)")] }
        owners[object] = file.path
        return []
    }
}

let kernelLicence = "SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)"

/// The line is among the first three: a script's first line is its interpreter.
func missingLicence(_ file: SourceFile) -> [Violation] {
    guard !file.lines.prefix(3).contains(where: { $0.contains(kernelLicence) }) else { return [] }
    return [file.violation(line: 1, "no line \"\(kernelLicence)\"")]
}

/// `KMESH_REASON_… = number`: explicit, unique and below KMESH_REASON_MAX, which sizes the counters.
func badReasons(_ file: SourceFile) -> [Violation] {
    var violations: [Violation] = []
    var owners: [Int: String] = [:]
    let tokens = file.tokens
    for (index, token) in tokens.enumerated() where token.text.hasPrefix("KMESH_REASON_") {
        guard tokens.text(at: index + 1) == "=", let number = tokens.text(at: index + 2).flatMap({ Int($0) })
        else {
            violations.append(file.violation(line: token.line, "\(token.text) has no number of its own"))
            continue
        }
        if let owner = owners[number] {
            violations.append(file.violation(line: token.line, "\(token.text) has the number of \(owner)"))
        }
        owners[number] = token.text
        if token.text == "KMESH_REASON_MAX", owners.keys.contains(where: { $0 > number }) {
            violations.append(file.violation(line: token.line, "KMESH_REASON_MAX is not above every reason"))
        }
    }
    return violations
}

@Suite struct BPFRuleTests {
    private let namesPath = "bpf/include/kmesh/abi/names.h"
    private let reasonsPath = "bpf/include/kmesh/abi/reasons.h"

    @Test func mapNamesFit() throws {
        let names = try #require(SourceTree.current.get().file(namesPath))
        try check(.mapName, over: { $0.path == namesPath }, by: badMapNames)
        try check(
            .mapName, over: { $0.isC && $0.isIn("bpf/") }, by: { badMapDeclarations($0, names: names) })
        let bad = """
            #define KMESH_MAP_A "km_fifteen_char"
            #define KMESH_MAP_B "km_sixteen_chars"
            #define KMESH_MAP_C "km_fifteen_char"

            """
        #expect(badMapNames(SourceFile(namesPath, bad)).map(\.line) == [2, 3])
    }

    @Test func declaredMapsAreNamed() {
        let names = SourceFile(namesPath, "#define KMESH_MAP_A \"km_a\"\n")
        let text = "} km_a SEC(\".maps\");\n} km_b SEC(\".maps\");\n"
        #expect(badMapDeclarations(SourceFile("bpf/lib/a.h", text), names: names).map(\.line) == [2])
        #expect(badMapDeclarations(SourceFile("bpf/tests/a.bpf.c", text), names: names).isEmpty)
    }

    @Test func everyProgramIsCompiled() throws {
        report(.objectName, badPrograms(try SourceTree.current.get().files))
        let paths = [
            "bpf/a/x.bpf.c", "bpf/b/x.bpf.c", "bpf/lib/y.c", "bpf/a/z-1.bpf.c", "bpf/tests/x.bpf.c",
            "Sources/a.c",
        ]
        let found = badPrograms(paths.map { SourceFile($0, "") }).map(\.path)
        #expect(found == ["bpf/b/x.bpf.c", "bpf/lib/y.c", "bpf/a/z-1.bpf.c"])
    }

    @Test func kernelCodeNamesItsLicence() throws {
        try check(.licence, over: { $0.isIn(["bpf/", "kmod/"]) }, by: missingLicence)
        #expect(missingLicence(SourceFile("bpf/a.h", "/* \(kernelLicence) */\n")).isEmpty)
        #expect(missingLicence(SourceFile("bpf/a.h", "/* SPDX-License-Identifier: GPL-2.0 */\n")).count == 1)
    }

    @Test func reasonsHaveNumbersOfTheirOwn() throws {
        #expect(try SourceTree.current.get().file(reasonsPath) != nil)
        try check(.reasonNumber, over: { $0.path == reasonsPath }, by: badReasons)
        let bad = """
            enum kmesh_reason {
                KMESH_REASON_A = 0,
                KMESH_REASON_B = 0,
                KMESH_REASON_C,
                KMESH_REASON_D = 9, /* KMESH_REASON_E */
                KMESH_REASON_MAX = 8,
            };

            """
        #expect(badReasons(SourceFile(reasonsPath, bad)).map(\.line) == [3, 4, 6])
    }
}
