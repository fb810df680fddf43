--- Searching while somebody types: after a pause, and never twice at once.
local client = require('sightline.client')
local config = require('sightline.config')
local entries = require('sightline.entries')
local notice = require('sightline.notice')
local root = require('sightline.root')

local M = {}

---@class sightline.Found
---@field entries sightline.Entry[]
---@field note string what went wrong or is missing; empty when nothing is

---@class sightline.Live
---@field root string
---@field timer? uv.uv_timer_t
---@field call? sightline.Call
local Live = {}
Live.__index = Live

--- A search of the project of a buffer, the current one by default; nil after a notice where there is none.
---@param buffer? integer
---@return sightline.Live?
function M.new(buffer)
  local folder, reason = root.current(buffer)
  if not folder then
    notice.warn(assert(reason))
    return nil
  end
  return setmetatable({ root = folder }, Live)
end

--- Ends what is under way; its callback is not called any more.
function Live:stop()
  if self.timer and not self.timer:is_closing() then
    self.timer:close()
  end
  if self.call then
    self.call.cancel()
  end
  self.timer, self.call = nil, nil
end

--- Asks at once, in place of whatever is under way.
---@param query string
---@param on_found fun(found: sightline.Found)
function Live:ask(query, on_found)
  self:stop()
  if query:match('^%s*$') then
    return on_found({ entries = {}, note = '' })
  end
  local params = { query = query, limit = config.options().limit }
  self.call = client.request('sightline/search', params, function(failure, answer, asked)
    if failure then
      return on_found({ entries = {}, note = notice.sentence(failure) })
    end
    on_found({ entries = entries.of(answer, asked.offset_encoding), note = entries.caveat(answer) })
  end, { root = self.root })
end

--- Asks after a pause, unless another query comes before.
---@param query string
---@param on_found fun(found: sightline.Found)
function Live:type(query, on_found)
  self:stop()
  self.timer = vim.defer_fn(function()
    self:ask(query, on_found)
  end, config.options().debounce)
end

--- What a picker may have as its title: the name, and what an answer lacks.
---@param found sightline.Found
---@return string
function M.title(found)
  return found.note == '' and 'Sightline' or ('Sightline (%s)'):format(found.note)
end

return M
