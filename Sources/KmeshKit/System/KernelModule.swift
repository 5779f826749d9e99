internal import CKmeshABI
internal import CLinux
internal import Glibc

/// The kernel module `kmesh`, by which programs read requests: see `http.h`.
public enum KernelModule {
    private static let name = "kmesh"
    private static let root = "/sys/module/kmesh"

    /// Why programs of this build cannot use it; `nil`: they can.
    public static var fault: String? {
        if let release = kernelRelease, !isRecent(release) {
            return "Linux \(release) has no kernel functions for connect hooks, which 6.8 brought"
        }
        guard Files.exists(root) else { return "the kernel module \(name) is not loaded" }
        let abi = number("abi", radix: 10)
        guard abi == UInt32(KMESH_MODULE_ABI) else {
            return "the kernel module \(name) speaks version \(abi.map(String.init) ?? "unknown") of its "
                + "interface, and this build \(KMESH_MODULE_ABI): load the one that belongs to it"
        }
        guard let features = number("features", radix: 16), features & needed == needed else {
            return "the kernel module \(name) cannot do all that this build needs: load the one that belongs "
                + "to it"
        }
        guard Files.exists("/sys/kernel/btf/\(name)") else {
            return "the kernel module \(name) was built without type information: build it where pahole is"
        }
        return nil
    }

    /// Where it comes from when it is not loaded.
    public enum Source: Hashable, Sendable {
        /// As `modprobe` finds it; not installed is fine.
        case installed
        case file(String)
        /// Whoever wants it loads it.
        case nowhere
    }

    /// Loads it, unless it is loaded. Whether programs can use it is a question of its own.
    /// - Throws: a sentence on why that failed.
    public static func load(from source: Source) throws(KernelModuleError) {
        guard !Files.exists(root) else { return }
        switch source {
        case .nowhere: return
        case .installed:
            guard let modprobe = Program.find("modprobe") ?? Program.find("/sbin/modprobe") else { return }
            _ = try? Program(modprobe, ["-q", name]).run(mergingError: true)
        case .file(let path):
            var hint = ""
            do throws(Errno) {
                let file = try FileDescriptor.open(path)
                hint = "; the kernel's log says more"
                try syscall { kmesh_load_module(file.number) }
            } catch {
                guard error != .exists else { return }
                throw KernelModuleError(
                    description: "the kernel module \(path) cannot be loaded: \(error)\(hint)")
            }
        }
    }

    /// Takes it out of the kernel; one that is not there is fine. Programs that are gone may hold it for a
    /// moment: `EWOULDBLOCK`.
    public static func unload() throws(Errno) {
        // Kernels without modules know no call to remove one.
        guard Files.exists(root) else { return }
        do throws(Errno) {
            try syscall { unsafe kmesh_unload_module(name) }
        } catch {
            guard error == .noEntry else { throw error }
        }
    }

    private static var needed: UInt32 {
        KMESH_MODULE_DEFERS_V4.rawValue | KMESH_MODULE_MATCHES.rawValue | KMESH_MODULE_RETRIES.rawValue
    }

    private static func number(_ file: String, radix: Int) -> UInt32? {
        guard let text = try? Files.readText("\(root)/\(file)", limit: 64) else { return nil }
        var digits = Substring(text.prefix { !$0.isWhitespace })
        if radix == 16, digits.hasPrefix("0x") { digits = digits.dropFirst(2) }
        return UInt32(digits, radix: radix)
    }

    private static var kernelRelease: String? {
        (try? Files.readText("/proc/sys/kernel/osrelease", limit: 256)).map {
            String($0.prefix { !$0.isWhitespace })
        }
    }

    /// Whether a release is of 6.8 or later; one that cannot be read counts as recent.
    static func isRecent(_ release: String) -> Bool {
        let parts = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return parts.count < 2 || (parts[0], parts[1]) >= (6, 8)
    }
}

/// Why the kernel module was not loaded, in a sentence.
public struct KernelModuleError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
}
