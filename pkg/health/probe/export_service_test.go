package probe

// What has tests of its own.
var (
	ParseAgent    = parseAgent
	ParsePassive  = parsePassive
	ParseServing  = parseServing
	PgConfig      = newPgConfig
	RadiusAnswer  = radiusAnswer
	RadiusRequest = radiusRequest
	ReadRESP      = readRESP
	ReadSIP       = readSIP
	Reveal        = reveal
)
