// The fields of each kind that is read.

extension Schema {
    private static let metadata = Schema(
        read: "name namespace labels annotations creationTimestamp deletionTimestamp ownerReferences",
        ignored: """
            generateName selfLink uid resourceVersion generation deletionGracePeriodSeconds finalizers
            managedFields clusterName
            """)

    static func kind(
        read: String = "", ignored: String = "", _ nested: [String: Field] = [:]
    ) -> Schema {
        let common: [String: Field] = ["apiVersion": .read, "kind": .read, "metadata": .object(metadata)]
        return Schema(read: read, ignored: ignored, nested: nested.merging(common) { _, common in common })
    }

    static let node = kind(read: "status", ignored: "spec")
    static let namespace = kind(ignored: "spec status")

    // MARK: Service

    static let service = kind([
        "spec": .object(serviceSpec),
        "status": .object(
            Schema(
                ignored: "conditions",
                nested: [
                    "loadBalancer": .object(
                        Schema(nested: [
                            "ingress": .list(Schema(read: "ip ipMode", ignored: "hostname ports"))
                        ]))
                ])),
    ])

    private static let serviceSpec = Schema(
        read: """
            type clusterIP clusterIPs externalIPs selector publishNotReadyAddresses internalTrafficPolicy
            sessionAffinity trafficDistribution loadBalancerSourceRanges
            """,
        ignored: """
            ipFamilies ipFamilyPolicy ipFamily allocateLoadBalancerNodePorts externalTrafficPolicy
            externalName healthCheckNodePort loadBalancerClass loadBalancerIP
            """,
        nested: [
            "ports": .list(Schema(read: "name protocol port targetPort appProtocol", ignored: "nodePort")),
            "sessionAffinityConfig": .object(
                Schema(nested: ["clientIP": .object(Schema(read: "timeoutSeconds"))])),
            "topologyKeys": .unsupported("use trafficDistribution"),
        ])

    // MARK: Pod

    static let pod = kind(["spec": .object(podSpec), "status": .object(podStatus)])

    private static let podSpec = Schema(
        read: "nodeName hostNetwork serviceAccountName serviceAccount",
        ignored: """
            activeDeadlineSeconds affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks
            ephemeralContainers hostAliases hostIPC hostPID hostUsers hostname hostnameOverride
            imagePullSecrets nodeSelector os overhead preemptionPolicy priority priorityClassName
            readinessGates resourceClaims resources restartPolicy runtimeClassName schedulerName
            schedulingGates schedulingGroup securityContext setHostnameAsFQDN shareProcessNamespace
            subdomain terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes workloadRef
            """,
        nested: ["containers": .list(container), "initContainers": .list(container)])

    private static let container = Schema(
        read: "name restartPolicy",
        ignored: """
            image command args workingDir envFrom env resources resizePolicy restartPolicyRules volumeMounts
            volumeDevices lifecycle terminationMessagePath terminationMessagePolicy imagePullPolicy
            securityContext stdin stdinOnce tty
            """,
        nested: [
            "ports": .list(Schema(read: "name containerPort protocol", ignored: "hostPort hostIP")),
            "livenessProbe": .object(probe), "readinessProbe": .object(probe), "startupProbe": .object(probe),
        ])

    private static let probe = Schema(
        ignored: """
            exec initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold
            terminationGracePeriodSeconds
            """,
        nested: [
            "httpGet": .object(Schema(read: "port host", ignored: "path scheme httpHeaders")),
            "tcpSocket": .object(Schema(read: "port host")),
            "grpc": .object(Schema(read: "port", ignored: "service")),
        ])

    private static let podStatus = Schema(
        read: "phase podIP",
        ignored: """
            observedGeneration message reason nominatedNodeName hostIP hostIPs startTime initContainerStatuses
            containerStatuses qosClass ephemeralContainerStatuses resize resourceClaimStatuses
            extendedResourceClaimStatus allocatedResources resources nodeAllocatableResourceClaimStatuses
            """,
        nested: [
            "podIPs": .list(Schema(read: "ip")),
            "conditions": .list(
                Schema(
                    read: "type status",
                    ignored: "observedGeneration lastProbeTime lastTransitionTime reason message")),
        ])

    // MARK: EndpointSlice

    static let endpointSlice = kind(
        read: "addressType",
        [
            "ports": .list(Schema(read: "name protocol port", ignored: "appProtocol")),
            "endpoints": .list(
                Schema(
                    read: "addresses nodeName zone", ignored: "hostname deprecatedTopology hints",
                    nested: [
                        "conditions": .object(Schema(read: "ready serving terminating")),
                        "targetRef": .object(
                            Schema(
                                read: "kind namespace name",
                                ignored: "uid apiVersion resourceVersion fieldPath")),
                    ])),
        ])

    // MARK: Istio

    static let serviceEntry = kind(
        ignored: "status",
        [
            "spec": .object(
                Schema(
                    read: "hosts addresses resolution exportTo", ignored: "location subjectAltNames",
                    nested: [
                        "ports": .list(Schema(read: "number protocol name targetPort")),
                        "endpoints": .list(workloadEntrySpec),
                        "workloadSelector": .object(Schema(read: "labels")),
                    ]))
        ])

    static let workloadEntry = kind(ignored: "status", ["spec": .object(workloadEntrySpec)])

    private static let workloadEntrySpec = Schema(
        read: "address ports labels locality weight serviceAccount",
        nested: ["network": .unsupported("endpoints must be reachable directly; remove it")])
}
