(class_definition name: (_) @name) @class
(function_definition name: (_) @name) @function
(type_alias_statement . (type (identifier) @name)) @type

; Assignments count at the top, in classes, and one level down in `if` and `try`.
(module (expression_statement (assignment left: (identifier) @name)) @variable)
(module (if_statement (block (expression_statement (assignment left: (identifier) @name)) @variable)))
(module (if_statement (else_clause (block (expression_statement (assignment left: (identifier) @name)) @variable))))
(module (try_statement (block (expression_statement (assignment left: (identifier) @name)) @variable)))
(module (try_statement (except_clause (block (expression_statement (assignment left: (identifier) @name)) @variable))))
(class_definition body: (block (expression_statement (assignment left: (identifier) @name)) @field))

(comment) @comment
(expression_statement . [(string) (concatenated_string)] .) @docstring
(decorator) @glue
