module Geometry

"A point."
struct Point{T}
    x::T
end

abstract type Shape end
const ORIGIN = 0

# The area.
function area(p::Point, q) where T
    local z = 1
    return z
end

double(x) = 2x

macro twice(e)
    e
end

end
