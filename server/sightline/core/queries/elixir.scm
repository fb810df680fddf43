(call target: (identifier) @_keyword (arguments . (alias) @name)
  (#any-of? @_keyword "defmodule" "defprotocol" "defimpl")) @module
(call target: (identifier) @_keyword (arguments . (identifier) @name)
  (#any-of? @_keyword "def" "defp" "defmacro" "defmacrop" "defguard" "defguardp" "defdelegate" "defn" "defnp")) @equation
(call target: (identifier) @_keyword (arguments . (call target: (identifier) @name))
  (#any-of? @_keyword "def" "defp" "defmacro" "defmacrop" "defguard" "defguardp" "defdelegate" "defn" "defnp")) @equation
(call target: (identifier) @_keyword (arguments . (binary_operator left: (call target: (identifier) @name) operator: "when"))
  (#any-of? @_keyword "def" "defp" "defmacro" "defmacrop" "defguard" "defguardp" "defdelegate" "defn" "defnp")) @equation
(call target: (identifier) @_keyword (arguments . (binary_operator left: (identifier) @name operator: "when"))
  (#any-of? @_keyword "def" "defp" "defmacro" "defmacrop" "defguard" "defguardp")) @equation
(do_block (unary_operator operand: (call target: (identifier) @name)
  (#not-any-of? @name "doc" "moduledoc" "typedoc" "shortdoc" "spec" "impl" "type" "typep" "opaque" "callback" "macrocallback"
    "behaviour" "deprecated" "derive" "enforce_keys" "tag" "moduletag" "describetag" "dialyzer" "compile" "since")) @constant)
(unary_operator operand: (call target: (identifier) @_keyword
  (arguments . [(call target: (identifier) @name) (binary_operator left: (call target: (identifier) @name))]))
  (#any-of? @_keyword "callback" "macrocallback")) @function
(unary_operator operand: (call target: (identifier) @_keyword
  (arguments . (binary_operator left: [(identifier) @name (call target: (identifier) @name)] operator: "::")))
  (#any-of? @_keyword "type" "typep" "opaque")) @type
(comment) @comment
(unary_operator operand: (call target: (identifier) @_doc) (#any-of? @_doc "doc" "moduledoc" "typedoc" "shortdoc")) @comment
(do_block (unary_operator operand: (call)) @glue)
