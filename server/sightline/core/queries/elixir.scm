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
(do_block (unary_operator operand: (call target: (identifier) @name) (#not-match? @name "^((module|type|short)?doc|spec|impl|(macro)?callback|typep?|opaque|behaviour|deprecated|derive|enforce_keys|(module|describe)?tag|dialyzer|compile|since|external_resource|on_load|before_compile|after_compile)$")) @constant)
(unary_operator operand: (call target: (identifier) @_keyword
  (arguments . [(call target: (identifier) @name) (binary_operator left: (call target: (identifier) @name))]))
  (#any-of? @_keyword "callback" "macrocallback")) @function
(unary_operator operand: (call target: (identifier) @_keyword
  (arguments . (binary_operator left: [(identifier) @name (call target: (identifier) @name)] operator: "::")))
  (#any-of? @_keyword "type" "typep" "opaque")) @type
(comment) @comment
(unary_operator operand: (call target: (identifier) @_doc) (#any-of? @_doc "doc" "moduledoc" "typedoc" "shortdoc")) @comment
(do_block (unary_operator operand: (call)) @glue)
