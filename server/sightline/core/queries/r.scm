(left_assignment name: (identifier) @name value: (function_definition)) @function
(equals_assignment name: (identifier) @name value: (function_definition)) @function
(program (left_assignment name: (identifier) @name) @variable)
(program (equals_assignment name: (identifier) @name) @variable)
(call function: (identifier) @_new arguments: (arguments . (string) @name)
  (#any-of? @_new "setClass" "R6Class" "setRefClass")) @class
(call function: (identifier) @_new arguments: (arguments . (string) @name)
  (#any-of? @_new "setGeneric" "setMethod")) @method
(comment) @comment
