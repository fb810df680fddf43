(create_table . (_) (object_reference) @name) @type
(create_view (object_reference) @name) @type
(create_materialized_view (object_reference) @name) @type
(create_type (object_reference) @name) @type
(create_function . (_) (object_reference) @name) @function
(create_trigger (keyword_trigger) . (object_reference) @name) @function
(create_schema (identifier) @name) @namespace
(create_index (keyword_index) . column: (_) @name) @key
(column_definition name: (_) @name) @field
(comment) @comment
(marginalia) @comment
