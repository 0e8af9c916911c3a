package bulk

import (
	"slices"

	"bulkpresign/internal/s3op"
)

// judgeOptions judges the options of the whole batch: what is wrong with them fails
// the request.
func (p *Plan) judgeOptions() error {
	given := p.request.Options
	if err := p.Operation.Check(given); err != nil {
		return failf(InvalidOption, "%v", err)
	}
	settled, err := p.Operation.Settle(slices.Clone(given))
	if err != nil {
		return failf(InvalidOption, "%v", err)
	}
	p.options = settled
	p.optionsWarn = s3op.Warning(settled) != ""
	if p.Operation != s3op.PostObject && p.Operation != s3op.MultipartUpload { // a form has fields, an upload several requests
		p.headers = s3op.Headers(settled)
	}
	p.parts = s3op.PartNumbers(settled)
	p.lacking = p.Operation.Complete(settled)
	if p.grant != nil {
		if refusal := p.grant.RequireOfBatch(settled, p.Operation); refusal != nil {
			return p.refused(refusal)
		}
	}
	return nil
}

// maxMerges bounds the one product of two sizes that a request of 6 MB can make large: hundreds of entries of metadata
// for the batch, to be merged with the own options of a hundred thousand items. It is 20 options for each of those.
const maxMerges = 2_000_000

// merges is how many of the batch's options come together with items' own.
func (p *Plan) merges() int {
	items := 0
	for i := range p.request.Items {
		if item := &p.request.Items[i]; item.begin != item.end {
			items++
		}
	}
	return items * len(p.request.Options)
}

// settled gives the effective options of an entry that did not fail. They are valid
// until the next call.
func (p *Plan) settled(e entry) []s3op.Option {
	item := &p.request.Items[e.item]
	if item.begin == item.end {
		return p.options
	}
	options, err := p.settle(item)
	if err != nil {
		panic("bulk: options that were judged are refused") // judge had the same
	}
	return options
}

// settle gives an item's effective options, or what is wrong with them together.
func (p *Plan) settle(item *Item) ([]s3op.Option, error) {
	p.merged = s3op.Merge(p.merged[:0], p.request.Options, p.request.OwnOptions(*item))
	return p.Operation.Settle(p.merged)
}
