(** Lists. *)
module Stack = struct
  type 'a t = Empty | Node of 'a * 'a t
  (** Adds one. *)
  let push x s = Node (x, s)
  let empty = Empty
end

module type S = sig
  val size : int -> int
end

let rec length l = match l with [] -> 0 | _ :: t -> 1 + length t
let double = fun x -> x * 2
exception Full of string
external now : unit -> float = "now"
class counter = object
  method get = 1
end
let () = print_endline "x"
