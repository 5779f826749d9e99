internal import CLinux
internal import Glibc

/// Asks the kernel itself, not its version, for what the data plane needs.
public enum KernelFeatures {
    /// Throws the first feature that is missing, by name and with the Linux version that brought it.
    public static func requireL4() throws(BPFError) { try require(l4Probes) }

    /// The same for authorization at one of its hooks.
    public static func requireAuthorization(hook: AuthorizationHook) throws(BPFError) {
        try require(authorizationProbes)
        switch hook {
        case .xdp: try require(xdpProbes)
        case .socketLookup: try require(socketLookupProbes)
        }
    }

    private static func require(_ probes: [KernelProbe]) throws(BPFError) {
        for probe in probes {
            switch probe.run() {
            case 0...: continue
            case -EPERM, -EACCES:
                throw .failed("use BPF", .notPermitted)
            default:
                throw .missingFeature(probe.feature, since: probe.since)
            }
        }
    }

    static let l4Probes = [
        KernelProbe("cgroup connect hooks", since: "4.17") {
            load(BPF_CGROUP_INET4_CONNECT, [move(0, 1), exit])
        },
        KernelProbe("cgroup sendmsg hooks", since: "4.18") {
            load(BPF_CGROUP_UDP6_SENDMSG, [move(0, 1), exit])
        },
        KernelProbe("cgroup recvmsg hooks", since: "5.2") {
            load(BPF_CGROUP_UDP6_RECVMSG, [move(0, 1), exit])
        },
        KernelProbe("cgroup getpeername hooks", since: "5.8") {
            load(BPF_CGROUP_INET6_GETPEERNAME, [move(0, 1), exit])
        },
        KernelProbe("network namespace cookies in cgroup hooks", since: "5.7") {
            load(BPF_CGROUP_INET4_CONNECT, [call(BPF_FUNC_get_netns_cookie), move(0, 1), exit])
        },
        KernelProbe("socket cookies in cgroup hooks", since: "4.18") {
            load(BPF_CGROUP_UDP4_SENDMSG, [call(BPF_FUNC_get_socket_cookie), move(0, 1), exit])
        },
        KernelProbe("error codes of cgroup hooks (bpf_set_retval)", since: "5.18") {
            load(BPF_CGROUP_INET4_CONNECT, [move(1, 0), call(BPF_FUNC_set_retval), move(0, 1), exit])
        },
        KernelProbe("bounded loops and 1,000,000 verified instructions", since: "5.3") {
            load(
                BPF_CGROUP_INET4_CONNECT, [move(1, 0), add(1, 1), jumpBackWhileLess(1, 8), move(0, 1), exit])
        },
        KernelProbe("attachment of cgroup programs by links", since: "5.7") {
            linkToNothing()
        },
        KernelProbe("batched map operations", since: "5.6") {
            emptyBatch()
        },
        KernelProbe("TCP header options by programs", since: "5.10") {
            load(
                BPF_CGROUP_SOCK_OPS,
                [move(2, 12), move(3, 0), call(BPF_FUNC_reserve_hdr_opt), move(0, 1), exit],
                BPF_PROG_TYPE_SOCK_OPS)
        },
        KernelProbe("type information of the kernel (CONFIG_DEBUG_INFO_BTF)", since: "5.2") {
            Files.exists("/sys/kernel/btf/vmlinux") ? 0 : -ENOENT
        },
    ]

    /// Whether sockets of Multipath TCP can be made.
    public static var hasMultipathTCP: Bool { Files.exists("/proc/sys/net/mptcp/enabled") }

    /// Loads a program for a hook and lets it go again.
    fileprivate static func load(
        _ hook: bpf_attach_type, _ instructions: [bpf_insn],
        _ type: bpf_prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR
    ) -> Int32 {
        let result = unsafe kmesh_bpf_program_load(
            type.rawValue, hook.rawValue, instructions, UInt32(instructions.count))
        if result >= 0 { close(result) }
        return result
    }

    /// A kernel that knows links gets as far as looking for the cgroup, and does not find it.
    private static func linkToNothing() -> Int32 {
        let result = link(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, to: -1)
        return result == -EBADF ? 0 : result
    }

    /// Tries to attach a program that does nothing, and lets both go again.
    fileprivate static func link(
        _ type: bpf_prog_type, _ hook: bpf_attach_type, to target: Int32, flags: UInt32 = 0
    ) -> Int32 {
        let program = unsafe kmesh_bpf_program_load(type.rawValue, hook.rawValue, [move(0, 1), exit], 2)
        guard program >= 0 else { return program }
        defer { close(program) }
        let result = kmesh_bpf_link_create(program, target, hook.rawValue, flags)
        if result >= 0 { close(result) }
        return result
    }

    private static func emptyBatch() -> Int32 {
        batch(kmesh_bpf_map_create(BPF_MAP_TYPE_HASH.rawValue, 4, 4, 1, 0), key: [1])
    }

    /// Writes one entry to a map with values of 4 bytes, and lets the map go.
    fileprivate static func batch(_ map: Int32, key: [UInt32]) -> Int32 {
        guard map >= 0 else { return map }
        defer { close(map) }
        var count: UInt32 = 1
        return unsafe kmesh_bpf_map_update_batch(map, key, [UInt32(1)], &count)
    }
}

extension KernelFeatures {
    static let authorizationProbes = [
        KernelProbe("ring buffers", since: "5.8") {
            withMap(BPF_MAP_TYPE_RINGBUF, key: 0, value: 0, entries: UInt32(sysconf(Int32(_SC_PAGESIZE)))) {
                _ in 0
            }
        },
        KernelProbe("batched operations on maps of prefixes", since: "5.13") {
            batch(
                kmesh_bpf_map_create(BPF_MAP_TYPE_LPM_TRIE.rawValue, 8, 4, 1, UInt32(BPF_F_NO_PREALLOC)),
                key: [32, 1])
        },
        KernelProbe("maps of maps", since: "4.12") {
            withMap(BPF_MAP_TYPE_ARRAY, key: 4, value: 4, entries: 1) { inner in
                let outer = kmesh_bpf_map_of_maps_create(inner)
                if outer >= 0 { close(outer) }
                return outer
            }
        },
        KernelProbe("loops by a function (bpf_loop)", since: "5.17") {
            // The verifier knows the function when it refuses these arguments, and not its number.
            let result = load(
                BPF_XDP,
                [move(1, 1), move(2, 0), move(3, 0), move(4, 0), call(BPF_FUNC_loop), exit],
                BPF_PROG_TYPE_XDP)
            return result == -EACCES ? 0 : result
        },
    ]

    static let xdpProbes = [
        KernelProbe("tail calls in programs of several functions", since: "5.10") {
            withMap(BPF_MAP_TYPE_PROG_ARRAY, key: 4, value: 4, entries: 1) { array in
                load(
                    BPF_XDP,
                    [copy(6, 1), callFunction(7), copy(1, 6)] + loadMap(2, array)
                        + [move(3, 0), call(BPF_FUNC_tail_call), move(0, 2), exit, move(0, 0), exit],
                    BPF_PROG_TYPE_XDP)
            }
        },
        KernelProbe("attachment of XDP programs by links", since: "5.9") {
            // A kernel that knows them gets as far as asking loopback to run the program in hardware.
            let result = link(BPF_PROG_TYPE_XDP, BPF_XDP, to: 1, flags: UInt32(XDP_FLAGS_HW_MODE))
            return result == -EOPNOTSUPP ? 0 : result
        },
    ]

    static let socketLookupProbes = [
        KernelProbe("programs that search for listening sockets (sk_lookup)", since: "5.9") {
            load(BPF_SK_LOOKUP, [move(0, 1), exit], BPF_PROG_TYPE_SK_LOOKUP)
        },
        KernelProbe("attachment of sk_lookup programs by links", since: "5.9") {
            // A kernel that knows them gets as far as looking for the network namespace.
            let result = link(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, to: -1)
            return result == -EBADF ? 0 : result
        },
    ]

    private static func withMap(
        _ type: bpf_map_type, key: UInt32, value: UInt32, entries: UInt32, _ body: (Int32) -> Int32
    ) -> Int32 {
        let map = kmesh_bpf_map_create(type.rawValue, key, value, entries, 0)
        guard map >= 0 else { return map }
        defer { close(map) }
        return body(map)
    }
}

/// One question to the kernel: 0 or more is a yes, else -errno.
struct KernelProbe: Sendable {
    let feature: String
    let since: String
    let run: @Sendable () -> Int32

    init(_ feature: String, since: String, run: @escaping @Sendable () -> Int32) {
        self.feature = feature
        self.since = since
        self.run = run
    }
}

// The few instructions that the probes are made of: linux/bpf.h.

private func move(_ register: UInt8, _ value: Int32) -> bpf_insn {
    instruction(UInt8(BPF_ALU64) | UInt8(BPF_MOV), register, value)
}

private func copy(_ register: UInt8, _ source: UInt8) -> bpf_insn {
    bpf_insn(
        code: UInt8(BPF_ALU64) | UInt8(BPF_MOV) | UInt8(BPF_X), dst_reg: register, src_reg: source, off: 0,
        imm: 0)
}

/// Two instructions.
private func loadMap(_ register: UInt8, _ map: Int32) -> [bpf_insn] {
    [
        bpf_insn(
            code: UInt8(BPF_LD) | UInt8(BPF_DW) | UInt8(BPF_IMM), dst_reg: register,
            src_reg: UInt8(BPF_PSEUDO_MAP_FD), off: 0, imm: map),
        bpf_insn(),
    ]
}

/// Calls the function that begins `distance` instructions after the next.
private func callFunction(_ distance: Int32) -> bpf_insn {
    bpf_insn(
        code: UInt8(BPF_JMP) | UInt8(BPF_CALL), dst_reg: 0, src_reg: UInt8(BPF_PSEUDO_CALL), off: 0,
        imm: distance)
}

private func add(_ register: UInt8, _ value: Int32) -> bpf_insn {
    instruction(UInt8(BPF_ALU64) | UInt8(BPF_ADD), register, value)
}

private func call(_ helper: bpf_func_id) -> bpf_insn {
    instruction(UInt8(BPF_JMP) | UInt8(BPF_CALL), 0, Int32(helper.rawValue))
}

/// Jumps to the instruction before this one while the register is less than `bound`.
private func jumpBackWhileLess(_ register: UInt8, _ bound: Int32) -> bpf_insn {
    var instruction = instruction(UInt8(BPF_JMP) | UInt8(BPF_JLT), register, bound)
    instruction.off = -2
    return instruction
}

private var exit: bpf_insn { instruction(UInt8(BPF_JMP) | UInt8(BPF_EXIT), 0, 0) }

private func instruction(_ code: UInt8, _ destination: UInt8, _ value: Int32) -> bpf_insn {
    bpf_insn(code: code, dst_reg: destination, src_reg: 0, off: 0, imm: value)
}
