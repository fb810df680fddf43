(block . (identifier) . (string_lit (template_literal) @name) . (block_start)) @object
(block . (identifier) . (string_lit (template_literal) @container) . (string_lit (template_literal) @name) . (block_start)) @object
(config_file (body (attribute . (identifier) @name) @variable))
(comment) @comment
