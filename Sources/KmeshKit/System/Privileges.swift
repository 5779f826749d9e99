/// Who this process is.
internal import Glibc

public enum Privileges {
    public static var isRoot: Bool { geteuid() == 0 }
}
