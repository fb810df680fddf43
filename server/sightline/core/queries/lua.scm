(function_definition_statement name: (_) @name) @function
(local_function_definition_statement name: (_) @name) @function
(variable_assignment (variable_list . (variable) @name) (expression_list . value: (function_definition))) @function
(local_variable_declaration (variable_list . (variable) @name) (expression_list . value: (function_definition))) @function
(field key: (identifier) @name value: (function_definition)) @method
(chunk (local_variable_declaration (variable_list . (variable) @name)) @variable)
(chunk (variable_assignment (variable_list . (variable) @name)) @variable)
(comment) @comment
