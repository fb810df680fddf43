--- A question whose answer goes to the quickfix list; asked again until nothing is missing in the index.
local client = require('sightline.client')
local entries = require('sightline.entries')
local notice = require('sightline.notice')
local quickfix = require('sightline.quickfix')

local M = {}

-- Milliseconds: between two times, twice as many each time, and how long a list is waited for at all.
local SHORTEST, LONGEST, PATIENCE = 250, 2000, 10 * 60 * 1000

---@class sightline.Question
---@field method string
---@field params table
---@field title string
---@field all? boolean each file's further hits as well
---@field buffer? integer attached first, so that the server sees its unsaved text

---@class sightline.Asking: sightline.Question
---@field window integer where it was asked
---@field pause integer milliseconds before it is asked again
---@field waited integer milliseconds
---@field cancelled boolean
---@field call? sightline.Call
---@field list? sightline.List
local Asking = {}
Asking.__index = Asking

---@type sightline.Asking? the last that was asked
local current

--- Ends what is under way, and asks it no more.
function Asking:cancel()
  self.cancelled = true
  if self.call then
    self.call.cancel()
  end
end

---@param options sightline.RequestOptions
function Asking:ask(options)
  self.call = client.request(self.method, self.params, function(failure, answer, asked)
    if failure then
      return notice.failed(failure)
    end
    self:show(answer, asked.offset_encoding)
    if not answer.complete then
      self:ask_later(asked, entries.caveat(answer))
    end
  end, options)
end

--- Fills the list with the first answer, with the first that has hits, and with the one that lacks nothing.
---@param answer table
---@param encoding string
function Asking:show(answer, encoding)
  local found = entries.of(answer, encoding, self.all)
  local was_empty = not self.list or self.list.is_empty
  if not self.list or answer.complete or (was_empty and #found > 0) then
    self.list = quickfix.fill(found, self.title, answer, self.list)
  end
  if was_empty and #found > 0 then
    -- Whoever has gone on to something else meanwhile is not taken away from it.
    quickfix.open(self.list, vim.api.nvim_get_current_win() == self.window and vim.fn.mode() == 'n')
  elseif answer.complete and #found == 0 then
    notice.nothing_found(entries.caveat(answer))
  end
end

---@param asked vim.lsp.Client
---@param caveat string
function Asking:ask_later(asked, caveat)
  if self.waited > PATIENCE then
    return notice.say(('the index is still not complete (%s): search again later'):format(caveat))
  elseif self.waited == 0 and self.list.is_empty then
    notice.say(('nothing found yet (%s); the list is filled as soon as there is something'):format(caveat))
  end
  self.waited = self.waited + self.pause
  vim.defer_fn(function()
    -- Neither a server that somebody stopped nor a list that somebody replaced comes back.
    if not self.cancelled and not client.is_stopped(asked) and quickfix.is_there(self.list) then
      self:ask({ root = asked.config.root_dir })
    end
  end, self.pause)
  self.pause = math.min(2 * self.pause, LONGEST)
end

--- Ends the last question.
function M.cancel()
  if current then
    current:cancel()
  end
end

--- Asks, in place of the last question.
---@param question sightline.Question
---@return sightline.Call
function M.ask(question)
  M.cancel()
  local own = { window = vim.api.nvim_get_current_win(), pause = SHORTEST, waited = 0, cancelled = false }
  local asking = setmetatable(vim.tbl_extend('error', question, own), Asking)
  current = asking
  asking:ask({ buffer = question.buffer })
  return {
    cancel = function()
      asking:cancel()
    end,
  }
end

return M
