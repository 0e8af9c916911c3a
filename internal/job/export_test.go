package job

// Verdict is what is decided of an error: whether trying again can help and, if not,
// the code that the result says.
func Verdict(err error) (code string, permanent bool) {
	f, permanent := verdict(err)
	if f != nil {
		code = string(f.Code)
	}
	return code, permanent
}

// InResults marks an error of the results bucket.
var InResults = inResults

// KeyRanges cuts the keys under a prefix into ranges.
var KeyRanges = keyRanges
