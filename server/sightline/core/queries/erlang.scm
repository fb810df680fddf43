(fun_decl clause: (function_clause name: (_) @name)) @equation
(record_decl name: (_) @name) @struct
(pp_define lhs: (macro_lhs name: (_) @name)) @macro
(type_alias name: (type_name name: (_) @name)) @type
(opaque name: (type_name name: (_) @name)) @type
(callback fun: (_) @name) @function
(comment) @comment
(spec) @glue
