internal import CLinux
internal import Glibc

/// Asks the kernel itself, not its version, for what the data plane needs.
public enum KernelFeatures {
    /// Throws the first feature that is missing, by name and with the Linux version that brought it.
    public static func requireL4() throws(BPFError) {
        for probe in l4Probes {
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
    private static func load(
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
        let instructions = [move(0, 1), exit]
        let program = unsafe kmesh_bpf_program_load(
            BPF_PROG_TYPE_CGROUP_SOCK_ADDR.rawValue, BPF_CGROUP_INET4_CONNECT.rawValue, instructions, 2)
        guard program >= 0 else { return program }
        defer { close(program) }
        let result = kmesh_bpf_link_create(program, -1, BPF_CGROUP_INET4_CONNECT.rawValue, 0)
        if result >= 0 { close(result) }
        return result == -EBADF ? 0 : result
    }

    private static func emptyBatch() -> Int32 {
        let map = kmesh_bpf_map_create(BPF_MAP_TYPE_HASH.rawValue, 4, 4, 1, 0)
        guard map >= 0 else { return map }
        defer { close(map) }
        var count: UInt32 = 1
        return unsafe kmesh_bpf_map_update_batch(map, [UInt32(1)], [UInt32(1)], &count)
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
