(function_definition declarator: (_) @declarator) @function
(declaration declarator: (_) @declarator) @variable
(struct_specifier name: (_) @name body: (_)) @struct
(union_specifier name: (_) @name body: (_)) @union
(enum_specifier name: (_) @name body: (_)) @enum
(enumerator name: (_) @name) @constant
(type_definition declarator: (_) @declarator) @type
(field_declaration declarator: (_) @declarator) @field
(preproc_def name: (_) @name value: (_)) @constant
(preproc_function_def name: (_) @name) @macro
(comment) @comment
