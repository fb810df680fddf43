(module_definition name: (_) @name) @module
(function_definition name: (_) @name) @function
(short_function_definition name: (_) @name) @function
(macro_definition name: (_) @name) @macro
(struct_definition name: (_) @name) @struct
(abstract_definition name: (_) @name) @type
(primitive_definition name: (_) @name) @type
(const_statement (assignment . (identifier) @name)) @constant
(line_comment) @comment
(block_comment) @comment
(source_file (string_literal) @comment)
(module_definition (string_literal) @comment)
