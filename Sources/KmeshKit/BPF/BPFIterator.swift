/// A program that the kernel runs for each element of a map when somebody reads, and what it writes.
internal import CLinux

public struct BPFIterator: ~Copyable, Sendable {
    private let link: FileDescriptor
    private let name: String

    /// - Parameter name: the program's, for errors.
    public init(
        program: borrowing FileDescriptor, over map: borrowing FileDescriptor, name: String
    ) throws(BPFError) {
        let result = kmesh_bpf_iterator_link(program.number, map.number)
        guard result >= 0 else { throw .failed("attach the iterator \(name)", Errno(-result)) }
        link = FileDescriptor(owning: result)
        self.name = name
    }

    /// Walks the map once, and hands out what the program wrote, in pieces of `size` bytes.
    public func walk(recordSize size: Int, _ body: (Span<UInt8>) -> Void) throws(BPFError) {
        let result = kmesh_bpf_iterator_start(link.number)
        guard result >= 0 else { throw .failed("start the iterator \(name)", Errno(-result)) }
        let file = FileDescriptor(owning: result)
        var rest: [UInt8] = []
        while true {
            let chunk: [UInt8]
            do throws(Errno) {
                chunk = try file.read(upTo: 512 * size)
            } catch {
                // The kernel asks to come again after a while in which it found nothing to write.
                if error == .wouldBlock || error == .interrupted { continue }
                throw .failed("read from the iterator \(name)", error)
            }
            guard !chunk.isEmpty else { return }
            let whole = rest + chunk
            var start = 0
            while start + size <= whole.count {
                body(whole.span.extracting(start..<(start + size)))
                start += size
            }
            rest = Array(whole[start...])
        }
    }
}
