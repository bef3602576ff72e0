package casement_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain finds goroutines that outlive the tests: of client and of service.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
