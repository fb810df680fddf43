; Without field names: one of the two grammars has none.
(class_declaration "interface" (type_identifier) @name) @interface
(class_declaration "enum" (type_identifier) @name) @enum
(class_declaration (type_identifier) @name) @class
(object_declaration (type_identifier) @name) @object
(companion_object "object" . (type_identifier) @name) @object
(companion_object "companion" @name "object" . [(class_body) ":"]) @object
(companion_object "companion" @name "object" .) @object
(type_alias (type_identifier) @name) @type
(function_declaration (simple_identifier) @name) @function
(secondary_constructor "constructor" @name) @constructor
(enum_entry (simple_identifier) @name) @constant
(property_declaration (variable_declaration (simple_identifier) @name)) @property
(line_comment) @comment
(multiline_comment) @comment
