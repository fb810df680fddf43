(package_statement name: (_) @name) @module
(class_statement name: (_) @name) @class
(role_statement name: (_) @name) @trait
(subroutine_declaration_statement name: (_) @name) @function
(method_declaration_statement name: (_) @name) @method
(use_statement module: (package) @_constant (list_expression . (autoquoted_bareword) @name) (#eq? @_constant "constant")) @constant
(source_file (expression_statement (assignment_expression left: (variable_declaration variable: (scalar) @name))) @variable)
(comment) @comment
(pod) @comment
