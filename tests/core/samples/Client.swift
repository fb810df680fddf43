import Foundation

/// Talks to the server.
@MainActor
public class Client: Base, Sendable {
    static let limit = 5
    private var token: String?
    var isReady: Bool { token != nil }

    init(token: String) { self.token = token }
    deinit {}

    // Sends.
    @discardableResult
    func send(_ request: Request, to host: String) async throws -> Int {
        let local = 1
        func inner() {}
        return local
    }
    subscript(i: Int) -> Int { i }
}

struct Request { let id: Int }
enum State { case open, closed(Int) }
protocol Sendable { func go(); var x: Int { get } }
extension Client: Codable { func encode() {} }
typealias Id = Int
actor Worker {}
func helper() {}
let global = 1
