internal import CLinux

/// Arrays of programs, which tail calls lead to.
extension FileDescriptor {
    /// Puts a program into the array of programs that this descriptor is.
    public func setProgram(
        _ program: borrowing FileDescriptor, at index: UInt32, of name: String
    ) throws(BPFError) {
        let result = unsafe withUnsafePointer(to: index) { index in
            unsafe withUnsafePointer(to: program.number) { program in
                unsafe kmesh_bpf_map_update(number, index, program, 0)
            }
        }
        guard result >= 0 else { throw .failed("put a program into \(name)", Errno(-result)) }
    }
}
