(package_statement name: (_) @name) @module
(class_statement name: (_) @name) @class
(role_statement name: (_) @name) @trait
(subroutine_declaration_statement name: (_) @name) @function
(method_declaration_statement name: (_) @name) @method
(comment) @comment
(pod) @comment
