(rule (targets (word) @name)) @key
(define_directive name: (_) @name) @macro
(makefile (variable_assignment name: (word) @name) @variable)
(comment) @comment
