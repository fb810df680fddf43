# Statistics.
LIMIT <- 10

#' Mean of x.
average <- function(x, na.rm = TRUE) {
  local <- 1
  sum(x) / length(x)
}
total = function(x) sum(x)
setClass("Person", representation(name = "character"))
