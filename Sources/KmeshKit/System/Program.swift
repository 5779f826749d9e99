/// A program to run, in a cgroup and namespaces of choice.
internal import CLinux
internal import Glibc

public struct Program: Sendable {
    /// Where the executable is; see `find`.
    public var path: String
    /// Without the program's own name.
    public var arguments: [String]
    /// `NAME=value`.
    public var environment: [String]
    public var directory: String?
    /// Gives it a host name of its own.
    public var hostname: String?
    /// A file that it sees as `/etc/hosts`, in a mount namespace of its own.
    public var hosts: String?
    /// Mounts that its own mount namespace leaves out; only with `hosts`.
    public var hiddenMounts: [String] = []
    public var cgroup: Cgroup?
    /// Path of a network namespace.
    public var networkNamespace: String?

    public init(_ path: String, _ arguments: [String] = [], environment: [String] = Program.ownEnvironment())
    {
        self.path = path
        self.arguments = arguments
        self.environment = environment
    }

    /// The executable called `name`: itself when it has a slash, else the first in `searchPath`.
    public static func find(_ name: String, searchPath: String = Program.searchPath()) -> String? {
        let candidates =
            name.contains("/") ? [name] : searchPath.split(separator: ":").map { "\($0)/\(name)" }
        return candidates.first { isExecutable($0) }
    }

    public static func searchPath() -> String {
        guard let path = unsafe getenv("PATH") else { return "/usr/sbin:/usr/bin:/sbin:/bin" }
        return unsafe String(cString: path)
    }

    /// The variables of this process.
    public static func ownEnvironment() -> [String] {
        var variables: [String] = []
        var next = unsafe environ
        while let variable = unsafe next.pointee {
            unsafe variables.append(String(cString: variable))
            unsafe next += 1
        }
        return variables
    }

    private static func isExecutable(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            && access(path, X_OK) == 0
    }
}

/// Why a program did not start.
public struct LaunchError: Error, Hashable, Sendable, CustomStringConvertible {
    public let path: String
    public let step: String
    public let errno: Errno

    public var description: String { "cannot start \(path): \(step): \(errno)" }
}

/// Where a child's standard stream comes from or goes to. The descriptors stay the caller's.
public struct Streams: Sendable {
    public var input: Int32?
    public var output: Int32?
    public var error: Int32?

    /// A stream that is not named is the caller's own.
    public init(input: Int32? = nil, output: Int32? = nil, error: Int32? = nil) {
        self.input = input
        self.output = output
        self.error = error
    }
}

extension Program {
    /// Starts it as a child with a session of its own.
    public func start(_ streams: Streams = Streams()) throws(LaunchError) -> ChildProcess {
        var pidfd: Int32 = -1
        let pid = try unsafe launch(streams) { program, step in
            unsafe kmesh_spawn(&program, &pidfd, &step)
        }
        return ChildProcess(id: pid, handle: FileDescriptor(owning: pidfd))
    }

    /// Runs it in place of this process.
    public func replaceProcess() throws(LaunchError) -> Never {
        _ = try unsafe launch(Streams()) { program, step in
            unsafe kmesh_exec(&program, &step)
        }
        preconditionFailure("a replaced process came back")
    }

    private func launch(
        _ streams: Streams, _ call: (inout kmesh_program, inout kmesh_program_step) -> Int32
    ) throws(LaunchError) -> Int32 {
        let group = try opened(cgroup?.path, O_RDONLY | O_DIRECTORY)
        let namespace = try opened(networkNamespace, O_RDONLY)
        var step = KMESH_STEP_CLONE
        var code: Int32 = 0
        let result = unsafe withCStrings(path, directory, hostname, hosts) { strings in
            unsafe withCStringLists([path] + arguments, environment, hiddenMounts) { lists in
                var program = unsafe kmesh_program(
                    path: strings[0], arguments: lists[0], environment: lists[1], directory: strings[1],
                    hostname: strings[2], hosts: strings[3], hidden: lists[2],
                    cgroup: group.number, netns: namespace.number,
                    streams: (streams.input ?? -1, streams.output ?? -1, streams.error ?? -1))
                let result = unsafe call(&program, &step)
                code = errno
                return result
            }
        }
        guard result >= 0 else { throw LaunchError(path: path, step: describe(step), errno: Errno(code)) }
        return result
    }

    /// -1 when there is no path: the child stays where this process is.
    private func opened(_ path: String?, _ flags: Int32) throws(LaunchError) -> FileDescriptor {
        guard let path else { return FileDescriptor(owning: -1) }
        do throws(Errno) {
            return try FileDescriptor.open(path, flags)
        } catch {
            throw LaunchError(path: self.path, step: "open \(path)", errno: error)
        }
    }

    private func describe(_ step: kmesh_program_step) -> String {
        switch step {
        case KMESH_STEP_CLONE: "make a process"
        case KMESH_STEP_CGROUP: "enter \(cgroup?.path ?? "the cgroup")"
        case KMESH_STEP_NETNS: "enter \(networkNamespace ?? "the network namespace")"
        case KMESH_STEP_MOUNTS: "hide mounts"
        case KMESH_STEP_HOSTS: "show \(hosts ?? "") as /etc/hosts"
        case KMESH_STEP_HOSTNAME: "set the host name"
        case KMESH_STEP_DIRECTORY: "change to \(directory ?? "")"
        case KMESH_STEP_STREAMS: "set standard streams"
        case KMESH_STEP_EXEC: "execute it"
        default: "unknown step"
        }
    }
}

/// C strings that live while `body` runs.
private func withCStrings<Result>(
    _ texts: String?..., body: ([UnsafePointer<CChar>?]) -> Result
) -> Result {
    let copies = unsafe texts.map { unsafe $0.map { unsafe UnsafePointer(strdup($0)) } ?? nil }
    defer { unsafe copies.forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) } }
    return unsafe body(copies)
}

/// Lists of C strings, each ended by NULL, that live while `body` runs.
private func withCStringLists<Result>(
    _ lists: [String]..., body: ([UnsafePointer<UnsafeMutablePointer<CChar>?>]) -> Result
) -> Result {
    let copies = unsafe lists.map { list in
        let copy = UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: list.count + 1)
        unsafe copy.initialize(repeating: nil)
        for (index, text) in list.enumerated() { unsafe copy[index] = unsafe strdup(text) }
        return unsafe copy
    }
    defer {
        unsafe copies.forEach { copy in
            unsafe copy.forEach { unsafe free($0) }
            unsafe copy.deallocate()
        }
    }
    return unsafe body(copies.compactMap { unsafe UnsafePointer($0.baseAddress) })
}
