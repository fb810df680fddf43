(field_definition property: (_) @name value: (arrow_function)) @method
(field_definition property: (_) @name) @field
