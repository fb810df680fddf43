package com.example

import kotlin.math.max

const val MAX = 10
typealias Id = String

/** Loads users. */
@Service
class Repo<T : Any>(private val db: Db) : Base(), Source {
    val size: Int get() = 1
    private var cache = mutableMapOf<Id, T>()

    constructor(name: String) : this(Db(name))

    // Finds one.
    override suspend fun find(id: Id): T? {
        val local = 1
        fun inner() { println(local) }
        return null
    }

    companion object {
        const val LIMIT = 5
        fun create(): Repo<Any> { return Repo(Db()) }
    }
}

interface Source { fun load() }
object Registry { val all = listOf<Int>() }
enum class Color { RED, GREEN; fun hex(): String { return "" } }
data class Point(val x: Int)
sealed interface Result
fun String.shout(): String { return uppercase() }
