package web

import (
	"testing"

	"github.com/google/uuid"
)

func FuzzPathID(f *testing.F) {
	for _, s := range []string{"", "1", uuid.Nil.String(), "urn:uuid:" + uuid.Nil.String(), "{" + uuid.Nil.String() + "}", "' or 1=1 --", "00000000-0000-0000-0000-00000000000g"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := pathID(s)
		if err != nil {
			if failureOf(err).status != 400 {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if len(s) != 36 || uuid.MustParse(s) != id {
			t.Fatalf("%q is taken for %s", s, id)
		}
	})
}
