(namespace_declaration name: (_) @name) @namespace
; Its range is its name: one grammar nests the file in it, the other does not.
(file_scoped_namespace_declaration name: (_) @name @namespace)
(class_declaration name: (_) @name) @class
(record_declaration "struct" name: (_) @name) @struct
(record_declaration name: (_) @name) @class
(struct_declaration name: (_) @name) @struct
(interface_declaration name: (_) @name) @interface
(enum_declaration name: (_) @name) @enum
(enum_member_declaration name: (_) @name) @constant
(delegate_declaration name: (_) @name) @type
(method_declaration name: (_) @name) @method
(local_function_statement name: (_) @name) @function
(constructor_declaration name: (_) @name) @constructor
(operator_declaration operator: _ @name) @method
(property_declaration name: (_) @name) @property
(indexer_declaration "this" @name) @property
(event_declaration name: (_) @name) @property
(event_field_declaration (variable_declaration (variable_declarator (identifier) @name))) @property
(field_declaration (variable_declaration (variable_declarator (identifier) @name))) @field
(comment) @comment
