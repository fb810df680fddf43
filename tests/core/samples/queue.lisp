;; A queue.
(defpackage :queue)
(defvar *size* 10)
(defclass queue () ())
(defun push-item (item queue)
  "Adds an item."
  item)
(defmacro with-queue (q) q)
