;;; mode.el --- A mode
(defvar mode-hook nil "Hook.")
(defcustom mode-size 1 "Size.")
(defun mode-start (x)
  "Start."
  x)
(defmacro mode-with (x) x)
