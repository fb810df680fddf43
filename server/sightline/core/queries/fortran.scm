(module (module_statement (name) @name)) @module
(submodule (submodule_statement (name) @name)) @module
(program (program_statement (name) @name)) @module
(subroutine (subroutine_statement name: (_) @name)) @function
(function (function_statement name: (_) @name)) @function
(derived_type_definition (derived_type_statement (type_name) @name)) @type
(interface (interface_statement (name) @name)) @interface
(comment) @comment
