(type_annotation name: (_) @name) @equation
(value_declaration functionDeclarationLeft: (function_declaration_left . (lower_case_identifier) @name)) @equation
(port_annotation name: (_) @name) @function
(type_alias_declaration name: (_) @name) @type
(type_declaration name: (_) @name) @type
(union_variant name: (_) @name) @constant
(line_comment) @comment
(block_comment) @comment
