internal import CBPFObjects
internal import CLibBPF
internal import Glibc
public import KmeshKit

/// A BPF object on its way into the kernel: open, adjust, load, then take its maps and programs.
@safe public struct BPFObject: ~Copyable {
    private let name: String
    private let handle: OpaquePointer
    private let log: UnsafeMutableBufferPointer<CChar>

    /// Opens an object of this build by its name (`dual` for `bpf/dual/dual.bpf.c`).
    public init(named name: String) throws(BPFError) {
        guard let image = unsafe CBPFObjects_find(name) else {
            throw .failed("find the BPF object \(name) in this build", .noEntry)
        }
        unsafe try self.init(named: name, bytes: image.pointee.bytes, size: Int(image.pointee.size))
    }

    /// Opens an ELF image that outlives the object.
    public init(named name: String, bytes: UnsafePointer<UInt8>, size: Int) throws(BPFError) {
        // libbpf would print to stderr; what matters comes as an error.
        unsafe libbpf_set_print(nil)
        unsafe log = .allocate(capacity: 4 << 20)
        unsafe log.initialize(repeating: 0)
        var options = unsafe bpf_object_open_opts()
        unsafe options.sz = MemoryLayout<bpf_object_open_opts>.size
        unsafe options.kernel_log_buf = log.baseAddress
        unsafe options.kernel_log_size = numericCast(log.count)
        let opened = unsafe name.withCString { text in
            unsafe options.object_name = text
            return unsafe bpf_object__open_mem(bytes, size, &options)
        }
        guard let opened = unsafe opened else {
            let code = errno
            unsafe log.deallocate()
            throw .failed("open the BPF object \(name)", Errno(code))
        }
        self.name = name
        unsafe handle = opened
    }

    deinit {
        unsafe bpf_object__close(handle)
        unsafe log.deallocate()
    }

    /// Names of the maps that hold state: not those of constants and variables.
    public var mapNames: [String] {
        var names: [String] = []
        var map = unsafe bpf_object__next_map(handle, nil)
        while let current = unsafe map {
            if unsafe !bpf_map__is_internal(current), let text = unsafe bpf_map__name(current) {
                unsafe names.append(String(cString: text))
            }
            unsafe map = unsafe bpf_object__next_map(handle, current)
        }
        return names
    }

    public func setCapacity(of map: String, to entries: Int) throws(BPFError) {
        let result = unsafe bpf_map__set_max_entries(try find(map: map), UInt32(entries))
        guard result == 0 else { throw .failed("size the map \(map)", Errno(-result)) }
    }

    /// Uses an existing map instead of making one.
    public func reuse(_ descriptor: borrowing FileDescriptor, as map: String) throws(BPFError) {
        let result = unsafe bpf_map__reuse_fd(try find(map: map), descriptor.number)
        guard result == 0 else { throw .failed("reuse the pinned map \(map)", Errno(-result)) }
    }

    /// Sets the programs' constants: `settings` is all of the section.
    public func set<Settings: BitwiseCopyable>(
        constants settings: Settings, in section: String = ".rodata"
    ) throws(BPFError) {
        let map = unsafe try find(map: section)
        var size = 0
        _ = unsafe bpf_map__initial_value(map, &size)
        guard size == MemoryLayout<Settings>.size else {
            throw .failed(
                "set the constants of \(name): it has \(size) bytes of them, and "
                    + "\(MemoryLayout<Settings>.size) are given", .invalid)
        }
        let result = unsafe withUnsafeBytes(of: settings) { bytes in
            unsafe bpf_map__set_initial_value(map, bytes.baseAddress, bytes.count)
        }
        guard result == 0 else { throw .failed("set the constants of \(name)", Errno(-result)) }
    }

    /// Before `load`: leaves a program out, which saves the kernel its verification.
    public func leaveOut(program: String) throws(BPFError) { try choose(program, false) }

    /// Before `load`: takes in a program that the object marks as optional.
    public func include(program: String) throws(BPFError) { try choose(program, true) }

    private func choose(_ program: String, _ isLoaded: Bool) throws(BPFError) {
        guard let found = unsafe bpf_object__find_program_by_name(handle, program) else {
            throw .failed("find the program \(program) in \(name)", .noEntry)
        }
        let result = unsafe bpf_program__set_autoload(found, isLoaded)
        guard result == 0 else { throw .failed("choose the program \(program)", Errno(-result)) }
    }

    /// Makes maps and verifies programs. Nothing runs yet.
    public func load() throws(BPFError) {
        let result = unsafe bpf_object__load(handle)
        guard result == 0 else {
            let text = unsafe String(
                decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw .rejected(object: name, errno: Errno(-result), log: text)
        }
    }

    public func map(_ map: String) throws(BPFError) -> FileDescriptor {
        try duplicate(unsafe bpf_map__fd(try find(map: map)), what: "map \(map)")
    }

    public func program(_ program: String) throws(BPFError) -> FileDescriptor {
        guard let found = unsafe bpf_object__find_program_by_name(handle, program) else {
            throw .failed("find the program \(program) in \(name)", .noEntry)
        }
        return try duplicate(unsafe bpf_program__fd(found), what: "program \(program)")
    }

    private func find(map: String) throws(BPFError) -> OpaquePointer {
        guard let found = unsafe bpf_object__find_map_by_name(handle, map) else {
            throw .failed("find the map \(map) in \(name)", .noEntry)
        }
        return unsafe found
    }

    private func duplicate(_ number: Int32, what: String) throws(BPFError) -> FileDescriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .failed("take the \(what) of \(name)", Errno(errno)) }
        return FileDescriptor(owning: copy)
    }
}
