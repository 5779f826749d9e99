internal import CKmeshABI

/// Why a program decided as it did, or what happened on the way: the numbers of `reasons.h`.
public enum VerdictReason: UInt32, Hashable, Sendable, CaseIterable {
    case steered = 0
    case steeredByAffinity = 1
    case steeredBySession = 2
    case redirected = 3

    case notEnrolled = 8
    case notAService = 9
    case otherProtocol = 10
    case noEndpointPassed = 11
    case undeclaredPortPassed = 12

    case noEndpoint = 16
    case noLocalEndpoint = 17
    case undeclaredPort = 18
    case noWaypoint = 19
    case noWaypointEndpoint = 20
    case waypointIncomplete = 21
    case noMetadata = 22

    case incomplete = 24
    case noPeerStorage = 25
    case noUDPReply = 26
    case optionNotSent = 27
    case tlvNotSent = 28
    case messageDropped = 29

    case retried = 32
    case affinityCreated = 33
    case affinityExpired = 34
    case affinityEndpointGone = 35
    case sessionCreated = 36
    case sessionEndpointGone = 37
    case replyTranslated = 38
    case peerTranslated = 39
    case udpReplyCreated = 40
    case fromWaypoint = 41
    case optionSent = 42
    case tlvSent = 43

    case notRestricted = 48
    case allowed = 49
    case probePassed = 50
    case loopbackPassed = 51
    case switchedOff = 52
    case udpPassed = 53
    case fragmentPassed = 54

    case denied = 56
    case notAllowed = 57
    case malformed = 58

    case noDestination = 60
    case noView = 61
    case noBlock = 62
    case missedTailCall = 63
    case noFlow = 64
    case torn = 65

    case trialDenied = 66
    case resetSent = 67
    case resetNotSent = 68
    case eventLost = 69
    case eventSuppressed = 70

    case traceLost = 71
    case recordLost = 72
    case connectionUnseen = 73

    case routed = 74
    case split = 75
    case deferred = 76
    case noChain = 77
    case noHost = 78
    case noRoute = 79
    case noBackend = 80
    case noHTTP = 81
    case maxConnections = 82
    case missedStep = 83
    case noRoutingEntry = 84
    case notDeferred = 85
    case notCounted = 86
    case endpointRefused = 87

    /// Those of the programs that steer.
    public static let steering = allCases.filter { $0.rawValue < notRestricted.rawValue } + [traceLost]
    /// Those of the kernel-native engine's programs.
    public static let kernelNative =
        steering + allCases.filter { (routed.rawValue...endpointRefused.rawValue).contains($0.rawValue) }
    /// Those of the programs that authorize.
    public static let authorization =
        [otherProtocol, retried]
        + allCases.filter { (notRestricted.rawValue...eventSuppressed.rawValue).contains($0.rawValue) }
    /// Those of the programs that observe.
    public static let telemetry: [VerdictReason] = [recordLost, connectionUnseen]

    /// How many numbers the counters have room for.
    public static var limit: Int { Int(KMESH_REASON_MAX.rawValue) }

    /// The name in dumps and metrics.
    public var name: String { Self.texts[self]?.name ?? "reason_\(rawValue)" }

    /// One sentence for people.
    public var explanation: String { Self.texts[self]?.explanation ?? name }
}
