import KmeshKit
import KmeshYAML
import Testing

@testable import KmeshSandbox

/// A resolved mesh of the given file, with all of its pods serving.
func resolved(_ text: String, families: [AddressFamily] = [.v4, .v6]) throws -> ResolvedMesh {
    let plan = try SandboxPlan(try KubernetesObject.read(text), families: families, nodeName: "sandbox")
    var state = SandboxState(settings: SandboxSettings(families: families))
    try state.adopt(plan)
    for set in plan.podSets { _ = try state.addPods(of: set, count: plan.replicas(of: set), plan) }
    for index in state.pods.indices { state.pods[index].isServing = true }
    return ResolvedMesh(plan, state)
}

func deployment(_ name: String, replicas: Int = 1, pod: String = "") -> String {
    """
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: \(name)}
    spec:
      replicas: \(replicas)
      selector: {matchLabels: {app: \(name)}}
      template:
        metadata: {labels: {app: \(name)}}
        spec:
          containers: [{name: main, image: x, ports: [{name: http, containerPort: 8080}]}]
          \(pod)

    """
}

@Suite struct SandboxPlanTests {
    @Test func podsAreNamedTheSameEachTime() throws {
        let names = try resolved(deployment("web", replicas: 50)).pods.map(\.record.name)
        #expect(try resolved(deployment("web", replicas: 50)).pods.map(\.record.name) == names)
        #expect(Set(names).count == 50)
        #expect(names.allSatisfy { $0.hasPrefix("web-") && $0.utf8.count == 9 })
    }

    @Test func eachKindHasItsPods() throws {
        let text = """
            kind: StatefulSet
            metadata: {name: db}
            spec:
              replicas: 2
              template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c}]}}
            ---
            kind: DaemonSet
            metadata: {name: agent}
            spec: {template: {spec: {containers: [{name: c}]}}}
            ---
            kind: Pod
            metadata: {name: single, namespace: other}
            spec: {nodeName: two, containers: [{name: c}]}
            ---
            kind: Node
            metadata: {name: one}
            ---
            kind: Node
            metadata: {name: two, labels: {disk: fast}}
            ---
            kind: ConfigMap
            metadata: {name: settings}
            """
        let mesh = try resolved(text)
        let pods = mesh.pods.map { "\($0.record.key)@\($0.record.node)" }
        #expect(pods[0...1] == ["default/db-0@one", "default/db-1@two"])
        #expect(pods.count == 5)
        #expect(pods[2].hasSuffix("@one") && pods[3].hasSuffix("@two"))
        #expect(pods[4] == "other/single@two")
        #expect(mesh.plan.remarks == ["skipped ConfigMap default/settings: it means nothing here"])
        #expect(mesh.state.settings.nodeName == "one")
    }

    @Test(arguments: [
        ("kind: Service", "line 1: Service: metadata.name is missing"),
        ("metadata: {name: a}", "line 1: the object has no kind"),
        ("- 1", "expected a Kubernetes object"),
        ("kind: Service\nmetadata: {name: ../x}", "line 2: Service: \"../x\" is no name"),
        ("kind: Pod\nmetadata: {name: a}", "Pod default/a: its pods have no spec"),
        ("kind: Pod\nmetadata: {name: a}\nspec: {containers: []}", "line 3: Pod default/a: spec.containers"),
        (
            "kind: Service\nmetadata: {name: a}\nspec:\n  ports:\n  - {port: 70000}",
            "line 5: Service default/a: port"
        ),
        (
            "kind: Service\nmetadata: {name: a}\nspec:\n  clusterIP: 1.2.3",
            "clusterIP \"1.2.3\" is no address"
        ),
        (
            "kind: Service\nmetadata: {name: a}\nspec:\n  clusterIP: 10.244.3.4",
            "lies among the addresses of pods"
        ),
        (
            "kind: Service\nmetadata: {name: a}\nspec: {ipFamilyPolicy: Dual}",
            "ipFamilyPolicy Dual is unknown"
        ),
        (
            "kind: Service\nmetadata: {name: a}\n---\nkind: Service\nmetadata: {name: a}",
            "line 4: Service default/a: is here twice; the first is on line 1"
        ),
        (
            "kind: Service\nmetadata: {name: a}\nspec: {clusterIP: 10.96.0.9}\n---\n"
                + "kind: Service\nmetadata: {name: b}\nspec: {clusterIP: 10.96.0.9}",
            "clusterIP 10.96.0.9 is also that of default/a"
        ),
        ("kind: Pod\nmetadata: {name: a}\nspec: {nodeName: x, containers: [{name: c}]}", "no Node fits"),
        ("a: [", "line"),
    ])
    func mistakesAreNamed(text: String, expected: String) throws {
        do {
            _ = try resolved(text)
            Issue.record("accepted")
        } catch {
            #expect("\(error)".contains(expected), "\(error)")
        }
    }

    @Test func aSelectorMustFitItsTemplate() throws {
        let text = deployment("web").replacing("matchLabels: {app: web}", with: "matchLabels: {app: wed}")
        #expect(throws: SandboxError.self) { _ = try resolved(text) }
    }
}

extension String {
    /// The first occurrence replaced, without Foundation.
    fileprivate func replacing(_ old: String, with new: String) -> String {
        guard let range = firstRange(of: old) else { return self }
        return String(self[..<range.lowerBound]) + new + String(self[range.upperBound...])
    }
}
