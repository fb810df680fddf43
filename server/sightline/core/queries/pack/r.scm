(binary_operator lhs: (identifier) @name operator: ["<-" "="] rhs: (function_definition)) @function
(program (binary_operator lhs: (identifier) @name operator: ["<-" "="]) @variable)
(call function: (identifier) @_new arguments: (arguments . (argument (string) @name))
  (#any-of? @_new "setClass" "R6Class" "setRefClass")) @class
(call function: (identifier) @_new arguments: (arguments . (argument (string) @name))
  (#any-of? @_new "setGeneric" "setMethod")) @method
(comment) @comment
