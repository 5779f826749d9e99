/// Whatever the bytes are: metadata ends in a verdict that more bytes do not change, and that stays inside.
import KmeshKit
import Testing

@testable import WaypointProxy

@Suite struct FuzzMetadataTests {
    @Test func records() {
        let seeds = [records4, records6([UInt8](repeating: 7, count: 16)), records4 + Array("GET /".utf8)]
        FuzzInput.run(5, seeds) { bytes, random in
            let whole = parseDestinationRecords(bytes.span)
            if case .complete(_, let consumed) = whole {
                #expect(consumed <= bytes.count && (consumed == 16 || consumed == 28), "\(bytes)")
            }
            let early = Array(bytes[..<Int.random(in: 0...bytes.count, using: &random)])
            let verdict = parseDestinationRecords(early.span)
            #expect(verdict == .needMore || verdict == whole, "\(bytes) \(early.count)")
            if bytes.count >= 28 { #expect(whole != .needMore) }
        }
    }

    @Test func proxyHeaders() {
        let seeds = [
            proxyV4, Array("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET /".utf8),
            Array("PROXY TCP6 ::1 ::2 1 2\r\n".utf8),
            Array("PROXY UNKNOWN\r\n".utf8), proxySignature + [0x20, 0, 0, 0],
            proxySignature + [0x21, 0x11, 0, 17] + proxyV4[16...] + [4, 0, 2, 0, 0],
        ]
        FuzzInput.run(6, seeds, dictionary: ["::", "PROXY ", " ", "\r\n", "65536"]) { bytes, random in
            let whole = parseProxyHeader(bytes.span)
            switch whole {
            case .complete(_, _, let consumed), .local(let consumed): #expect(consumed <= bytes.count)
            case .needMore: #expect(bytes.count < maximumProxyHeader)
            case .absent, .refused: break
            }
            let early = Array(bytes[..<Int.random(in: 0...bytes.count, using: &random)])
            let verdict = parseProxyHeader(early.span)
            #expect(verdict == .needMore || verdict == whole, "\(bytes) \(early.count)")
        }
    }

    @Test func packets() {
        let seeds = [
            syn(ourOption), syn([2, 4, 5, 180, 1] + ourShortOption, v6: true),
            syn(ourShortOption, v6: true, extensions: [6, 0, 0, 0, 0, 0, 0, 0], next: 60),
        ]
        var found = 0
        FuzzInput.run(7, seeds) { bytes, _ in
            switch parseSavedSYN(bytes.span) {
            case .destination, .shortForm: found += 1
            case .absent, .refused: break
            }
        }
        #expect(found > FuzzInput.iterations / 50)
    }

    @Test func sniffing() {
        let texts = [
            "GET / HTTP/1.1", "PRI * HTTP/2.0", "\r\nPOST http://a", "OPTIONS *", "CONNECT a:1", "EHLO h",
        ]
        FuzzInput.run(8, texts.map { Array($0.utf8) }, dictionary: ["https://", " /", " "]) { bytes, random in
            let whole = sniffProtocol(bytes.span)
            let early = Array(bytes[..<Int.random(in: 0...bytes.count, using: &random)])
            let verdict = sniffProtocol(early.span)
            #expect(verdict == .needMore || verdict == whole, "\(bytes) \(early.count)")
            if bytes.count >= maximumSniff { #expect(whole != .needMore, "\(bytes)") }
        }
    }
}
