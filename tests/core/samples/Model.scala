package com.example

/** A thing. */
trait Thing[A] {
  type Out
  val name: String
  def run(a: A): Out
}

@deprecated("x", "1")
case class User(id: Int, name: String) extends Thing[Int] {
  private val cache = 1
  var count = 0
  // Greets.
  def greet(other: String): String = {
    val local = 1
    def inner = local
    s"hi $other"
  }
}

object User {
  val Max = 5
  implicit def toInt(u: User): Int = u.id
  type Alias = Int
}
package object util { def f = 1 }
enum Color { case Red, Green }
given ordering: Ordering[User] = ???
