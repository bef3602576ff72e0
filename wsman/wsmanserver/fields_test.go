package wsmanserver

import (
	"runtime"
	"strings"
	"testing"

	"github.com/casementhq/casement/wsman/internal/soap"
)

// A value of the configuration that comments cut into single letters costs
// memory in proportion to its length.
func TestFieldInPiecesCostsNoSquare(t *testing.T) {
	const pieces = 1 << 15
	r := soap.NewReader([]byte("<Config><Value>"+strings.Repeat("a<!---->", pieces)+"</Value></Config>"), soap.Limits{})
	if err := r.Root(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	list, err := readFields(r, "", nil)
	runtime.ReadMemStats(&after)
	if err != nil || len(list) != 1 || list[0].Value != strings.Repeat("a", pieces) {
		t.Fatalf("%d values, %v", len(list), err)
	}
	if spent := after.TotalAlloc - before.TotalAlloc; spent > 16*pieces {
		t.Errorf("%d bytes of text took %d bytes of memory", pieces, spent)
	}
}
