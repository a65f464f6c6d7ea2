-- Wireshark dissector for DSoftBus-lite: announces, handshakes, and with a key log records and their frames (docs/wire.md).
--
--   tshark -X lua_script:docs/wireshark/dsoftbus.lua -o dsoftbus.keylog:hub.keys -r hub.pcapng -Y dsoftbus
--
-- A key log line is `DSOFTBUS_LITE TAG NONCE KEY`: the tag of a message on the wire, its nonce, and the key that it was sealed
-- under. Later messages of the same direction count on from there. Tags are looked up, not checked: a record is taken for
-- opened when it is whole frames.

local proto = Proto("dsoftbus", "DSoftBus-lite")

proto.prefs.keylog = Pref.string("Key log", "", "A file that `fabric-sim run --keylog` wrote")
proto.prefs.ports = Pref.range("TCP ports", "7000", "Ports of sessions, besides those whose first message shows what they are", 65535)

local KINDS = { "OPEN", "OPEN_ACK", "DATA", "WINDOW_UPDATE", "RST", "PING", "PONG", "CLOSE" }
local CODES = {
  [0] = "done", [1] = "duplicate", [2] = "going_away", [3] = "refused", [4] = "not_trusted", [5] = "revoked", [6] = "keepalive",
  [7] = "cancelled", [8] = "message_too_large", [16] = "mux.reject.frame_invalid", [17] = "mux.reject.frame_oversize",
  [18] = "mux.reject.invalid_stream_state_transition", [19] = "mux.reject.unknown_stream_frame",
  [20] = "mux.reject.window_credit_overflow_or_underflow", [21] = "mux.reject.flood", [22] = "mux.reject.stream_limit_exceeded",
  [23] = "mux.reject.invalid_stream_name", [24] = "mux.reject.service_denied",
}
local PROLOGUE_LENGTHS = { 48, 148, 164 }
local PATTERN = { "e, es", "e, ee", "s, se" }
local TAG = 16

local f = {}
local function field(name, kind, title, ...)
  local made = ProtoField[kind]("dsoftbus." .. name, title, ...)
  f[name] = made
  return made
end

proto.fields = {
  field("announce.version", "uint8", "Version"),
  field("announce.device_id", "string", "Device id"),
  field("announce.port", "uint16", "Port"),
  field("announce.noise_static", "bytes", "Noise static"),
  field("announce.service", "string", "Service"),
  field("announce.epoch", "uint64", "Epoch"),
  field("announce.sequence", "uint32", "Sequence"),
  field("announce.ttl", "uint16", "Time to live, seconds"),
  field("announce.goodbye", "bool", "Goodbye"),
  field("announce.verifying_key", "bytes", "Verifying key"),
  field("announce.signature", "bytes", "Signature"),
  field("length", "uint16", "Length"),
  field("handshake.message", "uint8", "Handshake message"),
  field("handshake.ephemeral", "bytes", "Ephemeral public key"),
  field("handshake.static", "bytes", "Static public key of the initiator"),
  field("handshake.verifying_key", "bytes", "Verifying key"),
  field("handshake.features", "uint32", "Features", base.HEX),
  field("handshake.signature", "bytes", "Signature"),
  field("sealed", "bytes", "Sealed"),
  field("tag", "bytes", "Authentication tag"),
  field("record.nonce", "uint64", "Nonce"),
  field("frame.kind", "uint8", "Kind", base.DEC, { [1] = "OPEN", [2] = "OPEN_ACK", [3] = "DATA", [4] = "WINDOW_UPDATE",
    [5] = "RST", [6] = "PING", [7] = "PONG", [8] = "CLOSE" }),
  field("frame.flags", "uint8", "Flags", base.HEX),
  field("frame.priority", "uint8", "Priority"),
  field("frame.end_of_message", "bool", "A message ends here"),
  field("frame.length", "uint16", "Payload bytes"),
  field("frame.stream", "uint32", "Stream"),
  field("frame.credit", "uint32", "Credit"),
  field("frame.delta", "uint32", "Credit returned"),
  field("frame.service", "string", "Service"),
  field("frame.code", "uint32", "Code", base.DEC, CODES),
  field("frame.token", "uint64", "Token"),
  field("frame.data", "bytes", "Data"),
}


local malformed = ProtoExpert.new("dsoftbus.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR)
local unkeyed = ProtoExpert.new("dsoftbus.unkeyed", "Sealed, and no key of the key log opens it", expert.group.UNDECODED, expert.severity.NOTE)
proto.experts = { malformed, unkeyed }

local tcp_stream = Field.new("tcp.stream")

-- ChaCha20 (RFC 8439, 2.3) with a nonce of 64 bits, as Noise has it ------------------------------------------------------------

local band, bxor, rol, tobit, rshift = bit.band, bit.bxor, bit.rol, bit.tobit, bit.rshift

local function little(text, at)
  local a, b, c, d = text:byte(at, at + 3)
  return tobit(a + b * 256 + c * 65536 + d * 16777216)
end

local function quarter(x, a, b, c, d)
  x[a] = tobit(x[a] + x[b]); x[d] = rol(bxor(x[d], x[a]), 16)
  x[c] = tobit(x[c] + x[d]); x[b] = rol(bxor(x[b], x[c]), 12)
  x[a] = tobit(x[a] + x[b]); x[d] = rol(bxor(x[d], x[a]), 8)
  x[c] = tobit(x[c] + x[d]); x[b] = rol(bxor(x[b], x[c]), 7)
end

local function block(state)
  local x = {}
  for i = 1, 16 do x[i] = state[i] end
  for _ = 1, 10 do
    quarter(x, 1, 5, 9, 13); quarter(x, 2, 6, 10, 14); quarter(x, 3, 7, 11, 15); quarter(x, 4, 8, 12, 16)
    quarter(x, 1, 6, 11, 16); quarter(x, 2, 7, 12, 13); quarter(x, 3, 8, 9, 14); quarter(x, 4, 5, 10, 15)
  end
  for i = 1, 16 do x[i] = tobit(x[i] + state[i]) end
  return x
end

-- What `sealed` says, under a key of 32 bytes and a nonce below 2^53.
local function opened(key, nonce, sealed)
  local state = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }
  for i = 0, 7 do state[5 + i] = little(key, 1 + i * 4) end
  state[14], state[15], state[16] = 0, tobit(nonce % 4294967296), tobit(math.floor(nonce / 4294967296))
  local text = {}
  for from = 1, #sealed, 64 do
    -- The first block of the stream is the authenticator's.
    state[13] = (from - 1) / 64 + 1
    local stream = block(state)
    for at = from, math.min(from + 63, #sealed) do
      local place = at - from
      local byte = band(rshift(stream[math.floor(place / 4) + 1], 8 * (place % 4)), 255)
      text[#text + 1] = string.char(bxor(sealed:byte(at), byte))
    end
  end
  return table.concat(text)
end

-- The key log ------------------------------------------------------------------------------------------------------------------

local keys, keys_of = {}, nil

local function unhex(text)
  return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local function load_keys()
  if keys_of == proto.prefs.keylog then return end
  keys, keys_of = {}, proto.prefs.keylog
  if keys_of == "" then return end
  local file, why = io.open(keys_of)
  if not file then
    print("dsoftbus: the key log cannot be read: " .. why)
    return
  end
  for line in file:lines() do
    local tag, nonce, key = line:match("^DSOFTBUS_LITE (%x+) (%d+) (%x+)%s*$")
    if tag and #tag == 32 and #key == 64 then keys[unhex(tag)] = { nonce = tonumber(nonce), key = unhex(key) } end
  end
  file:close()
end

-- What is known of each TCP stream: it is learned when packets are seen for the first time, in order, and looked up later.
local streams, messages = {}, {}

function proto.init()
  streams, messages = {}, {}
  load_keys()
end

-- Opens a sealed text whose tag follows it; nil without a key.
local function unseal(direction, sealed, tag)
  local found = keys[tag]
  if found then
    direction.key, direction.nonce = found.key, found.nonce
  elseif direction.key then
    direction.nonce = direction.nonce + 1
  else
    return nil
  end
  return opened(direction.key, direction.nonce, sealed)
end

-- Whether a plaintext is whole frames, as far as `length` says how long it is: only its beginning may be there.
local function is_frames(plain, length)
  local at = 1
  while at <= length do
    if at + 7 > #plain then return at > 1 and #plain < length end
    local kind, _, high, low = plain:byte(at, at + 3)
    if kind < 1 or kind > #KINDS then return false end
    at = at + 8 + high * 256 + low
  end
  return at == length + 1
end

-- So many records may be missing from a capture before one that is there.
local MISSING_MAX = 8

-- Opens a record. One that was there before, in a packet that TCP sent again, is opened as it was.
local function unseal_record(direction, sealed, tag)
  local known = direction.seen[tag]
  if known then return known end
  local found = keys[tag]
  local key, from = direction.key, (direction.nonce or 0) + 1
  if found then key, from = found.key, found.nonce end
  if not key then return nil end
  for nonce = from, found and from or from + MISSING_MAX do
    if is_frames(opened(key, nonce, sealed:sub(1, 8)), #sealed) then
      local plain = opened(key, nonce, sealed)
      if is_frames(plain, #sealed) or found then
        direction.key, direction.nonce = key, nonce
        direction.seen[tag] = { nonce = nonce, plain = plain }
        return direction.seen[tag]
      end
    end
  end
  return nil
end

-- Learns what a message is: a handshake message by its place, else a record.
local function learn(stream, from_dialler, text)
  local handshake = stream.handshake + 1
  local is_its_turn = from_dialler == (handshake ~= 2)
  if PROLOGUE_LENGTHS[handshake] == #text and is_its_turn then
    stream.handshake = handshake
    -- Both sides have one key after another until the handshake is over.
    local key = stream.shared
    local message = { handshake = handshake }
    if handshake == 2 then
      message.proof = unseal(key, text:sub(33, #text - TAG), text:sub(-TAG))
    elseif handshake == 3 then
      message.static = unseal(key, text:sub(1, 32), text:sub(33, 48))
      message.proof = unseal(key, text:sub(49, #text - TAG), text:sub(-TAG))
    end
    return message
  end
  local record = unseal_record(stream[from_dialler], text:sub(1, #text - TAG), text:sub(-TAG))
  return record or { }
end

-- Dissection -------------------------------------------------------------------------------------------------------------------

local function add_proof(tree, tvb, whole)
  tree:add(f["handshake.verifying_key"], tvb(0, 32))
  tree:add(f["handshake.features"], tvb(32, 4))
  tree:add(f["handshake.signature"], tvb(36, 64))
end

local function show_handshake(tvb, tree, message)
  local number = message.handshake
  tree:add(f["handshake.message"], number):append_text(" (" .. PATTERN[number] .. ")")
  if number < 3 then
    tree:add(f["handshake.ephemeral"], tvb(0, 32))
  elseif message.static then
    local plain = ByteArray.new(message.static, true):tvb("Static key")
    tree:add(f["handshake.static"], plain(0, 32))
  end
  if number > 1 and message.proof then
    add_proof(tree, ByteArray.new(message.proof, true):tvb("Identity proof"))
  elseif number > 1 then
    tree:add(f["sealed"], tvb(number == 2 and 32 or 48, 100)):add_proto_expert_info(unkeyed)
  end
  tree:add(f["tag"], tvb(tvb:len() - TAG, TAG))
  return "handshake " .. number .. " (" .. PATTERN[number] .. ")"
end

local function code(tree, tvb)
  tree:add(f["frame.code"], tvb)
  return CODES[tvb:uint()] or tostring(tvb:uint())
end

-- The payload of a frame of each kind; what it says in a word.
local SHOW = {
  function(tree, tvb, flags)
    tree:add(f["frame.priority"], flags)
    tree:add(f["frame.credit"], tvb(0, 4))
    tree:add(f["frame.service"], tvb(4))
    return tvb(4):string()
  end,
  function(tree, tvb)
    tree:add(f["frame.credit"], tvb(0, 4))
    return "+" .. tvb(0, 4):uint()
  end,
  function(tree, tvb, flags)
    local is_end = flags % 2 == 1
    tree:add(f["frame.end_of_message"], is_end)
    if tvb then tree:add(f["frame.data"], tvb) end
    return (tvb and tvb:len() or 0) .. " B" .. (is_end and " end" or "")
  end,
  function(tree, tvb)
    tree:add(f["frame.delta"], tvb(0, 4))
    return "+" .. tvb(0, 4):uint()
  end,
  function(tree, tvb) return code(tree, tvb(0, 4)) end,
  function(tree, tvb) tree:add(f["frame.token"], tvb(0, 8)) return "" end,
  function(tree, tvb) tree:add(f["frame.token"], tvb(0, 8)) return "" end,
  function(tree, tvb) return code(tree, tvb(0, 4)) end,
}
local PAYLOAD_MIN = { 5, 4, 0, 4, 4, 8, 8, 4 }

local function show_frames(plain, tree)
  local told, at = {}, 0
  while at < plain:len() do
    if plain:len() - at < 8 then
      tree:add_proto_expert_info(malformed, "Less than a frame's header is left")
      break
    end
    local kind, flags, length = plain(at, 1):uint(), plain(at + 1, 1):uint(), plain(at + 2, 2):uint()
    local stream, name = plain(at + 4, 4):uint(), KINDS[kind] or "unknown"
    if at + 8 + length > plain:len() then
      tree:add_proto_expert_info(malformed, "A frame goes past the end of its record")
      break
    end
    local frame = tree:add(proto, plain(at, 8 + length), "Frame: " .. name .. ", stream " .. stream)
    frame:add(f["frame.kind"], plain(at, 1))
    frame:add(f["frame.flags"], plain(at + 1, 1))
    frame:add(f["frame.length"], plain(at + 2, 2))
    frame:add(f["frame.stream"], plain(at + 4, 4))
    local said = ""
    if KINDS[kind] and length >= PAYLOAD_MIN[kind] then
      said = SHOW[kind](frame, length > 0 and plain(at + 8, length) or nil, flags)
    else
      frame:add_proto_expert_info(malformed, "Its kind or length is none")
    end
    frame:append_text(said ~= "" and ", " .. said or "")
    told[#told + 1] = name .. (stream > 0 and " " .. stream or "") .. (said ~= "" and " (" .. said .. ")" or "")
    at = at + 8 + length
  end
  return table.concat(told, ", ")
end

local function show_record(tvb, tree, message)
  if not message.plain then
    tree:add(f["sealed"], tvb()):add_proto_expert_info(unkeyed)
    return "sealed record, " .. tvb:len() .. " B"
  end
  tree:add(f["record.nonce"], UInt64(message.nonce % 4294967296, math.floor(message.nonce / 4294967296)))
  tree:add(f["tag"], tvb(tvb:len() - TAG, TAG))
  if #message.plain == 0 then
    tree:add_proto_expert_info(malformed, "An empty record")
    return "empty record"
  end
  return show_frames(ByteArray.new(message.plain, true):tvb("Record"), tree)
end

local function message_length(tvb, _, at) return 2 + tvb(at, 2):uint() end

local function show_message(tvb, pinfo, tree)
  local number = tcp_stream().value
  local stream = streams[number]
  if not stream then
    local fresh = function() return { seen = {} } end
    stream = { handshake = 0, shared = {}, dialler = pinfo.src_port, [true] = fresh(), [false] = fresh() }
    streams[number] = stream
  end
  local place = pinfo.number .. "/" .. tvb:offset()
  local message = messages[place]
  if not message then
    message = learn(stream, pinfo.src_port == stream.dialler, tvb:raw(2))
    messages[place] = message
  end
  pinfo.cols.protocol = "DSoftBus"
  local branch = tree:add(proto, tvb())
  branch:add(f["length"], tvb(0, 2))
  local body = tvb(2):tvb()
  local said = message.handshake and show_handshake(body, branch, message) or show_record(body, branch, message)
  branch:append_text(", " .. said)
  if tostring(pinfo.cols.info):find("^DSB ") then
    pinfo.cols.info:append(", " .. said)
  else
    pinfo.cols.info = "DSB " .. said
  end
  return tvb:len()
end

local function show_announce(tvb, pinfo, tree)
  pinfo.cols.protocol = "DSoftBus"
  local branch = tree:add(proto, tvb())
  local version, at = tvb(4, 1):uint(), 5
  branch:add(f["announce.version"], tvb(4, 1))
  local function take(length)
    if at + length > tvb:len() then error("short") end
    at = at + length
    return tvb(at - length, length)
  end
  local id, services = "", {}
  local is_whole = pcall(function()
    local name = take(take(1):uint())
    branch:add(f["announce.device_id"], name)
    id = name:string():sub(1, 8)
    branch:add(f["announce.port"], take(2))
    branch:add(f["announce.noise_static"], take(32))
    for _ = 1, take(1):uint() do
      local service = take(take(1):uint())
      branch:add(f["announce.service"], service)
      services[#services + 1] = service:string()
    end
    if version ~= 2 then return end
    branch:add(f["announce.epoch"], take(8))
    branch:add(f["announce.sequence"], take(4))
    local ttl = take(2)
    branch:add(f["announce.ttl"], ttl)
    branch:add(f["announce.goodbye"], ttl:uint() == 0)
    if ttl:uint() == 0 then id = id .. " goodbye" end
    branch:add(f["announce.verifying_key"], take(32))
    branch:add(f["announce.signature"], take(64))
  end)
  if not is_whole then branch:add_proto_expert_info(malformed, "The announce is cut short") end
  local said = "announce v" .. version .. " " .. id .. (#services > 0 and ": " .. table.concat(services, ", ") or "")
  branch:append_text(", " .. said)
  pinfo.cols.info = "DSB " .. said
  return tvb:len()
end

function proto.dissector(tvb, pinfo, tree)
  dissect_tcp_pdus(tvb, tree, 2, message_length, show_message)
  return tvb:len()
end

-- A session begins with 48 bytes after their length.
proto:register_heuristic("tcp", function(tvb, pinfo, tree)
  if tvb:len() ~= 50 or tvb(0, 2):uint() ~= 48 then return false end
  pinfo.conversation = proto
  proto.dissector(tvb, pinfo, tree)
  return true
end)

proto:register_heuristic("udp", function(tvb, pinfo, tree)
  if tvb:len() < 5 or tvb:raw(0, 4) ~= "NXSB" then return false end
  return show_announce(tvb, pinfo, tree) > 0
end)

local function register()
  load_keys()
  DissectorTable.get("tcp.port"):add(proto.prefs.ports, proto)
end

proto.prefs_changed = register
register()
