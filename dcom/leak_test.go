package dcom_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives what made it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
