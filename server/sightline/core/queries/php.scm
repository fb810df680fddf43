(namespace_definition name: (_) @name) @namespace
(class_declaration name: (_) @name) @class
(interface_declaration name: (_) @name) @interface
(trait_declaration name: (_) @name) @trait
(enum_declaration name: (_) @name) @enum
(enum_case name: (_) @name) @constant
(function_definition name: (_) @name) @function
(method_declaration name: (_) @name) @method
(property_declaration (property_element (variable_name (name) @name))) @property
(const_declaration (const_element (name) @name)) @constant
(comment) @comment
