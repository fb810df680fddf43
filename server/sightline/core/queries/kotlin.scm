(class_declaration "interface" name: (_) @name) @interface
(class_declaration "enum" name: (_) @name) @enum
(class_declaration name: (_) @name) @class
(object_declaration name: (_) @name) @object
(companion_object name: (_) @name) @object
((companion_object !name) @object (#set! name "Companion"))
(type_alias name: (_) @name) @type
(function_declaration name: (_) @name) @function
(secondary_constructor "constructor" @name) @constructor
(enum_entry (simple_identifier) @name) @constant
(property_declaration (variable_declaration (simple_identifier) @name)) @property
(line_comment) @comment
(multiline_comment) @comment
