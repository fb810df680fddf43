(signature name: (_) @name) @equation
(function name: (_) @name) @equation
(function (infix operator: (_) @name)) @equation
(bind name: (_) @name) @equation
(data_type name: (_) @name) @type
(newtype name: (_) @name) @type
(type_synonym name: (_) @name) @type
(type_family name: (_) @name) @type
(class name: (_) @name) @trait
(instance name: (_) @name) @impl
(data_constructor constructor: (_ name: (_) @name)) @constant
(comment) @comment
(haddock) @comment
(pragma) @glue
