--- A stack.
local M = {}
M.limit = 10
local count = 0

-- Makes one.
function M.new(size)
  local inner = function() end
  return setmetatable({}, M)
end

function M:push(x)
  self[#self + 1] = x
end

local function helper() end
M.pop = function(self) return nil end
local twice = function(x) return x * 2 end
function global() end

return { run = function() end, other = 1 }
