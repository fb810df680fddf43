--- What a command is about: the visual selection, or the definition at the cursor.
local M = {}

local DEFINING = { 'function', 'method', 'class', 'struct', 'interface', 'enum', 'trait', 'impl', 'module' }

local function leave_visual()
  vim.cmd.normal({ args = { '\27' }, bang = true })
end

--- The visual selection's text, as one line.
---@return string
function M.text()
  local lines = vim.fn.getregion(vim.fn.getpos('v'), vim.fn.getpos('.'), { type = vim.fn.mode() })
  leave_visual()
  return vim.trim((table.concat(lines, ' '):gsub('%s+', ' ')))
end

--- First and last line of the visual selection.
---@return integer[]
function M.lines()
  local first, last = vim.fn.line('v'), vim.fn.line('.')
  leave_visual()
  return { math.min(first, last), math.max(first, last) }
end

---@param node TSNode
---@return boolean
local function defines(node)
  local kind = node:type()
  local first, _, last = node:range()
  return last > first and vim.iter(DEFINING):any(function(word)
    return kind:find(word, 1, true) ~= nil
  end)
end

--- Lines of the innermost definition at the cursor, as its grammar tells; nil without a grammar.
---@return integer[]?
local function definition()
  local parsed, parser = pcall(vim.treesitter.get_parser, 0)
  if not parsed or not parser then
    return nil
  end
  parser:parse()
  local node = vim.treesitter.get_node()
  while node and not defines(node) do
    node = node:parent()
  end
  if node and node:parent() then
    local first, _, last, column = node:range()
    return { first + 1, column == 0 and last or last + 1 }
  end
end

--- First and last line of the definition, or else of the paragraph, at the cursor.
---@return integer[]
function M.around_cursor()
  local found = definition()
  if found then
    return found
  end
  local line = vim.fn.line('.')
  if vim.fn.getline(line):match('^%s*$') then
    return { line, line }
  end
  local before, after = vim.fn.search([[^\s*$]], 'bnW'), vim.fn.search([[^\s*$]], 'nW')
  return { before + 1, after == 0 and vim.fn.line('$') or after - 1 }
end

return M
