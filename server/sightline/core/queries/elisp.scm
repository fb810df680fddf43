(function_definition name: (_) @name) @function
(macro_definition name: (_) @name) @macro
(special_form "defvar" . (symbol) @name) @variable
(special_form "defconst" . (symbol) @name) @constant
(list . (symbol) @_define . (symbol) @name (#any-of? @_define "defcustom" "defface" "defgroup" "defvar-local")) @variable
(list . (symbol) @_define . (symbol) @name (#any-of? @_define "cl-defun" "cl-defmethod" "cl-defgeneric" "define-minor-mode")) @function
(comment) @comment
