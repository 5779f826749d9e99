/// The pin directories of one part of the data plane: one for each layout that its maps have had, named
/// `<part>-v<layout>`, so that programs never meet maps of another layout.
public struct PinLayouts: Sendable {
    private let root: String
    private let part: String
    /// The layout of this build.
    public let current: UInt32

    public init(root: String, part: String, current: UInt32) {
        self.root = root
        self.part = part
        self.current = current
    }

    /// Where this build's pins are.
    public func pins() throws(BPFError) -> PinDirectory { try pins(of: current) }

    public func pins(of layout: UInt32) throws(BPFError) -> PinDirectory {
        try PinDirectory(root: root, name: "\(part)-v\(layout)")
    }

    /// Layouts that there are pins of, lowest first.
    public func present() throws(BPFError) -> [UInt32] {
        try layouts().filter { !$0.isStaged }.map(\.number)
    }

    /// Keeps this build from running beside programs of one that is newer: it could neither read what they
    /// leave nor hand over to them.
    public func refuseNewer() throws(BPFError) {
        guard let newest = try present().last, newest > current else { return }
        throw .newerLayout(pins: try pins(of: newest).path, found: newest, wanted: current)
    }

    /// Removes what crashes left of directories that never got their name, also of other builds. Links in
    /// them are those of the directory that they should have replaced.
    public func removeStaged() throws(BPFError) {
        for layout in try layouts() where layout.isStaged { try pins(of: layout.number).removeStaged() }
    }

    /// Removes the pins of every layout, newer ones too: whatever they are, nothing but them keeps it.
    public func removeAll() throws(BPFError) {
        let found = try layouts()
        for layout in found { try pins(of: layout.number).removeAll() }
        // The directory that all parts share.
        if found.isEmpty { try pins().removeAll() }
    }

    private func layouts() throws(BPFError) -> [(number: UInt32, isStaged: Bool)] {
        let names: [String]
        do throws(Errno) {
            names = try Files.list("\(root)/kmesh")
        } catch let error where error == .noEntry {
            return []
        } catch {
            throw .failed("list the pins in \(root)/kmesh", error)
        }
        let prefix = "\(part)-v"
        return names.compactMap { name in
            guard name.hasPrefix(prefix) else { return nil }
            let isStaged = name.hasSuffix(PinDirectory.stagingSuffix)
            let digits = name.dropFirst(prefix.count).dropLast(
                isStaged ? PinDirectory.stagingSuffix.count : 0)
            return UInt32(digits).map { ($0, isStaged) }
        }.sorted { $0.number < $1.number }
    }
}
