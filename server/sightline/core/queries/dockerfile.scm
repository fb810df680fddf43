(from_instruction as: (_) @name) @key
(arg_instruction name: (_) @name) @variable
(env_instruction (env_pair name: (_) @name)) @variable
(comment) @comment
