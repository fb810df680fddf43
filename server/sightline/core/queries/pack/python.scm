(class_definition name: (_) @name) @class
(function_definition name: (_) @name) @function
(type_alias_statement . (type (identifier) @name)) @type

; Assignments count at the top, in classes, and one level down in `if` and `try`.
(module (assignment left: (identifier) @name) @variable)
(module (if_statement (block (assignment left: (identifier) @name) @variable)))
(module (if_statement (else_clause (block (assignment left: (identifier) @name) @variable))))
(module (try_statement (block (assignment left: (identifier) @name) @variable)))
(module (try_statement (except_clause (block (assignment left: (identifier) @name) @variable))))
(class_definition body: (block (assignment left: (identifier) @name) @field))

(comment) @comment
(module [(string) (concatenated_string)] @docstring)
(block [(string) (concatenated_string)] @docstring)
(decorator) @glue
