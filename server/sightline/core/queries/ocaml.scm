(module_definition (module_binding . (module_name) @name)) @module
(module_type_definition . (module_type_name) @name) @interface
(value_definition (let_binding pattern: (value_name) @name (parameter))) @function
(value_definition (let_binding pattern: (value_name) @name body: [(fun_expression) (function_expression)])) @function
(value_definition (let_binding pattern: (value_name) @name)) @variable
(value_specification . (_) @name) @function
(external . (_) @name) @function
(type_definition (type_binding name: (_) @name)) @type
(exception_definition (constructor_declaration . (constructor_name) @name)) @type
(class_definition (class_binding (class_name) @name)) @class
(method_definition (method_name) @name) @method
(comment) @comment
