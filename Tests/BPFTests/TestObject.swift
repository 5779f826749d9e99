import BPFLoader
import CBPFTestObjects

@testable import KmeshKit

/// Opens an object of `bpf/tests`.
func testObject(_ name: String) throws -> BPFObject {
    guard let image = unsafe CBPFTestObjects_find(name) else { throw Errno.noEntry }
    return unsafe try BPFObject(named: name, bytes: image.pointee.bytes, size: Int(image.pointee.size))
}

/// A key or value of one word.
struct Word: MapWords, ExpressibleByIntegerLiteral {
    var value: UInt32

    static var wordCount: Int { 1 }
    func append(to words: inout [UInt32]) { words.append(value) }
}

extension Word {
    init(words: ArraySlice<UInt32>) {
        value = words[words.startIndex]
    }

    init(integerLiteral value: UInt32) {
        self.value = value
    }
}
