package lookup

import (
	"slices"
	"testing"
)

// TestTheCheaperIsAskedFirst has by hand what providers would charge, in cents.
func TestTheCheaperIsAskedFirst(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		offers []offer
		want   []int
	}{
		"none":                         {nil, []int{}},
		"one":                          {[]offer{{dollars: 1}}, []int{0}},
		"the first is cheaper":         {[]offer{{dollars: 1}, {dollars: 2}}, []int{0, 1}},
		"the second is":                {[]offer{{dollars: 2}, {dollars: 1}}, []int{1, 0}},
		"the first is paid for":        {[]offer{{}, {dollars: 1}}, []int{0, 1}},
		"the second is paid for":       {[]offer{{dollars: 1}, {}}, []int{1, 0}},
		"a tie":                        {[]offer{{dollars: 1}, {dollars: 1}}, []int{0, 1}},
		"both are free":                {[]offer{{}, {}, {}}, []int{0, 1, 2}},
		"of three":                     {[]offer{{dollars: 3}, {dollars: 2}, {dollars: 1}}, []int{2, 1, 0}},
		"of three, two alike":          {[]offer{{dollars: 3}, {dollars: 1}, {dollars: 1}}, []int{1, 2, 0}},
		"the cheaper second is paused": {[]offer{{dollars: 2}, {dollars: 1, paused: true}}, []int{0, 1}},
		"the cheaper first is paused":  {[]offer{{dollars: 1, paused: true}, {dollars: 2}}, []int{0, 1}},
		"the dearer first is paused":   {[]offer{{dollars: 2, paused: true}, {dollars: 1}}, []int{1, 0}},
		"both are paused":              {[]offer{{dollars: 2, paused: true}, {dollars: 1, paused: true}}, []int{0, 1}},
	} {
		if got := byPrice(tt.offers); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
