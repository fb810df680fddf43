(class_declaration name: (_) @name) @class
(function_declaration name: (_) @name) @function
(generator_function_declaration name: (_) @name) @function
(method_definition name: (_) @name) @method

; A function as a value is what its name says. Functions have a block as body, arrows may have an expression.
(lexical_declaration (variable_declarator name: (identifier) @name value: (arrow_function))) @function
(lexical_declaration (variable_declarator name: (identifier) @name value: (_ body: (statement_block)))) @function
(variable_declaration (variable_declarator name: (identifier) @name value: (_ body: (statement_block)))) @function
(variable_declaration (variable_declarator name: (identifier) @name value: (arrow_function))) @function
(lexical_declaration (variable_declarator name: (identifier) @name value: (class))) @class
(variable_declaration (variable_declarator name: (identifier) @name value: (class))) @class
(assignment_expression left: (member_expression) @name right: (_ body: (statement_block))) @function
(assignment_expression left: (member_expression) @name right: (arrow_function)) @function
(assignment_expression left: (identifier) @name right: (_ body: (statement_block))) @function
(assignment_expression left: (member_expression) @name right: (class)) @class
(pair key: (_) @name value: (_ body: (statement_block))) @method
(pair key: (_) @name value: (arrow_function)) @method

(program (lexical_declaration "const" (variable_declarator name: (identifier) @name)) @constant)
(program (lexical_declaration "let" (variable_declarator name: (identifier) @name)) @variable)
(program (variable_declaration (variable_declarator name: (identifier) @name)) @variable)
(program (export_statement (lexical_declaration "const" (variable_declarator name: (identifier) @name)) @constant))
(program (export_statement (lexical_declaration "let" (variable_declarator name: (identifier) @name)) @variable))
(program (export_statement (variable_declaration (variable_declarator name: (identifier) @name)) @variable))

(comment) @comment
(decorator) @glue
