//go:build !unix

package fleetsim

import "time"

// CPU is the processor time of this process, user and system; 0 where the system
// does not tell.
func CPU() time.Duration { return 0 }

func resident() int64 { return 0 }
