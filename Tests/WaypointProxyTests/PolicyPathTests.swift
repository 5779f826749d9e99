// The form of paths that policies are compared with.
import KmeshKit
import Testing

@testable import WaypointProxy

/// The form, and what decoding alone makes of the path; `nil` where it is said to be its own form.
private func forms(_ path: String) -> (form: String, decoded: String, isCrooked: Bool)? {
    let bytes = Array(path.utf8)
    guard PolicyPath.needsForm(bytes.span, bytes.indices) else { return nil }
    var writer = ByteWriter(capacity: bytes.count + 1)
    let isCrooked = PolicyPath.resolve(bytes.span, bytes.indices, into: &writer)
    let form = writer.read { text in text.indices.map { text[$0] } }
    PolicyPath.decode(bytes.span, bytes.indices, into: &writer)
    let decoded = writer.read { text in text.indices.map { text[$0] } }
    return (String(decoding: form, as: UTF8.self), String(decoding: decoded, as: UTF8.self), isCrooked)
}

private func form(_ path: String) -> String { forms(path)?.form ?? path }

/// By splitting, as one would do it by hand.
private func expectedForm(_ path: String) -> String {
    let decoded = expectedDecoding(path)
    let segments = decoded.split(separator: "/", omittingEmptySubsequences: false).flatMap {
        $0.split(separator: "\\", omittingEmptySubsequences: false)
    }
    var kept: [Substring] = []
    for (place, segment) in segments.dropFirst().enumerated() {
        let isLast = place == segments.count - 2
        switch segment {
        case ".": if isLast { kept.append("") }
        case "..":
            _ = kept.popLast()
            if isLast { kept.append("") }
        default: kept.append(segment)
        }
    }
    return "/" + kept.joined(separator: "/")
}

private func expectedDecoding(_ path: String) -> String {
    var result = ""
    var rest = Substring(path)
    let plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
    while let first = rest.first {
        let digits = rest.dropFirst().prefix(2)
        if first == "%", digits.count == 2, digits.allSatisfy(\.isHexDigit),
            let code = UInt8(digits, radix: 16), plain.utf8.contains(code)
        {
            result.unicodeScalars.append(Unicode.Scalar(code))
            rest = rest.dropFirst(3)
        } else {
            result.append(first)
            rest = rest.dropFirst()
        }
    }
    return result
}

@Suite struct FuzzPolicyPathTests {
    /// Istio's own expectations of its form `BASE`.
    @Test(arguments: [
        ("/", "/"), ("/app/", "/app/"), ("/app/../admin", "/admin"), ("/app//", "/app//"),
        ("/app/%2f", "/app/%2f"), ("/app%2f/", "/app%2f/"), ("/xyz%30..//abc", "/xyz0..//abc"),
        ("/app/%2E./admin", "/admin"), ("/app\\admin", "/app/admin"),
        ("/app/\\/\\/\\admin", "/app//////admin"), ("/%2Fapp%5cadmin%5Cabc", "/%2Fapp%5cadmin%5Cabc"),
        ("/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc", "/%5Capp%2f%5c%2F..%2fadmin%5c/abc"),
        ("/app//../admin", "/app/admin"), ("/app//../../admin", "/admin"), ("/.../admin", "/.../admin"),
        ("/..;/admin", "/..;/admin"), ("/admin;a=b", "/admin;a=b"),
        ("/%252e%252e/admin", "/%252e%252e/admin"),
        ("/%c0%ae%c0%ae/admin", "/%c0%ae%c0%ae/admin"), ("/%7e%7E%5f%2D", "/~~_-"), ("/Admin", "/Admin"),
    ])
    func formsAreThoseOfIstio(path: String, expected: String) { #expect(form(path) == expected) }

    @Test(arguments: [
        ("/..", "/"), ("/.", "/"), ("/a/..", "/"), ("/a/b/..", "/a/"), ("/a/.", "/a/"), ("/../../a", "/a"),
        ("/.a", "/.a"), ("/a.", "/a."), ("/..a/", "/..a/"), ("/%", "/%"), ("/%2", "/%2"), ("/%zz", "/%zz"),
        ("*", "*"), ("/%2e", "/"), ("/a\\..", "/"), ("/a%00b", "/a%00b"),
    ])
    func edges(path: String, expected: String) { #expect(form(path) == expected) }

    @Test func whatServersMayReadInTwoWaysIsTold() {
        #expect(forms("/a/b") == nil)
        #expect(forms("/%61")?.isCrooked == false)
        #expect(forms("/.well-known/x")?.isCrooked == false)
        for path in ["/a/../b", "/a/./b", "/a\\b", "/%2e%2e/b", "/a/.."] {
            #expect(forms(path)?.isCrooked == true, "\(path)")
        }
        #expect(forms("/admin/%2e%2E/%61")?.decoded == "/admin/../a")
    }

    @Test func anyPathHasTheFormThatSplittingGives() {
        let seeds = ["/a/../b/./c", "/%2e%2E/%61%2f//", "\\..\\a/.\\..", "/.well/..x/%", "/a//../../b/.."]
            .map { Array($0.utf8) }
        var crooked = 0
        FuzzInput.run(11, seeds, dictionary: ["/", "..", ".", "%2e", "%2E", "\\", "%5c", "/../"]) {
            bytes, _ in
            let ascii = bytes.filter { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "?") }
            let path = "/" + String(decoding: ascii, as: UTF8.self)
            #expect(form(path) == expectedForm(path), "\(path)")
            guard let found = forms(path) else { return }
            #expect(found.decoded == expectedDecoding(path), "\(path)")
            // Only paths that are resolved have two readings.
            if !found.isCrooked { #expect(found.form == found.decoded, "\(path)") }
            crooked += found.isCrooked ? 1 : 0
        }
        #expect(crooked > FuzzInput.iterations / 4)
    }
}
