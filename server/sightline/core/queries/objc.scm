(class_interface name: (_) @name) @class
(category_interface name: (_) @name) @class
(class_implementation name: (_) @name) @impl
(category_implementation name: (_) @name) @impl
(protocol_declaration name: (_) @name) @interface
(method_declaration selector: (identifier) @name) @method
(method_declaration selector: (keyword_selector . (keyword_declarator keyword: (_) @name))) @method
(method_definition selector: (identifier) @name) @method
(method_definition selector: (keyword_selector . (keyword_declarator keyword: (_) @name))) @method
(property_declaration declarator: (_) @declarator) @property
