(list_lit (defun (defun_header function_name: (_) @name))) @function
(list_lit . value: (sym_lit) @_define . value: (sym_lit) @name
  (#any-of? @_define "defvar" "defparameter" "defconstant")) @variable
(list_lit . value: (sym_lit) @_define . value: (sym_lit) @name (#any-of? @_define "defclass" "defstruct" "define-condition")) @class
(list_lit . value: (sym_lit) @_define . value: (_) @name (#any-of? @_define "defpackage")) @module
(comment) @comment
(block_comment) @comment
