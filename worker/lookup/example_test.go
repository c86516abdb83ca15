package lookup_test

import (
	"fmt"
	"time"

	"gorgone/worker/lookup"
)

// A lease must leave time for a call and for writing its results, twice over: a batch
// may wait for its slot for the other half.
func ExampleMinLease() {
	fmt.Println(lookup.MinLease(8 * time.Second))
	// Output: 36s
}
