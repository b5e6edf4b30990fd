-- Every request asks for another page of the list: the first argument is where the pages begin.
local offset = 0

function init(args)
  offset = tonumber(args[1])
end

function request()
  offset = offset + 1
  return wrk.format("GET", "/api/v1/invocations?limit=200&offset=" .. offset)
end
