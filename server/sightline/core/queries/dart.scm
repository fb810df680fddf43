(class_definition name: (_) @name) @class
(mixin_declaration . (mixin) . (identifier) @name) @trait
(extension_declaration name: (_) @name) @impl
(extension_type_declaration name: (_) @name) @impl
(enum_declaration name: (_) @name) @enum
(enum_constant name: (_) @name) @constant
(type_alias . (type_identifier) @name) @type

; A body is the sibling that follows the signature.
(program (function_signature name: (_) @name) @function . (function_body) @tail)
(program (getter_signature name: (_) @name) @property . (function_body) @tail)
((method_signature (function_signature name: (_) @name)) @method . (function_body) @tail)
((method_signature (getter_signature name: (_) @name)) @property . (function_body) @tail)
((method_signature (setter_signature name: (_) @name)) @property . (function_body) @tail)
((method_signature (factory_constructor_signature (identifier) @name . (formal_parameter_list))) @constructor . (function_body) @tail)
((method_signature (operator_signature (binary_operator) @name)) @method . (function_body) @tail)
((method_signature (constructor_signature name: (identifier) @name . parameters: (_))) @constructor . (function_body) @tail)
(declaration (constructor_signature name: (identifier) @name . parameters: (_))) @constructor
(declaration (function_signature name: (_) @name)) @method
(declaration (initialized_identifier_list (initialized_identifier . (identifier) @name))) @field
(declaration (static_final_declaration_list (static_final_declaration . (identifier) @name))) @constant
(program (static_final_declaration_list (static_final_declaration . (identifier) @name) @constant))
(program (initialized_identifier_list (initialized_identifier . (identifier) @name) @variable))
(lambda_expression parameters: (function_signature name: (_) @name)) @function
(comment) @comment
(documentation_comment) @comment
(annotation) @glue
