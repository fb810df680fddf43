--- Answers of the server as places in files, with the byte columns that Neovim counts in.
local M = {}

---@class sightline.Entry
---@field filename string
---@field path string relative to the project
---@field lnum integer from 1, as all of these
---@field col integer a byte
---@field end_lnum integer
---@field end_col integer a byte, exclusive
---@field label string strong, good or weak; empty for a further hit of a file
---@field kind string
---@field symbol string with what contains it
---@field text string the best line, without its indent
---@field snippet string[]
---@field snippet_lnum integer the line that the snippet begins with
---@field marks integer[][] words that match: line, start byte and end byte, from 0

local IS_0_11 = vim.fn.has('nvim-0.11') == 1

--- How many bytes of a line are before a character that the server counts in `encoding`.
---@param line string
---@param character integer
---@param encoding string
---@return integer
function M.byte_index(line, character, encoding)
  if encoding == 'utf-8' then
    return math.min(character, #line)
  elseif IS_0_11 then
    return vim.str_byteindex(line, encoding, character, false)
  end
  local fits, index = pcall(vim.str_byteindex, line, character, encoding == 'utf-16')
  return fits and index or #line
end

---@param value any JSON null is vim.NIL
---@return string
local function text_of(value)
  return type(value) == 'string' and value or ''
end

---@param hit table
---@return string
local function full_symbol(hit)
  local names = { text_of(hit.container), text_of(hit.symbol) }
  return table.concat(
    vim.tbl_filter(function(name)
      return name ~= ''
    end, names),
    '.'
  )
end

---@param hit table
---@param lines table<integer, string> the snippet's, by line number of the file from 0
---@param encoding string
---@return integer[][]
local function marks_of(hit, lines, encoding)
  local marks = {}
  for _, range in ipairs(hit.highlights) do
    local number = range.start.line
    local line = lines[number]
    if line then
      local first = M.byte_index(line, range.start.character, encoding)
      table.insert(marks, { number, first, M.byte_index(line, range['end'].character, encoding) })
    end
  end
  return marks
end

---@param hit table
---@param encoding string
---@return sightline.Entry
local function entry_of(hit, encoding)
  local snippet = vim.split(hit.snippet, '\n', { plain = true })
  local lines = {}
  for index, line in ipairs(snippet) do
    lines[hit.snippetLine + index - 1] = line
  end
  local first, last = hit.selectionRange.start, hit.selectionRange['end']
  local best = lines[first.line] or ''
  return {
    filename = vim.uri_to_fname(hit.uri),
    path = hit.path,
    lnum = first.line + 1,
    col = M.byte_index(best, first.character, encoding) + 1,
    end_lnum = last.line + 1,
    end_col = M.byte_index(lines[last.line] or '', last.character, encoding) + 1,
    label = hit.label,
    kind = text_of(hit.kind),
    symbol = full_symbol(hit),
    text = vim.trim(best),
    snippet = snippet,
    snippet_lnum = hit.snippetLine + 1,
    marks = marks_of(hit, lines, encoding),
  }
end

--- A file's lines as they are now, at most to `last`; none where the file is on another machine.
---@param filename string
---@param last integer
---@return string[]
local function current_lines(filename, last)
  local buffer = vim.fn.bufnr(vim.fn.fnameescape(filename))
  if buffer ~= -1 and vim.api.nvim_buf_is_loaded(buffer) then
    return vim.api.nvim_buf_get_lines(buffer, 0, last, false)
  end
  return vim.fn.filereadable(filename) == 1 and vim.fn.readfile(filename, '', last) or {}
end

--- The further hits of a file, which come as ranges without text.
---@param hit table
---@param entry sightline.Entry its first
---@return sightline.Entry[]
local function further(hit, entry)
  local entries, last = {}, 0
  for _, more in ipairs(hit.more) do
    last = math.max(last, more.range.start.line + 1)
  end
  local lines = last > 0 and current_lines(entry.filename, last) or {}
  for _, more in ipairs(hit.more) do
    local lnum = more.range.start.line + 1
    local line = lines[lnum] or ''
    local indent = #line:match('^%s*')
    table.insert(entries, {
      filename = entry.filename,
      path = entry.path,
      lnum = lnum,
      col = indent + 1,
      end_lnum = lnum,
      end_col = #line + 1,
      label = '',
      kind = '',
      symbol = text_of(more.symbol),
      text = line:sub(indent + 1),
      snippet = { line },
      snippet_lnum = lnum,
      marks = {},
    })
  end
  return entries
end

--- The entries of an answer, best first, one of each file.
---@param answer table
---@param encoding string what the client and the server have agreed on
---@param all? boolean with each file's further hits below its first
---@return sightline.Entry[]
function M.of(answer, encoding, all)
  local entries = {}
  for _, hit in ipairs(answer.hits) do
    local entry = entry_of(hit, encoding)
    table.insert(entries, entry)
    if all then
      vim.list_extend(entries, further(hit, entry))
    end
  end
  return entries
end

--- What an answer lacks, in a few words; empty when it lacks nothing.
---@param answer table
---@return string
function M.caveat(answer)
  local reasons = {}
  for _, reason in ipairs(type(answer.degraded) == 'table' and answer.degraded or {}) do
    table.insert(reasons, reason.message)
  end
  if #reasons == 0 and not answer.complete then
    reasons = { ('%d%% indexed'):format(answer.indexedPercent) }
  end
  return table.concat(reasons, '; ')
end

--- Label, symbol and best line of an entry as one line of text.
---@param entry sightline.Entry
---@return string
function M.line(entry)
  local words = { ('%-6s'):format(entry.label), entry.symbol, entry.text }
  return (
    table
      .concat(
        vim.tbl_filter(function(word)
          return word ~= ''
        end, words),
        '  '
      )
      :gsub('%s+$', '')
  )
end

return M
