(signature name: (_) @name) @equation
(function name: (_) @name) @equation
(function infix: (infix op: (_) @name)) @equation
(adt name: (_) @name) @type
(newtype name: (_) @name) @type
(type_alias name: (_) @name) @type
(type_family (head name: (_) @name)) @type
(class (class_head class: (_) @name)) @trait
(instance (instance_head class: (_) @name)) @impl
[(data_constructor . (constructor) @name) (data_constructor_record . (constructor) @name)] @constant
(comment) @comment
(pragma) @glue
