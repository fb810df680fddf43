(create_table_statement [(identifier) (dotted_name)] @name) @type
(create_view_statement [(identifier) (dotted_name)] @name) @type
(create_materialized_view_statement [(identifier) (dotted_name)] @name) @type
(create_type_statement type_name: (_) @name) @type
(create_domain_statement . [(identifier) (dotted_name)] @name) @type
(create_function_statement [(identifier) (dotted_name)] @name) @function
(create_trigger_statement name: (_) @name) @function
(create_schema_statement (identifier) @name) @namespace
(create_index_statement name: (_) @name) @key
(table_column name: (_) @name) @field
(comment) @comment
