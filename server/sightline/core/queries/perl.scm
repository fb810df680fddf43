(package_statement (package_name) @name) @module
(function_definition name: (_) @name) @function
(use_constant_statement constant: (_) @name) @constant
(source_file (variable_declaration (single_var_declaration) @name) @variable)
(comments) @comment
(pod_statement) @comment
