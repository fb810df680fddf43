(class_definition name: (_) @name) @class
(object_definition name: (_) @name) @object
(package_object name: (_) @name) @object
(trait_definition name: (_) @name) @trait
(enum_definition name: (_) @name) @enum
(full_enum_case name: (_) @name) @constant
(simple_enum_case name: (_) @name) @constant
(type_definition name: (_) @name) @type
(given_definition name: (_) @name) @object
(function_definition name: (_) @name) @function
(function_declaration name: (_) @name) @function
(val_definition pattern: (identifier) @name) @constant
(val_declaration name: (identifier) @name) @constant
(var_definition pattern: (identifier) @name) @variable
(var_declaration name: (identifier) @name) @variable
(comment) @comment
(block_comment) @comment
