package sha256x4

const Assembled = assembled

var (
	ExpandGeneric    = expandGeneric
	BlocksGeneric    = blocksGeneric
	ScheduledGeneric = scheduledGeneric
	HexGeneric       = hexGeneric
)
