-- Every request asks for another invocation: the argument tells runs apart, a counter tells requests apart.
local run = "00000000"
local count = 0

function init(args)
  run = args[1]
end

function request()
  count = count + 1
  return wrk.format("GET", string.format("/api/v1/invocations/%s-0000-4000-8000-%012x", run, count))
end
